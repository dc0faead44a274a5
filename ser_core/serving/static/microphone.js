// Microphone access for the pages that record: constraints, error messages, level advice, WAV files.

const UNPROCESSED_AUDIO = {
  echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1,
};
const PROCESSING_NAMES = {
  echoCancellation: "echo cancellation",
  noiseSuppression: "noise suppression",
  autoGainControl: "automatic gain control",
};
const FLOOR_DBFS = -60;
const QUIET_DBFS = -40;
const LOUD_DBFS = -1;
const MICROPHONE_ERRORS = {
  NotAllowedError: "The browser blocked the microphone. Allow it in the site settings next to the address, "
    + "then record again.",
  NotFoundError: "No microphone was found. Plug one in and record again, or upload a file, or take a sample.",
  OverconstrainedError: "The chosen microphone is gone. Record again with another one, or plug it in.",
  NotReadableError: "Another program uses the microphone. Close that program, then record again.",
};
const INSECURE_CONTEXT_MESSAGE = "Browsers allow the microphone only on pages opened through https or as "
  + "http://localhost. Open this page that way, or upload a file.";

function microphoneError(error) {
  return MICROPHONE_ERRORS[error.name]
    ?? `The microphone could not be opened (${error.name}). Upload a file instead.`;
}

async function addWorklet(context, source) {
  const module = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    await context.audioWorklet.addModule(module);
    await context.resume();
  } finally {
    URL.revokeObjectURL(module);
  }
}

// Processing that the browser did not switch off, as keys of PROCESSING_NAMES.
function activeProcessing(settings) {
  return Object.keys(PROCESSING_NAMES).filter((name) => settings[name]);
}

function toInt16(value) {
  return Math.round(Math.max(-1, Math.min(1, value)) * 32767);
}

function wavHeader(n_samples, sample_rate) {
  const header = new DataView(new ArrayBuffer(44));
  const setText = (offset, text) => [...text].forEach((c, i) => header.setUint8(offset + i, c.charCodeAt(0)));
  setText(0, "RIFF"); header.setUint32(4, 36 + 2 * n_samples, true); setText(8, "WAVEfmt ");
  header.setUint32(16, 16, true); header.setUint16(20, 1, true); header.setUint16(22, 1, true);
  header.setUint32(24, sample_rate, true); header.setUint32(28, 2 * sample_rate, true);
  header.setUint16(32, 2, true); header.setUint16(34, 16, true);
  setText(36, "data"); header.setUint32(40, 2 * n_samples, true);
  return new Uint8Array(header.buffer);
}

function encodeBase64(bytes) {
  let text = "";
  for (let k = 0; k < bytes.length; k += 32768) text += String.fromCharCode(...bytes.subarray(k, k + 32768));
  return btoa(text);
}

function amplitudeToDbfs(amplitude) {
  return 20 * Math.log10(Math.max(amplitude, 1e-3));
}

function levelAdvice(peak_dbfs, elapsed_s) {
  if (peak_dbfs >= LOUD_DBFS) return "Too loud: the signal is clipped. Move back or turn the microphone down.";
  if (elapsed_s > 2 && peak_dbfs <= FLOOR_DBFS) return "No signal. Is the microphone muted?";
  if (elapsed_s > 2 && peak_dbfs < QUIET_DBFS) return "Very quiet. Move closer to the microphone.";
  return "";
}
