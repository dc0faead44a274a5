// Second part of the linked player: an interval that repeats, chosen by dragging or by the keys [ ] L Escape; the speed.

const DRAG_PIXELS = 5;
const SHORTEST_LOOP_S = 0.05;
const EDGE_PIXELS = 6;

function listenToPointer(player) {
  const { stage, ghost } = player;
  let from = null; // where the button went down: { x, time_s }
  stage.onpointerdown = (event) => {
    if (event.button !== 0) return;
    stage.setPointerCapture(event.pointerId);
    const other_s = otherEdge(player, event);
    from = { x: event.clientX, time_s: other_s ?? timeAt(player, event), dragged: other_s !== null };
  };
  stage.onpointermove = (event) => {
    const time_s = timeAt(player, event);
    ghost.hidden = false;
    ghost.style.left = `${(time_s / player.duration) * 100}%`;
    ghost.dataset.time = clock(time_s, player.duration < 60 ? 0.1 : 1);
    if (!from) stage.style.cursor = otherEdge(player, event) === null ? "" : "ew-resize";
    if (!from) return;
    from.dragged ||= Math.abs(event.clientX - from.x) > DRAG_PIXELS;
    if (from.dragged) setLoop(player, from.time_s, time_s);
  };
  stage.onpointerup = (event) => {
    if (!from) return;
    const time_s = timeAt(player, event);
    if (from.dragged && player.loop) seek(player, player.loop.start_s);
    else click(player, time_s);
    from = null;
  };
  stage.onpointercancel = () => { from = null; };
  stage.onpointerleave = () => { ghost.hidden = true; };
}

function otherEdge({ loop, stage, duration }, event) { // of the edge under the pointer: it stays where it is
  if (!loop) return null;
  const box = stage.getBoundingClientRect(), x = event.clientX - box.left;
  const far = (time_s) => Math.abs((time_s / duration) * box.width - x);
  const [near_s, other_s] = far(loop.start_s) < far(loop.end_s) ? [loop.start_s, loop.end_s] : [loop.end_s, loop.start_s];
  return far(near_s) <= EDGE_PIXELS ? other_s : null;
}

function click(player, time_s) {
  if (player.loop && (time_s < player.loop.start_s || time_s >= player.loop.end_s)) clearLoop(player);
  endInterval(player);
  seek(player, time_s);
}

function listenToLoop(player) {
  player.repeat.onclick = () => setLooping(player, !player.looping);
  player.clear.onclick = () => { clearLoop(player); player.stage.focus(); };
  player.speed.onchange = () => setSpeed(player);
  player.trim.onclick = () => { // once: a second click would cut the same times out of what is left
    const { loop } = player;
    clearLoop(player);
    player.stage.focus();
    player.send(loop);
  };
}

function setSpeed(player) {
  player.audio.playbackRate = Number(player.speed.value);
}

function onLoopKey(player, key) {
  const now = player.audio.currentTime, { loop, duration } = player;
  if (key === "[") setLoop(player, now, loop && loop.end_s > now ? loop.end_s : duration);
  else if (key === "]") setLoop(player, loop && loop.start_s < now ? loop.start_s : 0, now);
  else if (key.toLowerCase() === "l" && loop) setLooping(player, !player.looping);
  else if (key === "Escape" && loop) clearLoop(player);
  else return false;
  return true;
}

function setLoop(player, one_s, other_s) {
  const start_s = Math.max(Math.min(one_s, other_s), 0), end_s = Math.min(Math.max(one_s, other_s), player.duration);
  if (end_s - start_s < SHORTEST_LOOP_S) return clearLoop(player);
  player.loop = { start_s, end_s };
  player.selection.style.left = `${(start_s / player.duration) * 100}%`;
  player.selection.style.width = `${((end_s - start_s) / player.duration) * 100}%`;
  setLooping(player, true);
}

function clearLoop(player) {
  player.loop = null;
  setLooping(player, false);
}

function setLooping(player, looping) {
  const { loop } = player;
  player.looping = looping;
  player.selection.hidden = player.looped.hidden = !loop;
  player.selection.classList.toggle("off", !looping);
  player.repeat.setAttribute("aria-pressed", looping);
  if (loop) player.repeat.textContent = `Loop ${clock(loop.start_s, 0.1)} to ${clock(loop.end_s, 0.1)}`;
}

function repeat(player) {
  const { audio, loop } = player;
  const over = loop && player.looping && (audio.ended || (!audio.paused && audio.currentTime >= loop.end_s));
  if (over) {
    audio.currentTime = loop.start_s;
    if (audio.paused || audio.ended) audio.play();
  }
  return Boolean(over);
}
