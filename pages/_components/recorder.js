// Records the microphone as it is: echo cancellation, noise suppression and gain control off, 16-bit mono WAV out.

const recorders = new WeakMap();
const FLOOR_DBFS = -60;
const QUIET_DBFS = -40;
const LOUD_DBFS = -1;
const RAW = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };
const TAP = `registerProcessor("tap", class extends AudioWorkletProcessor {
  process([channels]) {
    if (channels[0]) this.port.postMessage(channels[0].slice());
    return true;
  }
});`;
const FAULTS = {
  NotAllowedError: "The browser blocked the microphone. Allow it in the site settings beside the address, then record again.",
  NotFoundError: "No microphone was found. Plug one in and record again, or upload a file, or take a sample.",
  NotReadableError: "Another program holds the microphone. Close that program, then record again.",
};
const INSECURE = "Browsers give the microphone only to pages opened through https or as http://localhost. "
  + "Open this page that way, or upload a file.";

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
  if (!window.isSecureContext || !navigator.mediaDevices) return say(recorder, INSECURE);
  recorder.record.disabled = true;
  say(recorder, "Waiting for the microphone. The browser may ask you to allow it.");
  try {
    recorder.session = await open(recorder);
    showRecording(recorder);
  } catch (fault) {
    say(recorder, FAULTS[fault.name] ?? `The microphone could not be opened (${fault.name}). Upload a file instead.`);
  }
  recorder.record.disabled = false;
}

async function open(recorder) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: RAW });
  const [track] = stream.getAudioTracks();
  const context = new AudioContext();
  const module = URL.createObjectURL(new Blob([TAP], { type: "text/javascript" }));
  const blocks = [];
  let n_samples = 0;
  const close = () => { track.stop(); context.close(); recorder.session = null; };
  try {
    await context.audioWorklet.addModule(module);
    await context.resume();
  } catch (fault) {
    close();
    throw fault;
  } finally {
    URL.revokeObjectURL(module);
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
  return { stop, close, heard: [], loudest: FLOOR_DBFS };
}

function finish(recorder, blocks, n_samples, sample_rate, settings) {
  const length_s = n_samples / sample_rate;
  showIdle(recorder);
  if (!n_samples) return say(recorder, "The microphone sent nothing. Check that it is switched on, then record again.");
  say(recorder, `${length_s.toFixed(1)} s recorded.`);
  const processed = Object.keys(RAW).filter((name) => name !== "channelCount" && settings[name]);
  recorder.send({ wav: base64(wav(blocks, n_samples, sample_rate)), processed });
}

function wav(blocks, n_samples, sample_rate) {
  const file = new DataView(new ArrayBuffer(44 + 2 * n_samples));
  const text = (at, word) => [...word].forEach((letter, i) => file.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF"); file.setUint32(4, 36 + 2 * n_samples, true); text(8, "WAVEfmt ");
  file.setUint32(16, 16, true); file.setUint16(20, 1, true); file.setUint16(22, 1, true);
  file.setUint32(24, sample_rate, true); file.setUint32(28, 2 * sample_rate, true);
  file.setUint16(32, 2, true); file.setUint16(34, 16, true);
  text(36, "data"); file.setUint32(40, 2 * n_samples, true);
  let at = 44;
  for (const block of blocks) {
    for (const value of block) {
      file.setInt16(at, Math.round(Math.max(-1, Math.min(1, value)) * 32767), true);
      at += 2;
    }
  }
  return new Uint8Array(file.buffer);
}

function base64(bytes) {
  let text = "";
  for (let k = 0; k < bytes.length; k += 32768) text += String.fromCharCode(...bytes.subarray(k, k + 32768));
  return btoa(text);
}

function showLevel(recorder, block, now_s) {
  const peak = block.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const { heard } = recorder.session;
  recorder.session.loudest = Math.max(recorder.session.loudest, decibel(peak));
  heard.push(peak);
  if (heard.length < 24) return; // 24 blocks of 128 samples: the meter moves every 64 ms at 48 kHz
  const level = decibel(Math.max(...heard));
  heard.length = 0;
  recorder.level.style.width = `${Math.max(0, 1 - level / FLOOR_DBFS) * 100}%`;
  recorder.meter.setAttribute("aria-valuenow", level.toFixed(0));
  recorder.meter.classList.toggle("over", level >= LOUD_DBFS);
  recorder.clock.textContent = `${Math.max(0, recorder.max_s - now_s).toFixed(0)} s left`;
  say(recorder, advice(recorder.session.loudest, now_s));
}

function decibel(amplitude) {
  return 20 * Math.log10(Math.max(amplitude, 1e-3));
}

function advice(loudest, now_s) {
  if (loudest >= LOUD_DBFS) return "Too loud: the sound is clipped. Move back or turn the microphone down.";
  if (now_s > 2 && loudest <= FLOOR_DBFS) return "Nothing is heard. Is the microphone muted?";
  if (now_s > 2 && loudest < QUIET_DBFS) return "Very quiet. Come closer to the microphone.";
  return "Recording.";
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
