// Only one sound at a time: whatever begins to play pauses all others. Comes before a component in the same module.

function sayPlaying(audio) {
  if (audio.paused) return; // its event comes late: another sound was asked for since
  document.querySelectorAll("audio, video").forEach((other) => { if (other !== audio) other.pause(); });
  window.dispatchEvent(new CustomEvent("ser:playing", { detail: audio }));
}

function pauseForOthers(audio) { // returns what ends it
  const onOther = ({ detail }) => { if (detail !== audio) audio.pause(); };
  const onElement = ({ target }) => { if (target instanceof HTMLMediaElement && target !== audio) audio.pause(); };
  window.addEventListener("ser:playing", onOther);
  document.addEventListener("play", onElement, true);
  return () => {
    window.removeEventListener("ser:playing", onOther);
    document.removeEventListener("play", onElement, true);
  };
}
