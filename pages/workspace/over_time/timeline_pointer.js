// Third part of the timeline: a click plays, a drag moves, the wheel and two fingers zoom.

const CLICK_PIXELS = 5;
const HANDLE_PIXELS = 10;

function listenToDetail(timeline) {
  const { detail } = timeline, fingers = new Map();
  let pressed = null; // { x, from, dragged }
  const time = (x) => timeline.from + (x / detail.clientWidth) * (timeline.to - timeline.from);
  detail.onpointerdown = (event) => {
    if (event.button !== 0) return;
    detail.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event.offsetX);
    pressed = { x: event.offsetX, from: timeline.from, dragged: fingers.size > 1 };
  };
  detail.onpointermove = (event) => {
    timeline.hover_s = time(event.offsetX);
    if (fingers.size === 2 && fingers.has(event.pointerId)) pinch(timeline, fingers, event);
    else if (pressed) drag(timeline, pressed, event.offsetX);
    detail.classList.toggle("dragged", Boolean(pressed?.dragged));
    redraw(timeline);
  };
  detail.onpointerup = (event) => {
    if (pressed && !pressed.dragged) clickAt(timeline, time(event.offsetX), event.offsetY);
    detail.onpointercancel(event);
  };
  detail.onpointercancel = (event) => {
    fingers.delete(event.pointerId);
    pressed = null;
    detail.classList.remove("dragged");
  };
  detail.onpointerleave = () => { timeline.hover_s = null; redraw(timeline); };
  detail.addEventListener("wheel", (event) => onWheel(timeline, event, time(event.offsetX)), { passive: false });
}

function drag(timeline, pressed, x) {
  pressed.dragged ||= Math.abs(x - pressed.x) > CLICK_PIXELS;
  const length = timeline.to - timeline.from;
  const from = pressed.from - ((x - pressed.x) / timeline.detail.clientWidth) * length;
  if (pressed.dragged) show(timeline, from, from + length);
}

function pinch(timeline, fingers, event) {
  const spread = () => { const [one, other] = [...fingers.values()]; return Math.max(Math.abs(one - other), 1); };
  const before = spread();
  fingers.set(event.pointerId, event.offsetX);
  zoom(timeline, spread() / before);
}

function onWheel(timeline, event, time_s) { // the page scrolls unless the timeline was clicked, or Ctrl is held
  const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
  if (!sideways && !event.ctrlKey && timeline.detail.getRootNode().activeElement !== timeline.detail) return;
  event.preventDefault();
  const length = timeline.to - timeline.from, moved = event.deltaX || event.deltaY;
  if (sideways) show(timeline, timeline.from + (moved / timeline.detail.clientWidth) * length, timeline.to + (moved / timeline.detail.clientWidth) * length);
  else zoom(timeline, Math.exp(-event.deltaY / 300), time_s);
}

function clickAt(timeline, time_s, y) {
  const row = timeline.layout?.find((one) => one.segments && y >= one.y && y < one.y + one.height);
  const inside = (segment) => segment.start_s <= time_s && time_s < segment.end_s;
  const segment = row?.segments.find(inside) ?? timeline.playable.find(inside);
  const index = timeline.playable.indexOf(segment);
  if (index >= 0) choose(timeline, index);
  else if (segment) play(timeline, segment.start_s, segment.end_s);
  else play(timeline, time_s);
}

function listenToOverview(timeline) {
  const { overview } = timeline;
  let moved = null; // which part of the view follows the pointer, and how far off it is
  const time = (event) => (event.offsetX / overview.clientWidth) * timeline.duration;
  overview.onpointerdown = (event) => {
    if (event.button !== 0) return;
    overview.setPointerCapture(event.pointerId);
    const { from, to, duration } = timeline, near_s = (HANDLE_PIXELS / overview.clientWidth) * duration, now = time(event);
    const part = Math.abs(now - from) < near_s ? "from" : Math.abs(now - to) < near_s ? "to" : "both";
    moved = { part, offset: from <= now && now <= to ? now - from : (to - from) / 2 };
    overview.onpointermove(event);
  };
  overview.onpointermove = (event) => {
    if (!moved) return;
    const now = time(event), { from, to } = timeline;
    if (moved.part === "from") show(timeline, Math.min(now, to - SHORTEST_VIEW_S), to);
    else if (moved.part === "to") show(timeline, from, Math.max(now, from + SHORTEST_VIEW_S));
    else show(timeline, now - moved.offset, now - moved.offset + to - from);
  };
  overview.onpointerup = overview.onpointercancel = () => { moved = null; };
}
