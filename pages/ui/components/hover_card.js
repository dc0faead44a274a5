// A card beside the pointer with text and spectrogram of the point under it. Texts are read when the pointer first comes
// to the plot; Python makes a picture when it is first wanted.

const cards = new WeakMap();
const PAUSE_MS = 90; // a pointer that only passes asks for nothing
const GAP = 18; // pixels between the pointer and the card

export default function ({ data, parentElement, setTriggerValue }) {
  if (!cards.has(parentElement)) cards.set(parentElement, build(parentElement));
  const card = cards.get(parentElement);
  card.plot = data.plot;
  card.ask = (row) => setTriggerValue("hover", row);
  if (card.url !== data.texts) [card.url, card.texts] = [data.texts, null];
  if (data.row !== null) receive(card, data.row, data.picture);
  return () => {
    card.close();
    cards.delete(parentElement);
  };
}

function build(parentElement) {
  const [box, text, image] = [".card", ".card p", ".card img"].map((one) => parentElement.querySelector(one));
  const card = { box, text, image, pictures: new Map(), row: null, timer: 0 };
  const onOver = ({ target, pointerType }) => {
    card.finger = pointerType === "touch"; // which opens the panel instead
    const plot = target.closest?.(`[class*="st-key-${card.plot}"] .js-plotly-plot`);
    if (!plot && !card.box.hidden) leave(card); // a plot that was drawn again does not say so
    if (!plot) return;
    if (card.url && !card.texts) card.texts = unpacked(card.url);
    if (plot.serHover === card) return;
    plot.serHover = card;
    plot.on("plotly_hover", ({ points }) => plot.serHover === card && hover(card, points[0]));
    plot.on("plotly_unhover", () => leave(card));
  };
  const onMove = ({ clientX, clientY }) => { card.at = [clientX, clientY]; }; // a plot in 3-D does not say where
  document.addEventListener("pointerover", onOver); // the plot is drawn later than this, and may be drawn again
  document.addEventListener("pointermove", onMove, { capture: true, passive: true });
  card.close = () => {
    leave(card);
    document.removeEventListener("pointerover", onOver);
    document.removeEventListener("pointermove", onMove, { capture: true });
  };
  return card;
}

async function unpacked(url) {
  try {
    const file = (await fetch(url)).body.pipeThrough(new DecompressionStream("gzip"));
    return await new Response(file).json();
  } catch {
    return null; // the server has ended: the spectrogram will not come either
  }
}

async function hover(card, point) {
  const row = point.customdata;
  if (!Number.isInteger(row) || card.finger) return leave(card);
  clearTimeout(card.timer);
  card.row = row;
  if (!card.pictures.has(row)) card.timer = setTimeout(() => card.ask(row), PAUSE_MS);
  const texts = await card.texts;
  if (card.row !== row) return; // the pointer has gone on
  card.text.textContent = texts?.[row] ?? "";
  show(card);
}

function leave(card) {
  clearTimeout(card.timer);
  card.row = null;
  card.box.hidden = true;
}

function receive(card, row, picture) {
  card.pictures.set(row, picture);
  if (row === card.row) show(card);
}

function show(card) { // below the pointer, or above it: the text of the plot itself is beside it
  const picture = card.pictures.get(card.row), [x, y] = card.at, { box, image } = card;
  image.hidden = !picture;
  if (picture) image.src = `data:image/png;base64,${picture}`;
  box.hidden = !picture && !card.text.textContent;
  const { width, height } = box.getBoundingClientRect();
  box.style.left = `${Math.min(Math.max(x - width / 2, 4), innerWidth - width - 4)}px`;
  box.style.top = `${y + GAP + height < innerHeight ? y + GAP : y - GAP - height}px`;
}
