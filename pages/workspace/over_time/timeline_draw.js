// Second part of the timeline: the drawing. What is averaged grows with the visible span, so that an hour is readable.

const STRIP = 28, LANE = 21, CURVES = 64, ROW = 24, TICKS = 18, GAP = 6, OVERVIEW = 30; // heights in pixels
const AVERAGED_PIXELS = 8;
const READABLE_BLOCK_PIXELS = 7; // narrower segments are drawn as the prevalent emotion of each pixel
const TICK_PIXELS = 76;
const TICK_STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800];
const NOT_SURE = "#8A8F98";

function drawTimeline(timeline) {
  const { detail, data } = timeline, width = detail.clientWidth;
  if (!width || !data) return;
  const theme = getComputedStyle(detail), colour = (name) => theme.getPropertyValue(`--st-${name}`).trim();
  const colours = { text: colour("text-color"), back: colour("background-color"), panel: colour("secondary-background-color"), line: colour("border-color"), primary: colour("primary-color") };
  timeline.layout = layOut(timeline);
  const last = timeline.layout.at(-1);
  const context = sized(detail, width, last.y + last.height);
  context.font = `600 11px ${theme.fontFamily}`;
  context.textBaseline = "middle";
  const columns = averages(timeline, width);
  for (const row of timeline.layout) DRAWN[row.kind](context, timeline, row, width, columns, colours);
  veilSilence(context, timeline, width, colours);
  drawMarks(context, timeline, width, last.y, colours);
  drawOverview(timeline, colours);
  timeline.readout.textContent = readout(timeline);
}

function layOut({ rows, data }) {
  const wanted = [{ kind: "strip", height: STRIP, segments: null }];
  wanted.push(...rows.map(({ title, segments }) => ({ kind: "row", height: ROW, title, segments })));
  wanted.push({ kind: "gap", height: GAP }, ...data.labels.map((label, k) => ({ kind: "lane", height: LANE, label, k })));
  wanted.push({ kind: "gap", height: GAP }, { kind: "curves", height: CURVES }, { kind: "ticks", height: TICKS });
  let y = 0;
  return wanted.map((row) => { y += row.height; return { ...row, y: y - row.height }; });
}

function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return context;
}

function averages(timeline, width, from = timeline.from, to = timeline.to) { // for each pixel: probabilities, or null
  const step_s = (to - from) / width, half_s = (AVERAGED_PIXELS / 2) * step_s, n = timeline.data.labels.length;
  return Array.from({ length: width }, (_, x) => {
    const means = new Float32Array(n), middle_s = from + (x + 0.5) * step_s;
    return meansAt(timeline, middle_s - half_s, middle_s + half_s, means) ? means : null;
  });
}

const DRAWN = {
  gap() {},
  strip(context, timeline, { y, height }, width, columns, colours) {
    context.fillStyle = colours.panel;
    context.fillRect(0, y, width, height - 3);
    if (meanPixels(timeline, width) < READABLE_BLOCK_PIXELS) drawPrevalent(context, timeline.data, columns, y, height - 3);
    else drawBlocks(context, timeline, timeline.segments, y, height - 3, width, colours);
  },
  row(context, timeline, { y, height, segments, title }, width, columns, colours) {
    context.fillStyle = colours.panel;
    context.fillRect(0, y, width, height - 3);
    drawBlocks(context, timeline, segments, y, height - 3, width, colours, context.measureText(title).width + 12);
    if (title) tag(context, title, y + (height - 3) / 2, colours);
  },
  lane(context, timeline, { y, height, label, k }, width, columns, colours) {
    const high = height - 2;
    context.fillStyle = colours.panel;
    context.fillRect(0, y, width, high);
    context.fillStyle = label.colour;
    columns.forEach((means, x) => { if (means) context.fillRect(x, y + high * (1 - means[k]), 1, high * means[k]); });
  },
  curves(context, timeline, { y, height }, width, columns, colours) {
    const { labels } = timeline.data, middle = y + height / 2, high = height / 2 - 4;
    context.fillStyle = colours.panel;
    context.fillRect(0, y, width, height - 2);
    context.strokeStyle = colours.line;
    context.strokeRect(0, middle, width, 0.01);
    drawCurve(context, columns, (means) => middle - high * labels.reduce((sum, label, k) => sum + means[k] * label.arousal, 0), colours.text, []);
    drawCurve(context, columns, (means) => middle - high * labels.reduce((sum, label, k) => sum + means[k] * label.valence, 0), colours.text, [5, 4]);
  },
  ticks(context, timeline, { y, height }, width, columns, colours) {
    const span = timeline.to - timeline.from;
    const step = TICK_STEPS.find((step_s) => span / step_s <= width / TICK_PIXELS) ?? TICK_STEPS.at(-1);
    context.fillStyle = colours.text;
    context.strokeStyle = colours.line;
    for (let k = Math.ceil(timeline.from / step - 1e-6); k * step <= timeline.to; k += 1) {
      const x = ((k * step - timeline.from) / span) * width;
      context.fillRect(x, y, 1, 5);
      if (x < width - 36) context.fillText(clockText(k * step), x + 4, y + height / 2 + 1);
    }
  },
};

