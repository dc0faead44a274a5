// The linked player: waveform, speech, spectrogram and the predicted emotions, over one time axis with one cursor.
// one_sound.js comes before in the same module; player_loop.js and dock.js follow.

const players = new WeakMap();
const TICK_STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600];
const PIXELS_PER_TICK = 72;
const LETTER_PIXELS = 7;
const FETCH_AT_ONCE_UP_TO_S = 120;
const SVG = "http://www.w3.org/2000/svg";

export default function ({ data, parentElement, setTriggerValue }) {
  if (!players.has(parentElement)) players.set(parentElement, build(parentElement));
  const player = players.get(parentElement);
  player.send = (interval) => setTriggerValue("trim", interval);
  const isNew = player.id !== data.id;
  if (isNew) load(player, data);
  showSpeech(player, data);
  if (player.cellsId !== data.cells_id) drawCells(player, data);
  if (isNew) takeHanded(player);
  return () => {
    player.audio.pause();
    player.undock();
    player.stay();
    player.resize.disconnect();
    players.delete(parentElement);
  };
}

function build(parentElement) {
  const find = (name) => parentElement.querySelector(`.${name}`);
  const player = { id: null, cellsId: null, duration: 0, cells: [], runs: [], wanted_s: 0,
    loop: null, looping: false, until_s: null, audio: new Audio() };
  for (const name of ["play", "time", "predicted", "versions", "stage", "wave", "peak", "speech", "mel", "hertz", "lane", "names",
    "drawn", "curved", "curves", "pitches", "ticks", "cursor", "ghost", "problem", "selection", "played", "looped", "repeat", "clear", "trim", "speed"]) player[name] = find(name);

  const { audio, stage } = player;
  player.stay = pauseForOthers(audio);
  audio.onplay = () => { sayPlaying(audio); showPlaying(player); follow(player); };
  audio.onpause = () => { endInterval(player); showPlaying(player); follow(player); };
  audio.onended = () => { if (!repeat(player)) { showPlaying(player); follow(player); } };
  audio.ontimeupdate = audio.onseeked = () => { stopAtEnd(player); repeat(player); showTime(player); };
  audio.onloadedmetadata = () => {
    audio.currentTime = player.wanted_s; // some browsers cannot seek earlier
    setSpeed(player);
  };
  audio.onerror = () => { player.problem.hidden = false; };
  player.play.onclick = () => toggle(player);
  player.curved.onchange = () => showCurves(player);
  stage.onkeydown = (event) => onKey(player, event);
  listenToPointer(player);
  listenToLoop(player);
  player.resize = new ResizeObserver(() => { drawTicks(player); drawNames(player); });
  player.resize.observe(stage);
  dock(player);
  return player;
}

function load(player, data) {
  player.id = data.id;
  player.duration = data.duration_s;
  player.audio.pause();
  clearLoop(player);
  player.audio.preload = data.duration_s <= FETCH_AT_ONCE_UP_TO_S ? "auto" : "metadata";
  player.stage.setAttribute("aria-valuemax", data.duration_s.toFixed(1));
  player.stage.setAttribute("aria-description", data.description);
  drawMarks(player.hertz, data.hertz);
  player.speechKnown = false;
  player.speech.replaceChildren();
  drawTicks(player);
  drawVersions(player, data.tracks);
  choose(player, data.tracks, data.tracks.length - 1, 0);
}

function choose(player, tracks, index, time_s) {
  const playing = !player.audio.paused, track = tracks[index];
  player.problem.hidden = true;
  player.audio.src = track.sound;
  seek(player, time_s);
  player.mel.src = track.spectrogram;
  drawWave(player, track);
  drawCurves(player, track.curves);
  player.versions.querySelectorAll("input").forEach((input, i) => { input.checked = i === index; });
  if (playing) player.audio.play();
}

function drawVersions(player, tracks) {
  player.versions.hidden = tracks.length < 2;
  player.versions.replaceChildren(...tracks.map((track, index) => {
    const label = document.createElement("label"), input = document.createElement("input");
    input.type = "radio";
    input.name = "version";
    input.onchange = () => choose(player, tracks, index, player.audio.currentTime);
    label.append(input, track.name);
    return label;
  }));
}

function drawWave(player, { envelope: { low, high }, peak }) {
  player.peak.textContent = peak;
  const forth = high.map((value, i) => `${i},${-value}`), back = low.map((value, i) => `${i},${-value}`).reverse();
  player.wave.setAttribute("viewBox", `0 -100 ${Math.max(high.length - 1, 1)} 200`);
  player.wave.firstElementChild.setAttribute("points", forth.concat(back).join(" "));
}

function drawCurves(player, curves) {
  player.drawn.hidden = !curves;
  for (const name of ["pitch", "level"]) player.curves.querySelector(`.${name}`).setAttribute("d", curves?.[name] ?? "");
  drawMarks(player.pitches, curves?.marks.map(([text, height]) => ({ text, height })) ?? []);
  showCurves(player);
}

function showCurves(player) {
  const shown = player.curved.checked && !player.drawn.hidden;
  player.curves.toggleAttribute("hidden", !shown);
  player.pitches.hidden = !shown;
}

