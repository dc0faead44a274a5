// Records the microphone as it is: echo cancellation, noise suppression and gain control off, 16-bit mono WAV out.

const recorders = new WeakMap();
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
  recorder.send = (clip) => setTriggerValue("clip", clip);
  if (!recorder.session) showIdle(recorder);
  return () => {
    recorder.session?.close();
    recorders.delete(parentElement);
  };
}

function build(parentElement) {
  const recorder = { session: null };
  for (const name of ["record", "label", "clock", "meter", "level", "state"]) {
    recorder[name] = parentElement.querySelector(`.${name}`);
  }
  recorder.record.onclick = () => (recorder.session ? recorder.session.stop() : start(recorder));
  return recorder;
}

async function start(recorder) {
  if (!window.isSecureContext || !navigator.mediaDevices) return say(recorder, INSECURE_CONTEXT_MESSAGE);
  recorder.record.disabled = true;
  say(recorder, "Waiting for the microphone. The browser may ask you to allow it.");
  try {
    recorder.session = await open(recorder);
    showRecording(recorder);
  } catch (fault) {
    say(recorder, microphoneError(fault));
  }
  recorder.record.disabled = false;
}

async function open(recorder) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: UNPROCESSED_AUDIO });
  const [track] = stream.getAudioTracks();
  const context = new AudioContext();
  const blocks = [];
  let n_samples = 0;
  const close = () => { track.stop(); context.close(); recorder.session = null; };
  try {
    await addWorklet(context, TAP);
  } catch (fault) {
    close();
    throw fault;
  }
  const stop = () => {
    if (!recorder.session) return;
    close();
    finish(recorder, blocks, n_samples, context.sampleRate, track.getSettings());
  };
  const tap = new AudioWorkletNode(context, "tap", { channelCount: 1, channelCountMode: "explicit" });
  tap.port.onmessage = ({ data: block }) => {
    if (!recorder.session) return;
    blocks.push(block);
    n_samples += block.length;
    showLevel(recorder, block, n_samples / context.sampleRate);
    if (n_samples >= recorder.max_s * context.sampleRate) stop();
  };
  track.onended = stop; // unplugged: keep what was recorded
  context.createMediaStreamSource(stream).connect(tap);
  return { stop, close, peaks: [], loudest: FLOOR_DBFS };
}

function finish(recorder, blocks, n_samples, sample_rate, settings) {
  const length_s = n_samples / sample_rate;
  showIdle(recorder);
  if (!n_samples) return say(recorder, "The microphone sent nothing. Check that it is switched on, then record again.");
  say(recorder, `${length_s.toFixed(1)} s recorded.`);
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

function showLevel(recorder, block, now_s) {
  const peak = block.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const { peaks } = recorder.session;
  recorder.session.loudest = Math.max(recorder.session.loudest, amplitudeToDbfs(peak));
  peaks.push(peak);
  if (peaks.length < 24) return; // 24 blocks of 128 samples: the meter moves every 64 ms at 48 kHz
  const level = amplitudeToDbfs(Math.max(...peaks));
  peaks.length = 0;
  recorder.level.style.width = `${Math.max(0, 1 - level / FLOOR_DBFS) * 100}%`;
  recorder.meter.setAttribute("aria-valuenow", level.toFixed(0));
  recorder.meter.classList.toggle("over", level >= LOUD_DBFS);
  recorder.clock.textContent = `${Math.max(0, recorder.max_s - now_s).toFixed(0)} s left`;
  say(recorder, levelAdvice(recorder.session.loudest, now_s) || "Recording.");
}

function showRecording(recorder) {
  recorder.record.classList.add("on");
  recorder.label.textContent = "Stop";
  recorder.meter.hidden = false;
  recorder.clock.textContent = `${recorder.max_s} s left`;
  say(recorder, "Recording.");
}

function showIdle(recorder) {
  recorder.record.classList.remove("on");
  recorder.label.textContent = "Record";
  recorder.meter.hidden = true;
  recorder.clock.textContent = `up to ${recorder.max_s} s`;
}

function say(recorder, text) {
  if (recorder.state.textContent !== text) recorder.state.textContent = text;
}
