// Hands the player what a page asked for after it was drawn, and plays any other sound. one_sound.js comes before.

const remotes = new WeakMap();

export default function ({ data, parentElement }) {
  if (!remotes.has(parentElement)) remotes.set(parentElement, build(parentElement));
  window.serHanded = data; // for a player that is mounted later: it has missed the events
  window.dispatchEvent(new CustomEvent("ser:speech", { detail: data }));
  if (data.cells) window.dispatchEvent(new CustomEvent("ser:cells", { detail: data }));
  const { request } = data;
  if (request && window.serRequest !== request.id) {
    window.serRequest = request.id; // kept on the window: the request is not repeated when the page is left and opened
    const asked = new CustomEvent(request.stop ? "ser:stop" : "ser:play", { detail: request, cancelable: true });
    const unheard = window.dispatchEvent(asked) && "start_s" in request;
    window.serWaiting = unheard ? { ...request, sound: data.id } : null; // for a player that is mounted later, too
  }
  return () => {
    window.serHanded = window.serWaiting = null;
    remotes.get(parentElement)?.close();
    remotes.delete(parentElement);
  };
}

function build(parentElement) {
  const find = (name) => parentElement.querySelector(`.${name}`), audio = new Audio();
  const box = find("remote"), stay = pauseForOthers(audio);
  const onPlay = ({ detail }) => { if (detail.url) start(detail); };
  const start = ({ url, name }) => {
    audio.src = url;
    find("name").textContent = name;
    box.hidden = false;
    audio.play().catch(({ name }) => { if (name !== "AbortError") end(false); });
    sayPlaying(audio);
  };
  const end = (finished) => {
    window.serSounds = false;
    window.dispatchEvent(new CustomEvent("ser:end", { detail: { name: find("name").textContent, finished } }));
  };
  audio.onplay = () => { window.serSounds = true; sayPlaying(audio); find("stop").ariaDisabled = null; };
  audio.onpause = () => { find("stop").ariaDisabled = "true"; end(audio.ended); }; // a disabled button loses the focus
  audio.ontimeupdate = () => { find("done").style.width = `${(100 * audio.currentTime) / (audio.duration || 1)}%`; };
  find("stop").onclick = () => audio.pause();
  find("again").onclick = () => { audio.currentTime = 0; audio.play(); };
  window.addEventListener("ser:play", onPlay);
  const onStop = () => audio.pause();
  window.addEventListener("ser:stop", onStop);
  const onClip = ({ detail }) => { if (detail !== audio) box.hidden = true; };
  window.addEventListener("ser:playing", onClip);
  return { close: () => {
    audio.pause();
    stay();
    window.removeEventListener("ser:play", onPlay);
    window.removeEventListener("ser:stop", onStop);
    window.removeEventListener("ser:playing", onClip);
  } };
}