function showSpeech(player, { id, speech }) { // once per sound; a long one is shown before its speech is detected
  if (!speech || player.speechKnown || id !== player.id) return;
  player.speechKnown = true;
  player.speech.replaceChildren(...speech.map(([start_s, end_s]) => {
    const bar = document.createElement("i");
    bar.style.left = `${(start_s / player.duration) * 100}%`;
    bar.style.width = `${((end_s - start_s) / player.duration) * 100}%`;
    return bar;
  }));
}

function drawMarks(axis, marks) {
  axis.replaceChildren(...marks.map(({ text, height }) => {
    const mark = document.createElement("span");
    mark.textContent = text;
    mark.style.bottom = `${height * 100}%`;
    return mark;
  }));
}

function drawCells(player, data) {
  player.cellsId = data.cells_id;
  player.cells = data.cells;
  player.lane.toggleAttribute("hidden", !data.cells.length);
  player.names.hidden = !data.cells.length;
  player.lane.setAttribute("viewBox", `0 0 ${player.duration} 1`);
  player.lane.replaceChildren(...data.cells.map((cell) => {
    const box = document.createElementNS(SVG, "rect");
    box.setAttribute("x", cell.start_s);
    box.setAttribute("width", cell.end_s - cell.start_s);
    box.setAttribute("height", 1);
    box.setAttribute("fill", cell.colour);
    box.setAttribute("fill-opacity", cell.opacity);
    return box;
  }));
  player.runs = runs(data.cells);
  drawNames(player);
  showTime(player);
}

function runs(cells) {
  const merged = [];
  for (const cell of cells) {
    const last = merged.at(-1);
    if (last && last.name === cell.name) last.end_s = cell.end_s;
    else merged.push({ ...cell });
  }
  return merged;
}

function drawNames(player) {
  const pixelsPerSecond = player.stage.clientWidth / player.duration;
  player.names.replaceChildren(...player.runs.flatMap(({ start_s, end_s, symbol, name }) => {
    const room = (end_s - start_s) * pixelsPerSecond;
    const text = [`${symbol} ${name}`, symbol].find((words) => words && room > words.length * LETTER_PIXELS + 6);
    if (!text) return [];
    const label = document.createElement("span");
    label.textContent = text;
    label.style.left = `${start_s * pixelsPerSecond}px`;
    return [label];
  }));
}

function drawTicks(player) {
  const most = Math.max(2, player.stage.clientWidth / PIXELS_PER_TICK);
  const step = TICK_STEPS_S.find((step_s) => player.duration / step_s <= most) ?? TICK_STEPS_S.at(-1);
  const marks = [];
  for (let k = 0; k * step <= player.duration; k += 1) {
    const mark = document.createElement("span");
    mark.textContent = clock(k * step, step);
    mark.style.left = `${((k * step) / player.duration) * 100}%`;
    if ((k * step) / player.duration < 0.96) marks.push(mark);
  }
  player.ticks.replaceChildren(...marks);
}

function timeAt(player, event) {
  const box = player.stage.getBoundingClientRect();
  return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * player.duration;
}

function seek(player, time_s) {
  player.wanted_s = Math.min(Math.max(time_s, 0), Math.max(player.duration - 0.01, 0));
  player.audio.currentTime = player.wanted_s;
  showTime(player);
}

function toggle(player) {
  if (player.audio.paused) player.audio.play().catch(() => { player.problem.hidden = false; });
  else player.audio.pause();
}

function onKey(player, event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return; // of the browser: Alt and left is Back
  const now = player.audio.currentTime, step = Math.max(0.1, player.duration / 100);
  const moves = { ArrowLeft: now - step, ArrowDown: now - step, ArrowRight: now + step, ArrowUp: now + step,
    PageDown: now - 10 * step, PageUp: now + 10 * step, Home: 0, End: player.duration };
  if (event.key in moves) seek(player, moves[event.key]);
  else if (event.key === " " || event.key === "Enter") toggle(player);
  else if (!onLoopKey(player, event.key)) return;
  event.preventDefault();
}

function follow(player) {
  stopAtEnd(player);
  repeat(player);
  showTime(player);
  if (!player.audio.paused) requestAnimationFrame(() => follow(player));
}

function showPlaying(player) {
  const playing = !player.audio.paused && !player.audio.ended;
  player.play.setAttribute("aria-label", playing ? "Pause" : "Play");
  player.play.classList.toggle("playing", playing);
}

function showTime(player) {
  const now = Math.min(player.audio.currentTime, player.duration);
  const cell = player.cells.find((c) => c.start_s <= now && now < c.end_s) ?? player.cells.at(-1);
  const predicted = cell && cell.symbol ? cell.text : ""; // no symbol: no speech, or not analysed
  player.cursor.style.left = `${(now / player.duration) * 100}%`;
  player.time.textContent = `${clock(now, 0.1)} / ${clock(player.duration, 0.1)}`;
  player.predicted.textContent = predicted;
  player.stage.setAttribute("aria-valuenow", now.toFixed(1));
  player.stage.setAttribute("aria-valuetext", `${now.toFixed(1)} s of ${player.duration.toFixed(1)} s ${predicted}`);
  sayTime(player, now);
}

function clock(time_s, resolution_s) {
  const tenths = Math.round(time_s * 10), minutes = Math.floor(tenths / 600), rest = (tenths - minutes * 600) / 10;
  const text = resolution_s < 1 ? rest.toFixed(1) : String(Math.floor(rest));
  return `${minutes}:${Math.floor(rest) < 10 ? "0" : ""}${text}`;
}