function meanPixels({ segments, from, to }, width) {
  const seen = segments.filter(({ label, start_s, end_s }) => label !== null && end_s > from && start_s < to);
  return seen.length ? ((seen.at(-1).end_s - seen[0].start_s) / seen.length / (to - from)) * width : Infinity;
}

function drawPrevalent(context, { labels, min_confidence }, columns, y, height) {
  columns.forEach((means, x) => {
    if (!means) return;
    const k = means.indexOf(Math.max(...means));
    context.fillStyle = labels[k].colour;
    context.globalAlpha = means[k] < min_confidence ? 0.3 : 0.3 + 0.7 * means[k];
    context.fillRect(x, y, 1, height);
  });
  context.globalAlpha = 1;
}

function drawBlocks(context, { data, from, to, playable, chosen }, segments, y, height, width, colours, inset = 0) { // inset: of the words, in pixels
  const place = (time_s) => ((time_s - from) / (to - from)) * width;
  for (const segment of segments) {
    const left = Math.max(place(segment.start_s), -2), right = Math.min(place(segment.end_s), width + 2);
    if (segment.label === null || right < 0 || left > width) continue;
    const label = data.labels[segment.label];
    context.fillStyle = label?.colour ?? NOT_SURE;
    context.globalAlpha = label ? 0.35 + 0.65 * segment.confidence : 0.3;
    context.fillRect(left + 0.5, y, Math.max(right - left - 1, 1), height);
    context.globalAlpha = 1;
    const words = [segment.text, label ? `${label.symbol} ${label.name}` : "not sure", label?.symbol ?? "?"];
    const from_x = Math.max(left, inset), shown = words.find((text) => context.measureText(text).width + 8 < right - from_x);
    if (shown) halo(context, shown, from_x + 5, y + height / 2, colours);
    if (playable[chosen] === segment) {
      context.strokeStyle = colours.text;
      context.lineWidth = 2;
      context.strokeRect(left + 1, y + 1, Math.max(right - left - 2, 1), height - 2);
      context.lineWidth = 1;
    }
  }
}

function drawCurve(context, columns, height, colour, dashes) {
  context.strokeStyle = colour;
  context.lineWidth = 1.6;
  context.setLineDash(dashes);
  context.beginPath();
  let broken = true;
  columns.forEach((means, x) => {
    if (means && broken) context.moveTo(x, height(means));
    else if (means) context.lineTo(x, height(means));
    broken = !means;
  });
  context.stroke();
  context.setLineDash([]);
  context.lineWidth = 1;
}

function tag(context, text, y, colours) { // a name at the left edge, readable over any colour
  context.fillStyle = colours.back;
  context.globalAlpha = 0.8;
  context.fillRect(2, y - 8, context.measureText(text).width + 8, 16);
  context.globalAlpha = 1;
  context.fillStyle = colours.text;
  context.fillText(text, 6, y + 0.5);
}

function scaleMark(context, value, y, width, colours) { // at the right edge
  const text = `${value}`.replace("-", "−");
  halo(context, text, width - context.measureText(text).width - 4, y, colours);
}

function halo(context, text, x, y, colours) {
  context.strokeStyle = colours.back;
  context.lineWidth = 3;
  context.lineJoin = "round";
  context.strokeText(text, x, y + 0.5);
  context.lineWidth = 1;
  context.fillStyle = colours.text;
  context.fillText(text, x, y + 0.5);
}

