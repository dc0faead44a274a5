// The timeline: lanes of emotions over the visible span, an overview of the recording, a click plays a segment.
// timeline_draw.js and timeline_pointer.js follow in the same module.

const timelines = new WeakMap();
const SHORTEST_VIEW_S = 1;
const ZOOM_STEP = 1.6;
const OVERVIEW_FROM_S = 20; // a shorter recording is seen at a glance

export default function ({ data, parentElement }) {
  if (!timelines.has(parentElement)) timelines.set(parentElement, build(parentElement));
  const timeline = timelines.get(parentElement);
  if (timeline.id !== data.id) load(timeline, data);
  return () => {
    timeline.close();
    timelines.delete(parentElement);
  };
}

function build(parentElement) {
  const timeline = { id: null, clip: null, duration: 0, from: 0, to: 1, hover_s: null, cursor_s: null, chosen: -1, frame: 0 };
  for (const name of ["readout", "span", "out", "in", "all", "detail", "overview"]) {
    timeline[name] = parentElement.querySelector(`.${name}`);
  }
  timeline.out.onclick = () => zoom(timeline, 1 / ZOOM_STEP);
  timeline.in.onclick = () => zoom(timeline, ZOOM_STEP);
  timeline.all.onclick = () => show(timeline, 0, timeline.duration);
  timeline.detail.onkeydown = (event) => onTimelineKey(timeline, event);
  listenToDetail(timeline);
  listenToOverview(timeline);
  const onTime = ({ detail }) => follow(timeline, detail);
  window.addEventListener("ser:time", onTime);
  const resize = new ResizeObserver(() => redraw(timeline));
  resize.observe(timeline.detail);
  timeline.close = () => {
    window.removeEventListener("ser:time", onTime);
    resize.disconnect();
    cancelAnimationFrame(timeline.frame);
  };
  return timeline;
}

function load(timeline, data) {
  const isNew = timeline.clip !== data.clip, n = data.labels.length;
  Object.assign(timeline, { id: data.id, clip: data.clip, duration: data.duration_s, data });
  timeline.edges = new Float32Array(bytes(data.edges).buffer);
  timeline.sums = integrals(timeline.edges, bytes(data.values), bytes(data.speaks), n);
  timeline.segments = data.segments.map(unpack);
  timeline.rows = data.rows.map(({ title, segments }) => ({ title, segments: segments.map(unpack) }));
  const units = timeline.rows.slice(0, data.n_units).flatMap(({ segments }) => segments);
  timeline.playable = (data.n_units ? units : timeline.segments)
    .filter(({ label }) => label !== null).sort((one, other) => one.start_s - other.start_s);
  timeline.overviewStrip = null;
  timeline.detail.setAttribute("aria-valuemax", Math.max(timeline.playable.length - 1, 0));
  timeline.detail.setAttribute("aria-description", data.description);
  if (isNew) Object.assign(timeline, { chosen: -1, cursor_s: null, hover_s: null });
  if (timeline.chosen >= timeline.playable.length) timeline.chosen = -1;
  describeChosen(timeline);
  if (isNew) show(timeline, 0, timeline.duration);
  else redraw(timeline);
}

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function unpack([start_s, end_s, label, confidence, text]) { // label: an index, -1 for "not sure", null for no speech
  return { start_s, end_s, label, confidence, text };
}

function integrals(edges, values, speaks, n) { // of each probability and of the speech over time, from the beginning
  const sums = Array.from({ length: n + 1 }, () => new Float64Array(edges.length));
  for (let i = 0; i + 1 < edges.length; i += 1) {
    const lasts_s = (edges[i + 1] - edges[i]) * speaks[i];
    for (let k = 0; k < n; k += 1) sums[k][i + 1] = sums[k][i] + (values[i * n + k] / 255) * lasts_s;
    sums[n][i + 1] = sums[n][i] + lasts_s;
  }
  return sums;
}

function meansAt({ edges, sums }, from_s, to_s, means) { // probabilities over a span; false where too little is speech
  const one = place(edges, from_s), other = place(edges, to_s), n = sums.length - 1;
  const speech_s = at(sums[n], other) - at(sums[n], one);
  if (!(speech_s > 0.1 * (to_s - from_s))) return false;
  for (let k = 0; k < n; k += 1) means[k] = (at(sums[k], other) - at(sums[k], one)) / speech_s;
  return true;
}

