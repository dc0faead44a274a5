// What the recorder shows: waveform and spectrogram as they come in, level, time, advice, the microphones to choose from.

const MAGMA = ["000004", "1c1044", "4f127b", "812581", "b5367a", "e55964", "fb8761", "fec287", "fcfdbf"];

function showRecording(recorder) {
  const { session } = recorder;
  recorder.record.classList.add("on");
  recorder.label.textContent = "Stop";
  recorder.live.hidden = false;
  recorder.hint.hidden = true;
  say(recorder, "Recording.");
  const drawColumns = spectrogramDrawer(recorder.mel, session.analyser, magma());
  const drawWave = waveDrawer(recorder);
  const frame = (now_ms) => {
    if (recorder.session !== session) return;
    if (drawColumns(now_ms)) drawWave(now_ms);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

function showIdle(recorder) {
  recorder.record.classList.remove("on");
  recorder.label.textContent = "Record";
  recorder.live.hidden = true;
  recorder.hint.hidden = !recorder.hint.textContent;
  recorder.clock.textContent = `up to ${recorder.max_s} s`;
}

function showLevel(recorder, session, peak) {
  const level_dbfs = amplitudeToDbfs(peak), now_s = session.n_samples / session.sample_rate;
  const share = Math.max(0, 1 - level_dbfs / FLOOR_DBFS);
  recorder.level.style.width = `${share * 100}%`;
  recorder.record.style.setProperty("--loud", share.toFixed(2));
  recorder.meter.setAttribute("aria-valuenow", level_dbfs.toFixed(0));
  recorder.meter.classList.toggle("over", level_dbfs >= LOUD_DBFS);
  recorder.clock.textContent = `${now_s.toFixed(1)} s`;
  say(recorder, levelAdvice(session.loudest, now_s) || "Recording.");
}

function waveDrawer(recorder) { // scrolls with the spectrogram
  const { wave, session } = recorder, { width, height } = wave, context = wave.getContext("2d");
  const samples = new Float32Array(session.analyser.fftSize);
  context.clearRect(0, 0, width, height);
  context.fillStyle = getComputedStyle(wave).color;
  let drawn_ms = performance.now();
  return (now_ms) => {
    const n_columns = Math.max(1, Math.round(((now_ms - drawn_ms) * width) / (1000 * SPECTROGRAM_S)));
    drawn_ms = now_ms;
    session.analyser.getFloatTimeDomainData(samples);
    const peak = Math.min(1, 2 * samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
    context.globalCompositeOperation = "copy"; // what was drawn moves on, what was there is gone
    context.drawImage(wave, -n_columns, 0);
    context.globalCompositeOperation = "source-over";
    context.fillRect(width - n_columns, (height * (1 - peak)) / 2, n_columns, Math.max(1, height * peak));
  };
}

function magma() { // 256 colours between the stops
  const stops = MAGMA.map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  return Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 2), share = at - low;
    return stops[low].map((value, channel) => Math.round(value + share * (stops[low + 1][channel] - value)));
  });
}

async function offerDevices(recorder) { // their names are known only after the person has allowed the microphone
  const found = (await navigator.mediaDevices.enumerateDevices?.() ?? []).filter((d) => d.kind === "audioinput");
  if (!found.some(({ deviceId }) => deviceId === chosen.microphone)) chosen.microphone = "";
  recorder.input.hidden = found.length < 2 || !(chosen.microphone || recorder.session);
  const inUse = chosen.microphone || recorder.session?.settings.deviceId;
  recorder.devices.replaceChildren(...found.map(({ deviceId, label }, i) => {
    const option = new Option(label || `Microphone ${i + 1}`, deviceId);
    option.selected = deviceId === inUse;
    return option;
  }));
}

function say(recorder, text) {
  if (recorder.state.textContent !== text) recorder.state.textContent = text;
}
