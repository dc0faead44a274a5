// View of the live page. Concatenated with microphone.js, spectrogram.js and live.js to one script.

const find = (selector) => element.querySelector(selector);
const [button, select, reference, clock, state] = [".start", ".model", ".reference input", ".clock", ".state"].map(find);
const FREQUENCY_TICKS_HZ = [250, 1000, 4000];
const HISTORY_CELLS = 80; // 20 s
const embedded = window.parent !== window; // in the page Live
let voice = {}; // of the page around this one: a model, the reference of the enrolled voice for it, possible emotions

function showListening(session) {
  button.classList.add("on");
  button.querySelector("span").textContent = "Stop";
  find(".summary").hidden = true;
  find(".latency").hidden = find(".latency-details").hidden = true;
  find(".heading").textContent = "Recording";
  find(".detail").textContent = "The first prediction follows at once.";
  find(".history").replaceChildren();
  trace.length = 0;
  find(".last").hidden = false; // empty before the first recording
  drawPlane(null);
  showThreshold(session.min_confidence);
  showPossible(session.possible_emotions);
  showBars(find(".current"), {}, "");
  animate(session, spectrogramDrawer(find("canvas"), session.analyser, props.colormap));
}

function animate(session, drawColumns) {
  const samples = new Float32Array(session.analyser.fftSize);
  const frame = (now_ms) => {
    if (session.ended) return;
    if (drawColumns(now_ms)) showLevel(session, samples);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

function showIdle() {
  button.classList.remove("on");
  button.querySelector("span").textContent = "Start";
  setBusy(false);
  select.disabled = reference.disabled = false;
  find(".level").style.width = 0;
  find(".meter").classList.remove("clipping");
}

function takesReference() {
  return props.models_with_reference.includes(select.value);
}

function showReferenceSwitch() {
  find(".reference").hidden = !takesReference();
  find(".reference").title = enrolledVoice()
    ? "Predictions are relative to your enrolled voice and, from 10 s of speech on, to the speech so far."
    : "From 10 s of speech on, predictions are relative to the speech so far. For one speaker.";
}

function enrolledVoice() { // of the chosen model
  return voice.model === select.value ? voice.reference : null;
}

function possibleEmotions() { // as the page around this one or the address names them; null: all
  const named = new URLSearchParams(window.location.search).get("emotions");
  return voice.emotions ?? (named ? named.split(",").map((word) => word.trim()) : null);
}

function showPossible(emotions) {
  for (const row of element.querySelectorAll(".bars li"))
    row.hidden = Boolean(emotions && props.styles[row.dataset.answer] && !emotions.includes(row.dataset.answer));
}

function receiveVoice({ source, origin, data }) {
  if (source !== window.parent || origin !== window.location.origin || !data.voice) return;
  if (Boolean(voice.reference) !== Boolean(data.voice.reference)) reference.checked = Boolean(data.voice.reference);
  voice = data.voice;
  showReferenceSwitch();
  if (!session) showPossible(possibleEmotions());
}

function tellModel() {
  showReferenceSwitch();
  if (embedded) window.parent.postMessage({ model: select.value }, window.location.origin);
}

function setBusy(value) { // aria-disabled: a disabled button would lose the focus
  busy = value;
  button.setAttribute("aria-disabled", value);
}

function showLevel(session, samples) {
  session.analyser.getFloatTimeDomainData(samples);
  const peak = samples.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  const level_dbfs = amplitudeToDbfs(peak);
  const elapsed_s = session.n_recorded / session.sample_rate;
  session.peak_dbfs = Math.max(session.peak_dbfs, level_dbfs);
  find(".level").style.width = `${Math.max(0, 1 - level_dbfs / FLOOR_DBFS) * 100}%`;
  find(".meter").setAttribute("aria-valuenow", level_dbfs.toFixed(0));
  find(".meter").classList.toggle("clipping", level_dbfs >= LOUD_DBFS);
  clock.textContent = formatTime(elapsed_s);
  const disconnected = state.textContent === CONNECTION_LOST_MESSAGE && session.unsent.length;
  if (!disconnected) showState(levelAdvice(session.peak_dbfs, elapsed_s) || listeningMessage(session));
}

function listeningMessage({ active_processing }) {
  const names = active_processing.map((name) => PROCESSING_NAMES[name]).join(", ");
  return names ? `Recording. The browser applies ${names}: level and timbre may be changed.`
    : "Recording. Echo cancellation, noise suppression and gain control are off.";
}

function showPrediction(session, prediction, captured_ms) {
  const heading = find(".heading");
  if (heading.textContent !== prediction.heading) heading.textContent = prediction.heading; // announced when it changes
  find(".detail").textContent = prediction.detail;
  showBars(find(".current"), prediction.probabilities, prediction.answer);
  showThreshold(prediction.min_confidence);
  addHistoryCell(prediction.answer);
  addPlace(prediction);
  requestAnimationFrame(() => setTimeout(() => { // after the frame is drawn
    const round_trip_s = (performance.now() - captured_ms) / 1000;
    session.latencies_s.push(prediction.lag_s + round_trip_s);
    showLatency(session, prediction.lag_s, round_trip_s);
  }));
}

function showBars(bars, values, highlighted) {
  for (const row of bars.children) {
    const value = values[row.dataset.answer];
    row.classList.toggle("highlighted", row.dataset.answer === highlighted);
    row.querySelector(".track i").style.width = `${(value ?? 0) * 100}%`;
    row.querySelector(".value").textContent = value === undefined ? "–" : `${Math.round(value * 100)}%`;
  }
}

function showThreshold(min_confidence) {
  for (const line of element.querySelectorAll(".current u")) {
    line.hidden = !min_confidence;
    line.style.left = `${min_confidence * 100}%`;
  }
  const note = find(".threshold-note");
  note.hidden = !min_confidence;
  note.textContent = `Dotted line: the model abstains (“not sure”) below ${Math.round(min_confidence * 100)}%.`;
}

function addHistoryCell(answer) {
  const style = props.styles[answer];
  const cell = document.createElement("i"), history = find(".history");
  const goesOn = history.lastChild?.title === answer; // the symbol stands at the begin of a run only
  cell.textContent = goesOn ? "" : style?.symbol ?? (answer === "not sure" ? "?" : "·");
  cell.title = answer;
  cell.classList.toggle("quiet", !style);
  if (style) cell.style.background = style.colour;
  history.append(cell);
  if (history.children.length > HISTORY_CELLS) history.firstChild.remove();
}

function showLatency({ latencies_s, window_s }, lag_s, round_trip_s) {
  find(".latency b").textContent = formatSeconds(latencies_s.at(-1));
  find(".latency").hidden = find(".latency-details").hidden = false;
  find(".latency-details p").textContent = [
    `${formatSeconds(lag_s)} until the piece of audio is complete,`,
    `${formatSeconds(round_trip_s)} to send it, run the model and draw the prediction.`,
    "This is the latency for the oldest new audio in a prediction;",
    `for the newest it is ${formatSeconds(props.hop_s)} less.`,
    `Median ${formatSeconds(median(latencies_s))}, maximum ${formatSeconds(Math.max(...latencies_s))}.`,
    "Measured in this browser, from the arrival of the audio at the page to the frame with the prediction;",
    "microphone, driver and screen are not included.",
    `A prediction covers the last ${window_s} s and is smoothed over ${props.smoothing_s} s:`,
    "a new emotion takes about as long to appear.",
  ].join(" ");
}

function showSummary({ shares, text, has_speech }, { latencies_s }) {
  const latency = latencies_s.length ? ` Median latency ${formatSeconds(median(latencies_s))}.` : "";
  find(".summary .text").textContent = text + latency;
  find(".shares").hidden = find(".shares-note").hidden = !has_speech;
  showBars(find(".shares"), shares, Object.keys(shares).reduce((a, b) => (shares[b] > shares[a] ? b : a)));
  find(".open").hidden = !props.trajectory_available;
  find(".open-note").textContent = props.trajectory_available
    ? "“Open in Clip” passes the recording to that page: "
      + `once, within ${props.token_lifetime_min} minutes, in memory.`
    : "To see it over time, download the recording and open it on the page Clip.";
}

function hideSummary() {
  find(".summary .text").textContent = "";
  find(".shares").hidden = find(".shares-note").hidden = find(".open").hidden = true;
}

function offerDownload({ recorded, n_recorded, sample_rate }) {
  const link = find(".download");
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([wavHeader(n_recorded, sample_rate), ...recorded], { type: "audio/wav" }));
}

function fillFrame() { // of the page around this one, which learns the height
  find(".live").classList.add("embedded");
  for (let box = element; box !== document.body; box = box.parentElement) {
    for (const name of ["padding", "margin", "border"]) box.style.setProperty(name, "0", "important");
    box.style.setProperty("max-width", "none", "important");
  }
  const tell = () => {
    const height = find(".live").getBoundingClientRect().bottom + 8;
    window.parent.postMessage({ height }, window.location.origin);
  };
  new ResizeObserver(tell).observe(element);
  tell();
}

function formatSeconds(duration_s) { return `${duration_s.toFixed(2)} s`; }
function formatTime(time_s) {
  return `${Math.floor(time_s / 60)}:${String(Math.floor(time_s % 60)).padStart(2, "0")}`;
}
function median(values) { return [...values].sort((a, b) => a - b)[values.length >> 1]; }
function showState(text) { if (state.textContent !== text) state.textContent = text; }

function frequencyTicks() {
  return FREQUENCY_TICKS_HZ.map((hertz) => {
    const tick = document.createElement("span");
    tick.textContent = hertz < 1000 ? `${hertz} Hz` : `${hertz / 1000} kHz`;
    tick.style.bottom = `${hertzToMel(hertz) / hertzToMel(MAX_FREQUENCY_HZ) * 100}%`;
    return tick;
  });
}

function clientExample() {
  return [
    "from gradio_client import Client, handle_file",
    "",
    `client = Client("${window.location.origin}${window.location.pathname}")`,
    'print(client.predict(handle_file("speech.wav"), api_name="/predict"))  # as printed by python -m scripts.predict',
  ].join("\n");
}
