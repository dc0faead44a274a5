// Tells Python when a neighbour has been played to its end, so that the next one follows; Escape ends the row.

const rows = new WeakMap();
const PATIENCE_MS = 1500; // by then the sound that was asked for plays

export default function ({ data, parentElement, setTriggerValue }) {
  if (!rows.has(parentElement)) rows.set(parentElement, build());
  const row = rows.get(parentElement);
  row.name = data.name;
  row.say = (what) => setTriggerValue(what, row.name);
  return () => {
    row.close();
    rows.delete(parentElement);
  };
}

function build() {
  const row = { name: "" };
  const onEnd = ({ detail }) => { if (row.name && detail.name === row.name) row.say(detail.finished ? "next" : "stop"); };
  const onKey = ({ key }) => { if (row.name && key === "Escape") window.dispatchEvent(new CustomEvent("ser:stop")); };
  const timer = setTimeout(() => { if (row.name && !window.serSounds) row.say("stop"); }, PATIENCE_MS);
  window.addEventListener("ser:end", onEnd);
  document.addEventListener("keydown", onKey);
  row.close = () => {
    clearTimeout(timer);
    window.removeEventListener("ser:end", onEnd);
    document.removeEventListener("keydown", onKey);
  };
  return row;
}