function place(edges, time_s) { // a fractional index into the edges
  let low = 0, high = edges.length - 1;
  if (time_s <= edges[low]) return 0;
  if (time_s >= edges[high]) return high;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (edges[middle] <= time_s) low = middle;
    else high = middle;
  }
  return low + (time_s - edges[low]) / (edges[high] - edges[low]);
}

function at(values, index) {
  const low = Math.floor(index), part = index - low;
  return part ? values[low] * (1 - part) + values[low + 1] * part : values[low];
}

function show(timeline, from_s, to_s) {
  const length = Math.min(Math.max(to_s - from_s, Math.min(SHORTEST_VIEW_S, timeline.duration)), timeline.duration);
  timeline.from = Math.min(Math.max(from_s, 0), timeline.duration - length);
  timeline.to = timeline.from + length;
  const all = length >= timeline.duration;
  timeline.out.ariaDisabled = timeline.all.ariaDisabled = all ? "true" : null; // a disabled button loses the focus
  timeline.in.ariaDisabled = length <= SHORTEST_VIEW_S ? "true" : null;
  timeline.overview.hidden = all || timeline.duration < OVERVIEW_FROM_S; // of all, it would repeat the first strip
  timeline.span.textContent = all ? "" : `${clockText(timeline.from)} to ${clockText(timeline.to)}`;
  redraw(timeline);
}

function zoom(timeline, factor, around_s = (timeline.from + timeline.to) / 2) {
  const share = (around_s - timeline.from) / (timeline.to - timeline.from);
  const length = Math.min(Math.max((timeline.to - timeline.from) / factor, SHORTEST_VIEW_S), timeline.duration);
  show(timeline, around_s - share * length, around_s + (1 - share) * length);
}

function redraw(timeline) {
  cancelAnimationFrame(timeline.frame);
  timeline.frame = requestAnimationFrame(() => drawTimeline(timeline));
}

function follow(timeline, { time_s, playing }) { // the player
  timeline.cursor_s = time_s;
  const length = timeline.to - timeline.from;
  if (playing && (time_s < timeline.from || time_s > timeline.to)) show(timeline, time_s - 0.1 * length, time_s + 0.9 * length);
  redraw(timeline);
}

function play(timeline, start_s, end_s) {
  window.dispatchEvent(new CustomEvent("ser:play", { detail: { start_s, end_s } }));
}

function choose(timeline, index) {
  const segment = timeline.playable[index];
  if (!segment) return;
  timeline.chosen = index;
  const length = timeline.to - timeline.from;
  if (segment.end_s < timeline.from || segment.start_s > timeline.to) show(timeline, segment.start_s - length / 3, segment.start_s + (2 * length) / 3);
  describeChosen(timeline);
  play(timeline, segment.start_s, segment.end_s);
  redraw(timeline);
}

function describeChosen({ detail, playable, chosen }) {
  const segment = playable[chosen];
  detail.setAttribute("aria-valuenow", Math.max(chosen, 0));
  detail.setAttribute("aria-valuetext", segment
    ? `${clockText(segment.start_s)} to ${clockText(segment.end_s)}, ${segment.text}` : `${playable.length} segments`);
}

function onTimelineKey(timeline, event) {
  const { chosen, playable } = timeline, last = playable.length - 1;
  const moves = { ArrowRight: Math.min(chosen + 1, last), ArrowLeft: Math.max(chosen - 1, 0), Home: 0, End: last, Enter: Math.max(chosen, 0), " ": Math.max(chosen, 0) };
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in moves) choose(timeline, moves[event.key]);
  else if (event.key === "+" || event.key === "=") zoom(timeline, ZOOM_STEP);
  else if (event.key === "-") zoom(timeline, 1 / ZOOM_STEP);
  else if (event.key === "0") show(timeline, 0, timeline.duration);
  else return;
  event.preventDefault();
}

function clockText(time_s) {
  const tenths = Math.round(time_s * 10), seconds = Math.floor(tenths / 10) % 60, minutes = Math.floor(tenths / 600) % 60;
  const hours = Math.floor(tenths / 36000), two = (n) => String(n).padStart(2, "0");
  return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(seconds)}${tenths % 10 ? `.${tenths % 10}` : ""}`;
}
