// The microphone as it is, for every page that listens: what to ask of the browser, what to say when it fails, WAV files.

const RAW = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };
const PROCESSING = {
  echoCancellation: "echo cancellation", noiseSuppression: "noise suppression", autoGainControl: "automatic gain control",
};
const FLOOR_DBFS = -60;
const QUIET_DBFS = -40;
const LOUD_DBFS = -1;
const FAULTS = {
  NotAllowedError: "The browser blocked the microphone. Allow it in the site settings beside the address, then record again.",
  NotFoundError: "No microphone was found. Plug one in and record again, or upload a file, or take a sample.",
  NotReadableError: "Another program holds the microphone. Close that program, then record again.",
};
const INSECURE = "Browsers give the microphone only to pages opened through https or as http://localhost. "
  + "Open this page that way, or upload a file.";

function whyNot(fault) {
  return FAULTS[fault.name] ?? `The microphone could not be opened (${fault.name}). Upload a file instead.`;
}

async function withWorklet(context, source) {
  const module = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    await context.audioWorklet.addModule(module);
    await context.resume();
  } finally {
    URL.revokeObjectURL(module);
  }
}

function keptOn(settings) { // names of RAW that the browser did not switch off
  return Object.keys(PROCESSING).filter((name) => settings[name]);
}

function sixteenBit(value) {
  return Math.round(Math.max(-1, Math.min(1, value)) * 32767);
}

function wavHeader(n_samples, sample_rate) {
  const header = new DataView(new ArrayBuffer(44));
  const text = (at, word) => [...word].forEach((letter, i) => header.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF"); header.setUint32(4, 36 + 2 * n_samples, true); text(8, "WAVEfmt ");
  header.setUint32(16, 16, true); header.setUint16(20, 1, true); header.setUint16(22, 1, true);
  header.setUint32(24, sample_rate, true); header.setUint32(28, 2 * sample_rate, true);
  header.setUint16(32, 2, true); header.setUint16(34, 16, true);
  text(36, "data"); header.setUint32(40, 2 * n_samples, true);
  return new Uint8Array(header.buffer);
}

function base64(bytes) {
  let text = "";
  for (let k = 0; k < bytes.length; k += 32768) text += String.fromCharCode(...bytes.subarray(k, k + 32768));
  return btoa(text);
}

function decibel(amplitude) {
  return 20 * Math.log10(Math.max(amplitude, 1e-3));
}

function advice(loudest, now_s) {
  if (loudest >= LOUD_DBFS) return "Too loud: the sound is clipped. Move back or turn the microphone down.";
  if (now_s > 2 && loudest <= FLOOR_DBFS) return "Nothing is heard. Is the microphone muted?";
  if (now_s > 2 && loudest < QUIET_DBFS) return "Very quiet. Come closer to the microphone.";
  return "";
}
