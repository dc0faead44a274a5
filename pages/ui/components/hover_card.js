// A card beside the pointer with the spectrogram of the point under it. Python makes a picture when it is first wanted.

const cards = new WeakMap();
const PAUSE_MS = 90; // a pointer that only passes asks for nothing
const GAP = 18; // pixels between the pointer and the card

export default function ({ data, parentElement, setTriggerValue }) {
  if (!cards.has(parentElement)) cards.set(parentElement, build(parentElement));
  const card = cards.get(parentElement);
  card.plot = data.plot;
  card.ask = (row) => setTriggerValue("hover", row);
  if (data.row !== null) receive(card, data.row, data.picture);
  return () => {
    card.close();
    cards.delete(parentElement);
  };
}

function build(parentElement) {
  const image = parentElement.querySelector("img");
  const card = { image, pictures: new Map(), row: null, timer: 0 };
  const onOver = ({ target, pointerType }) => {
    card.finger = pointerType === "touch"; // which opens the panel instead
    const plot = target.closest?.(`[class*="st-key-${card.plot}"] .js-plotly-plot`);
    if (!plot && !card.image.hidden) leave(card); // a plot that was drawn again does not say so
    if (!plot || plot.serHover === card) return;
    plot.serHover = card;
    plot.on("plotly_hover", ({ points, event }) => plot.serHover === card && hover(card, points[0], event));
    plot.on("plotly_unhover", () => leave(card));
  };
  document.addEventListener("pointerover", onOver); // the plot is drawn later than this, and may be drawn again
  card.close = () => {
    leave(card);
    document.removeEventListener("pointerover", onOver);
  };
  return card;
}

function hover(card, point, event) {
  const row = point.customdata;
  if (!Number.isInteger(row) || card.finger) return leave(card);
  clearTimeout(card.timer);
  card.row = row;
  card.at = [event.clientX, event.clientY];
  if (card.pictures.has(row)) show(card);
  else {
    card.image.hidden = true;
    card.timer = setTimeout(() => card.ask(row), PAUSE_MS);
  }
}

function leave(card) {
  clearTimeout(card.timer);
  card.row = null;
  card.image.hidden = true;
}

function receive(card, row, picture) {
  card.pictures.set(row, picture);
  if (row === card.row) show(card);
}

function show(card) { // below the pointer, or above it: the text of the point is beside it
  const picture = card.pictures.get(card.row), [x, y] = card.at, { image } = card;
  image.hidden = !picture;
  if (!picture) return;
  image.src = `data:image/png;base64,${picture}`;
  const { width, height } = image.getBoundingClientRect();
  image.style.left = `${Math.min(Math.max(x - width / 2, 4), innerWidth - width - 4)}px`;
  image.style.top = `${y + GAP + height < innerHeight ? y + GAP : y - GAP - height}px`;
}
