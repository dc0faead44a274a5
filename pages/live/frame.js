// The frame of the live microphone: it takes the theme of this page, grows with its content, hands over its recording.

const frames = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const frame = parentElement.querySelector("iframe");
  const state = frames.get(parentElement) ?? {};
  frames.set(parentElement, state);
  state.send = (token) => setTriggerValue("token", token);
  const changed = state.voice !== data.voice;
  state.voice = data.voice;
  const follow = () => { // the page learns which model's voice to give, once for each choice: it may have none
    const known = !data.follows_model || state.model === JSON.parse(state.voice).model;
    if (!known && state.asked !== state.model) setTriggerValue("model", state.model);
    state.asked = known ? null : state.model;
  };
  state.chose = (model) => {
    state.model = model;
    sendVoice(frame, state.voice);
    follow();
  };
  if (state.model) {
    if (changed) sendVoice(frame, state.voice);
    follow();
  }
  if (!state.listen) {
    state.listen = ({ source, origin, data: message }) => {
      if (source !== frame.contentWindow || origin !== window.location.origin) return;
      if (message.height > 0) frame.style.height = `${Math.ceil(message.height)}px`;
      if (message.token) state.send(message.token);
      if (message.model) state.chose(message.model);
    };
    window.addEventListener("message", state.listen);
    frame.onload = () => dress(frame);
    frame.src = `${data.address}?__theme=${isDark(frame) ? "dark" : "light"}`;
  }
  return () => {
    window.removeEventListener("message", state.listen);
    frames.delete(parentElement);
  };
}

function sendVoice(frame, voice) { // again when it has changed, and when the frame says that it can take it
  frame.contentWindow.postMessage({ voice: JSON.parse(voice) }, window.location.origin);
}

function dress(frame) { // in the font of the page around it
  const page = frame.contentDocument, style = page.createElement("style");
  const font = getComputedStyle(frame).getPropertyValue("--st-font") || "sans-serif";
  style.textContent = `${fontFaces()}
    .live, .live button, .live select { font-family: ${font} !important }`;
  page.head.append(style);
}

function fontFaces() {
  return [...document.styleSheets].flatMap((sheet) => {
    const base = sheet.href ?? document.baseURI;
    const absolute = (text) => text.replace(/url\("?([^")]+)"?\)/g, (_, path) => `url("${new URL(path, base)}")`);
    return [...sheet.cssRules].filter((rule) => rule instanceof CSSFontFaceRule).map((rule) => absolute(rule.cssText));
  }).join("\n");
}

function isDark(element) {
  const colour = getComputedStyle(element).getPropertyValue("--st-background-color").trim();
  const [, hex] = /^#([0-9a-f]{6})$/i.exec(colour) ?? [];
  const decimal = (colour.match(/\d+/g) ?? [255]).slice(0, 3).map(Number);
  const channels = hex ? hex.match(/../g).map((part) => parseInt(part, 16)) : decimal;
  return channels.reduce((sum, channel) => sum + channel, 0) / channels.length < 128;
}
