// The plane of arousal and valence on the live page: where the latest predictions lie. Part of one script with live.js.

const TRACE_LENGTH = 40; // 10 s
const trace = []; // of { place, answer }

function addPlace({ place, answer }) {
  if (place) trace.push({ place, answer });
  else trace.shift(); // fades while nobody speaks
  if (trace.length > TRACE_LENGTH) trace.shift();
  drawPlane(trace.at(-1));
}

function drawPlane(latest) {
  const canvas = find(".plane"), scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  const at = ([arousal, valence]) => [(0.5 + 0.44 * valence) * width, (0.5 - 0.44 * arousal) * height];
  const text = getComputedStyle(canvas).color;
  drawAxes(context, width, height, text);
  for (const [name, place] of Object.entries(props.places)) drawName(context, name, at(place), text);
  trace.forEach(({ place, answer }, i) => drawPoint(context, at(place), answer, (i + 1) / trace.length / 2, 4));
  if (latest) drawPoint(context, at(latest.place), latest.answer, 1, 9);
}

function drawAxes(context, width, height, colour) {
  context.strokeStyle = colour;
  context.globalAlpha = 0.25;
  context.beginPath();
  context.moveTo(0, height / 2);
  context.lineTo(width, height / 2);
  context.moveTo(width / 2, 0);
  context.lineTo(width / 2, height);
  context.stroke();
  context.globalAlpha = 1;
}

function drawName(context, name, [x, y], colour) {
  context.fillStyle = colour;
  context.font = "12px sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(`${props.styles[name].symbol} ${name}`, x, y);
}

function drawPoint(context, [x, y], answer, alpha, radius) {
  context.globalAlpha = alpha;
  context.fillStyle = props.styles[answer]?.colour ?? "#8A8F98";
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
  context.globalAlpha = 1;
}