function veilSilence(context, { from, to, segments, layout, data }, width, colours) { // windows reach into pauses
  const place = (time_s) => ((time_s - from) / (to - from)) * width, lanes = layout.filter(({ kind }) => ["lane", "curves"].includes(kind));
  context.fillStyle = colours.panel;
  context.globalAlpha = 0.8;
  for (const { start_s, end_s, label } of segments) {
    const left = place(start_s), right = place(Math.min(end_s, data.until_s));
    if (label !== null || right - left < 4 || right < 0 || left > width) continue;
    for (const { y, height } of lanes) context.fillRect(left, y, right - left, height - 2);
  }
  context.globalAlpha = 1;
  for (const { kind, y, height, label } of lanes) {
    if (kind === "lane") tag(context, `${label.symbol} ${label.name}`, y + (height - 2) / 2, colours);
    else {
      tag(context, "arousal ──", y + 10, colours);
      tag(context, "valence ╌╌", y + height - 13, colours);
      for (const value of [1, 0, -1]) scaleMark(context, value, y + height / 2 - value * (height / 2 - 9), width, colours);
    }
  }
}

function drawMarks(context, { from, to, cursor_s, hover_s, data, segments }, width, bottom, colours) {
  const place = (time_s) => ((time_s - from) / (to - from)) * width, rest = segments.at(-1);
  if (data.until_s < data.duration_s && rest) {
    context.fillStyle = colours.text;
    if (place(data.until_s) < width - 90) context.fillText("not analysed yet", Math.max(place(data.until_s) + 8, 90), STRIP / 2);
  }
  for (const [time_s, alpha, thick] of [[hover_s, 0.5, 1], [cursor_s, 1, 2]]) {
    if (time_s === null || time_s < from || time_s > to) continue;
    context.globalAlpha = alpha;
    context.fillStyle = colours.text;
    context.fillRect(place(time_s) - thick / 2, 0, thick, bottom);
  }
  context.globalAlpha = 1;
}

function drawOverview(timeline, colours) {
  const { overview, duration, from, to, cursor_s } = timeline, width = overview.clientWidth;
  if (overview.hidden || !width) return;
  const context = sized(overview, width, OVERVIEW), place = (time_s) => (time_s / duration) * width;
  context.fillStyle = colours.panel;
  context.fillRect(0, 0, width, OVERVIEW);
  if (timeline.overviewStrip?.length !== width) timeline.overviewStrip = averages(timeline, width, 0, duration);
  drawPrevalent(context, timeline.data, timeline.overviewStrip, 4, OVERVIEW - 8);
  context.fillStyle = colours.panel;
  for (const { start_s, end_s, label } of timeline.segments) {
    if (label === null && place(end_s - start_s) >= 2) context.fillRect(place(start_s), 0, place(end_s - start_s), OVERVIEW);
  }
  if (to - from < duration) {
    context.globalAlpha = 0.65;
    context.fillStyle = colours.back;
    context.fillRect(0, 0, place(from), OVERVIEW);
    context.fillRect(place(to), 0, width - place(to), OVERVIEW);
    context.globalAlpha = 1;
    context.strokeStyle = colours.text;
    context.lineWidth = 2;
    context.strokeRect(Math.max(place(from), 1), 1, Math.max(Math.min(place(to), width - 1) - Math.max(place(from), 1), 3), OVERVIEW - 2);
  }
  context.fillStyle = colours.text;
  if (cursor_s !== null) context.fillRect(place(cursor_s) - 1, 0, 2, OVERVIEW);
}

function readout(timeline) {
  const { data, hover_s, cursor_s, from, to, detail } = timeline, time_s = hover_s ?? cursor_s;
  if (!time_s) return matchMedia("(hover: none)").matches ? data.touch_hint : data.hint;
  const half_s = ((AVERAGED_PIXELS / 2) * (to - from)) / detail.clientWidth, means = new Float32Array(data.labels.length);
  if (!meansAt(timeline, time_s - half_s, time_s + half_s, means)) return `${clockText(time_s)} no speech`;
  const ranked = [...means.keys()].sort((one, other) => means[other] - means[one]).slice(0, 2);
  const words = ranked.map((k) => `${data.labels[k].symbol} ${data.labels[k].name} ${Math.round(100 * means[k])}%`);
  return `${clockText(time_s)} ${words.join(", ")}`;
}
