// Last part of the linked player: as the one player of a page it plays what other parts of the page ask for with a
// `ser:play` event, takes speech and labels over time from `ser:speech` and `ser:cells` events, and listens to the keys
// of the whole page.

const TAKES_KEYS = "input, textarea, select, button, a, audio, video, summary, canvas, [contenteditable]"
  + ["slider", "button", "radio", "tab", "combobox", "option", "menuitem", "checkbox", "textbox", "grid", "dialog"]
    .map((role) => `, [role=${role}]`).join("");

function dock(player) {
  const onPlay = (event) => {
    const { url, start_s, end_s } = event.detail;
    if (url) return;
    event.preventDefault(); // says that it is carried out
    playInterval(player, start_s, end_s);
  };
  const onCells = ({ detail }) => { if (player.cellsId !== detail.cells_id) drawCells(player, detail); };
  const onSpeech = ({ detail }) => showSpeech(player, detail);
  const onPageKey = (event) => {
    const target = event.composedPath()[0];
    if (event.ctrlKey || event.metaKey || event.altKey || !(target instanceof Element)) return;
    const free = target === document.body || !target.closest(TAKES_KEYS);
    if (free && [" ", "ArrowLeft", "ArrowRight"].includes(event.key)) onKey(player, event);
  };
  window.addEventListener("ser:play", onPlay);
  window.addEventListener("ser:cells", onCells);
  window.addEventListener("ser:speech", onSpeech);
  document.addEventListener("keydown", onPageKey);
  player.undock = () => {
    window.removeEventListener("ser:play", onPlay);
    window.removeEventListener("ser:cells", onCells);
    window.removeEventListener("ser:speech", onSpeech);
    document.removeEventListener("keydown", onPageKey);
  };
}

function takeHanded(player) { // speech, labels and what to play that were handed over before this sound was here
  const handed = window.serHanded, waiting = window.serWaiting;
  if (handed?.id !== player.id) return;
  showSpeech(player, handed);
  if (handed.cells && player.cellsId !== handed.cells_id) drawCells(player, handed);
  window.serWaiting = null;
  if (waiting?.sound === player.id) playInterval(player, waiting.start_s, waiting.end_s);
}

function sayTime(player, time_s) { // for what draws a cursor of its own
  window.dispatchEvent(new CustomEvent("ser:time", { detail: { time_s, playing: !player.audio.paused } }));
}

function playInterval(player, start_s, end_s) {
  clearLoop(player);
  player.until_s = null;
  seek(player, start_s);
  player.audio.play().then(() => markInterval(player, start_s, end_s), () => { player.problem.hidden = false; });
}

function markInterval(player, start_s, end_s) {
  player.until_s = end_s ?? null;
  player.played.hidden = player.until_s === null;
  player.played.style.left = `${(start_s / player.duration) * 100}%`;
  player.played.style.width = `${(((end_s ?? start_s) - start_s) / player.duration) * 100}%`;
}

function stopAtEnd(player) {
  if (player.until_s !== null && player.audio.currentTime >= player.until_s) player.audio.pause();
}

function endInterval(player) {
  player.until_s = null;
  player.played.hidden = true;
}
