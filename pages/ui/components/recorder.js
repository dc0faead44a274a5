// Records the microphone as it is: echo cancellation, noise suppression and gain control off, 16-bit mono WAV out.
// microphone.js and spectrogram.js come before in the same module, recorder_view.js follows.

const recorders = new WeakMap();
const chosen = { microphone: "", stops: true }; // by the person, for all recorders: each recording has a new one
const SILENCE_S = 1.5; // after speech: then the recording ends by itself
const SPEECH_S = 0.4; // of sound above the quiet: only then silence counts
const QUIET_BELOW_LOUDEST_DB = 24;
const NEVER_SPEECH_DBFS = -48;
const TAP = `registerProcessor("tap", class extends AudioWorkletProcessor {
  process([channels]) {
    if (channels[0]) this.port.postMessage(channels[0].slice());
    return true;
  }
});`;

export default function ({ data, parentElement, setTriggerValue }) {
  if (!recorders.has(parentElement)) recorders.set(parentElement, build(parentElement));
  const recorder = recorders.get(parentElement);
  recorder.max_s = data.max_s;
  recorder.hint.textContent = data.hint;
  recorder.send = (clip) => setTriggerValue("clip", clip);
  if (!recorder.session) showIdle(recorder);
  return () => {
    recorder.left = true;
    recorder.session?.close();
    recorders.delete(parentElement);
  };
}

function build(parentElement) {
  const recorder = { session: null, left: false };
  const names = ["record", "label", "clock", "live", "wave", "mel", "meter", "level", "state", "hint", "stops", "input", "devices"];
  for (const name of names) recorder[name] = parentElement.querySelector(`.${name}`);
  recorder.record.onclick = () => (recorder.session ? recorder.session.stop() : start(recorder));
  recorder.stops.checked = chosen.stops;
  recorder.stops.onchange = () => { chosen.stops = recorder.stops.checked; };
  recorder.devices.onchange = () => chooseMicrophone(recorder);
  if (chosen.microphone) offerDevices(recorder);
  return recorder;
}

function chooseMicrophone(recorder) {
  chosen.microphone = recorder.devices.value;
  if (!recorder.session) return;
  recorder.session.close();
  start(recorder); // once more: what it has is of another microphone
}

async function start(recorder) {
  if (recorder.record.ariaDisabled) return;
  if (!window.isSecureContext || !navigator.mediaDevices) return say(recorder, INSECURE_CONTEXT_MESSAGE);
  recorder.record.ariaDisabled = "true"; // a disabled button loses the focus, and the next key would not stop
  say(recorder, "Waiting for the microphone. The browser may ask you to allow it.");
  try {
    const session = await open(recorder);
    if (recorder.left) return session.close(); // the person went on to another page while the browser asked
    recorder.session = session;
    showRecording(recorder);
  } catch (fault) {
    showIdle(recorder);
    say(recorder, microphoneError(fault));
  }
  recorder.record.ariaDisabled = null;
  await offerDevices(recorder); // without one that is gone
}

async function open(recorder) {
  const { microphone } = chosen;
  const audio = microphone ? { ...UNPROCESSED_AUDIO, deviceId: { exact: microphone } } : UNPROCESSED_AUDIO;
  const stream = await navigator.mediaDevices.getUserMedia({ audio });
  const [track] = stream.getAudioTracks();
  const context = new AudioContext();
  const session = { blocks: [], n_samples: 0, peaks: [], loudest: FLOOR_DBFS, spoken_s: 0, silent_s: 0,
    sample_rate: context.sampleRate, settings: track.getSettings() };
  session.close = () => { track.stop(); context.close(); recorder.session = null; };
  session.stop = () => {
    if (recorder.session !== session) return;
    session.close();
    finish(recorder, session);
  };
  try {
    await addWorklet(context, TAP);
  } catch (fault) {
    session.close();
    throw fault;
  }
  const tap = new AudioWorkletNode(context, "tap", { channelCount: 1, channelCountMode: "explicit" });
  session.analyser = new AnalyserNode(context, { fftSize: 1024, smoothingTimeConstant: 0 });
  tap.port.onmessage = ({ data }) => receive(recorder, session, data);
  track.onended = session.stop; // unplugged: keep what was recorded
  context.createMediaStreamSource(stream).connect(session.analyser).connect(tap);
  return session;
}

function receive(recorder, session, block) {
  if (recorder.session !== session) return;
  session.blocks.push(block);
  session.n_samples += block.length;
  session.peaks.push(block.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
  if (session.peaks.length === 24) { // 24 blocks of 128 samples: 64 ms at 48 kHz
    const peak = Math.max(...session.peaks), step_s = (24 * block.length) / session.sample_rate;
    session.peaks = [];
    listen(session, amplitudeToDbfs(peak), step_s);
    showLevel(recorder, session, peak);
    if (recorder.stops.checked && session.silent_s >= SILENCE_S) session.stop();
  }
  if (session.n_samples >= recorder.max_s * session.sample_rate) session.stop();
}

function listen(session, level_dbfs, step_s) {
  session.loudest = Math.max(session.loudest, level_dbfs);
  const speaks = level_dbfs > Math.max(session.loudest - QUIET_BELOW_LOUDEST_DB, NEVER_SPEECH_DBFS);
  if (speaks) session.spoken_s += step_s;
  session.silent_s = speaks || session.spoken_s < SPEECH_S ? 0 : session.silent_s + step_s;
}

function finish(recorder, { blocks, n_samples, sample_rate, settings }) {
  showIdle(recorder);
  if (!n_samples) return say(recorder, "The microphone sent nothing. Check that it is switched on, then record again.");
  say(recorder, `${(n_samples / sample_rate).toFixed(1)} s recorded. The answer follows.`);
  recorder.send({ wav: encodeBase64(wav(blocks, n_samples, sample_rate)), processed: activeProcessing(settings) });
}

function wav(blocks, n_samples, sample_rate) {
  const file = new Uint8Array(44 + 2 * n_samples);
  file.set(wavHeader(n_samples, sample_rate));
  const samples = new DataView(file.buffer, 44);
  let at = 0;
  for (const block of blocks) {
    for (const value of block) samples.setInt16(2 * at++, toInt16(value), true);
  }
  return file;
}
