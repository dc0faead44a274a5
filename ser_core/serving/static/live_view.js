// What the live page shows. Together with live.js one program.

const find = (name) => element.querySelector(name);
const [button, select, clock, state] = [".start", ".model", ".clock", ".state"].map(find);
const PICTURE_S = 6;
const HIGHEST_HZ = 8000;
const DIMMEST_DBFS = -100;
const BRIGHTEST_DBFS = -35;
const LANE_CELLS = 60;

function showListening(heard) {
  button.classList.add("on");
  button.querySelector("span").textContent = "Stop";
  find(".summary").hidden = true;
  find(".delay").hidden = find(".measured").hidden = true;
  find(".heading").textContent = "Listening";
  find(".detail").textContent = "The first answer comes after half a second.";
  find(".lane").replaceChildren();
  showThreshold(heard.min_confidence);
  showBars(find(".now"), {}, "");
  const draw = picture(find("canvas"), heard.analyser);
  const samples = new Float32Array(heard.analyser.fftSize);
  const frame = (now) => {
    if (heard.ended) return;
    if (draw(now)) showLevel(heard, samples);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

function showIdle() {
  button.classList.remove("on");
  button.querySelector("span").textContent = "Start";
  setBusy(false);
  select.disabled = false;
  find(".level").style.width = 0;
  find(".meter").classList.remove("over");
}

function setBusy(on) { // not disabled: that would take the focus away
  busy = on;
  button.setAttribute("aria-disabled", on);
}

function showLevel(heard, samples) {
  heard.analyser.getFloatTimeDomainData(samples);
  const level = decibel(samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
  const now_s = heard.n_recorded / heard.sample_rate;
  heard.loudest = Math.max(heard.loudest, level);
  find(".level").style.width = `${Math.max(0, 1 - level / FLOOR_DBFS) * 100}%`;
  find(".meter").setAttribute("aria-valuenow", level.toFixed(0));
  find(".meter").classList.toggle("over", level >= LOUD_DBFS);
  clock.textContent = time(now_s);
  if (state.textContent !== LOST || !heard.unsent.length) say(advice(heard.loudest, now_s) || listening(heard));
}

function listening({ kept_on }) {
  const names = kept_on.map((name) => PROCESSING[name]).join(", ");
  return names ? `Listening. The browser kept ${names} on: loudness and tone may be changed.`
    : "Listening. Echo cancellation, noise suppression and gain control are off.";
}

function showAnswer(heard, answer, captured) {
  const heading = find(".heading");
  if (heading.textContent !== answer.heading) heading.textContent = answer.heading; // read aloud when it changes
  find(".detail").textContent = answer.detail;
  showBars(find(".now"), answer.probabilities, answer.answer);
  addCell(answer.answer);
  requestAnimationFrame(() => setTimeout(() => { // after that frame was drawn
    const way_s = (performance.now() - captured) / 1000;
    heard.delays.push(answer.lag_s + way_s);
    showDelay(heard, answer.lag_s, way_s);
  }));
}

function showBars(bars, values, chosen) {
  for (const row of bars.children) {
    const value = values[row.dataset.answer];
    row.classList.toggle("chosen", row.dataset.answer === chosen);
    row.querySelector(".track i").style.width = `${(value ?? 0) * 100}%`;
    row.querySelector(".value").textContent = value === undefined ? "–" : `${Math.round(value * 100)}%`;
  }
}

function showThreshold(min_confidence) {
  for (const mark of element.querySelectorAll(".now u")) {
    mark.hidden = !min_confidence;
    mark.style.left = `${min_confidence * 100}%`;
  }
  find(".threshold-note").hidden = !min_confidence;
  find(".threshold-note").textContent = `Dotted line: below ${Math.round(min_confidence * 100)}% the answer is “not sure”.`;
}

function addCell(answer) {
  const look = props.looks[answer];
  const cell = document.createElement("i");
  cell.textContent = look?.symbol ?? (answer === "not sure" ? "?" : "·");
  cell.title = answer;
  cell.classList.toggle("quiet", !look);
  if (look) cell.style.background = look.colour;
  const lane = find(".lane");
  lane.append(cell);
  if (lane.children.length > LANE_CELLS) lane.firstChild.remove();
}

function showDelay({ delays, window_s }, lag_s, way_s) {
  find(".delay b").textContent = seconds(delays.at(-1));
  find(".delay").hidden = find(".measured").hidden = false;
  find(".measured p").textContent = `${seconds(lag_s)} until the half second is full, `
    + `${seconds(way_s)} to send it, hear it and draw the `
    + `answer: for the oldest sound that is new in this answer; for the newest it is ${seconds(props.hop_s)} less. `
    + `Median ${seconds(median(delays))}, longest ${seconds(Math.max(...delays))}. Measured in this browser, `
    + "from when the sound reached the page to the frame with the answer. Not measured: what microphone, driver and screen "
    + `take. An answer is about the last ${window_s} s, made calmer over ${props.calm_s} s: a new emotion needs about as `
    + "long to win.";
}

function showSummary(summary, heard) {
  const { shares, text, has_speech } = summary;
  const delay = heard.delays.length ? ` Speech to answer: median ${seconds(median(heard.delays))}.` : "";
  find(".summary .text").textContent = text + delay;
  find(".shares").hidden = find(".shares-note").hidden = !has_speech;
  showBars(find(".shares"), shares, Object.keys(shares).reduce((a, b) => (shares[b] > shares[a] ? b : a)));
  find(".open").hidden = !props.opens;
  find(".opening").textContent = props.opens
    ? `“Open in Trajectory” hands the recording to that page: once, within ${props.lifetime_min} minutes, in memory.`
    : "To see it over time, download it and open it on the page Trajectory.";
}

function offerDownload({ recorded, n_recorded, sample_rate }) {
  const link = find(".download");
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([wavHeader(n_recorded, sample_rate), ...recorded], { type: "audio/wav" }));
}

function picture(canvas, analyser) { // a function that draws the newest columns, when there are any
  const { width, height } = canvas;
  const context = canvas.getContext("2d");
  const levels = new Float32Array(analyser.frequencyBinCount);
  const bin_hz = analyser.context.sampleRate / analyser.fftSize;
  const edges = Array.from({ length: height + 1 }, (_, k) => hertz((1 - k / height) * mel(HIGHEST_HZ)) / bin_hz);
  const colours = props.magma.map((colour) => [...colour, 255]);
  context.fillStyle = `rgb(${props.magma[0]})`;
  context.fillRect(0, 0, width, height);
  let drawn_ms = performance.now();
  return (now) => {
    const n_columns = Math.min(width, Math.floor((now - drawn_ms) * width / (1000 * PICTURE_S)));
    if (n_columns < 1) return false;
    drawn_ms += n_columns * 1000 * PICTURE_S / width;
    analyser.getFloatFrequencyData(levels);
    context.drawImage(canvas, -n_columns, 0);
    const column = context.createImageData(n_columns, height);
    for (let y = 0; y < height; y++) {
      const low = Math.floor(edges[y + 1]);
      const level = levels.subarray(low, Math.max(low + 1, Math.ceil(edges[y]))).reduce((a, b) => Math.max(a, b));
      const share = (level - DIMMEST_DBFS) / (BRIGHTEST_DBFS - DIMMEST_DBFS);
      const colour = colours[Math.round(255 * Math.max(0, Math.min(1, share)))];
      for (let x = 0; x < n_columns; x++) column.data.set(colour, 4 * (y * n_columns + x));
    }
    context.putImageData(column, width - n_columns, 0);
    return true;
  };
}

function mel(frequency_hz) { return Math.log1p(frequency_hz / 700); }
function hertz(value) { return 700 * Math.expm1(value); }
function seconds(value) { return `${value.toFixed(2)} s`; }
function time(value) { return `${Math.floor(value / 60)}:${String(Math.floor(value % 60)).padStart(2, "0")}`; }
function median(values) { return [...values].sort((a, b) => a - b)[values.length >> 1]; }
function say(text) { if (state.textContent !== text) state.textContent = text; }

function marks() {
  return [250, 1000, 4000].map((frequency_hz) => {
    const mark = document.createElement("span");
    mark.textContent = frequency_hz < 1000 ? `${frequency_hz} Hz` : `${frequency_hz / 1000} kHz`;
    mark.style.bottom = `${mel(frequency_hz) / mel(HIGHEST_HZ) * 100}%`;
    return mark;
  });
}

function code() {
  return "from gradio_client import Client, handle_file\n\n"
    + `client = Client("${window.location.origin}${window.location.pathname}")\n`
    + 'print(client.predict(handle_file("speech.wav"), api_name="/predict"))  # as python -m scripts.predict prints it';
}
