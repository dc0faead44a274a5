// Live page. The browser records, draws level and spectrogram, and keeps the recording; the server receives a quarter of
// a second at a time and returns a prediction. One request at a time: audio recorded during a request goes into the next.
//
// Scope, by Gradio: element (root of the page), props (see live/page.py), server (its functions), watch.

const CHUNK_WORKLET = `registerProcessor("pieces", class extends AudioWorkletProcessor {
  constructor({ processorOptions: { hop_s } }) {
    super();
    this.hop = Math.round(hop_s * sampleRate);
    this.reset();
    this.port.onmessage = () => this.send(true);
  }
  reset() {
    this.chunk = new Int16Array(this.hop);
    this.n = 0;
  }
  send(last) {
    this.port.postMessage({ samples: this.chunk.slice(0, this.n), last });
    this.reset();
  }
  process([channels]) {
    for (const value of channels[0] ?? []) {
      this.chunk[this.n++] = Math.round(Math.max(-1, Math.min(1, value)) * 32767);
      if (this.n === this.chunk.length) this.send(false);
    }
    return true;
  }
});`;
const MAX_CHUNKS = 60; // per request: half a minute
const RETRY_MS = 1000;
const MAX_RETRIES = 5; // after the end of the recording
const CONNECTION_LOST_MESSAGE = "The server does not respond. The recording is kept here and sent when it responds.";

class ServerError extends Error {
  constructor(message, lost = false) {
    super(message);
    this.lost = lost; // no response: a retry can succeed
  }
}

let session = null;
let busy = false;

async function start() {
  if (!window.isSecureContext || !navigator.mediaDevices) return showState(INSECURE_CONTEXT_MESSAGE);
  setBusy(true);
  select.disabled = reference.disabled = true;
  showState("Waiting for the microphone. The browser may ask you to allow it.");
  try {
    session = await openSession();
  } catch (error) {
    session = null;
    showState(error instanceof ServerError ? error.message : microphoneError(error));
  }
  setBusy(false);
  select.disabled = reference.disabled = Boolean(session);
}

async function openSession() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: UNPROCESSED_AUDIO });
  const [track] = stream.getAudioTracks();
  const context = new AudioContext();
  const close = () => { track.stop(); context.close(); };
  try {
    await addWorklet(context, CHUNK_WORKLET);
    const running_reference = reference.checked && takesReference();
    const model = await callServer("start", {
      model: select.value, sample_rate: context.sampleRate, running_reference,
      reference: running_reference ? enrolledVoice() : null, emotions: possibleEmotions(),
    });
    return startRecording(model, stream, context, close);
  } catch (error) {
    close();
    throw error;
  }
}

function startRecording(model, stream, context, close) {
  const worklet = new AudioWorkletNode(context, "pieces", {
    channelCount: 1, channelCountMode: "explicit", processorOptions: { hop_s: props.hop_s },
  });
  const analyser = new AnalyserNode(context, { fftSize: 1024, smoothingTimeConstant: 0 });
  const [track] = stream.getAudioTracks();
  context.createMediaStreamSource(stream).connect(analyser).connect(worklet);
  const started = {
    ...model, close, worklet, analyser, sample_rate: context.sampleRate,
    recorded: [], n_recorded: 0, unsent: [], n_sent: 0, latencies_s: [], peak_dbfs: FLOOR_DBFS, ended: false,
    active_processing: activeProcessing(track.getSettings()),
  };
  worklet.port.onmessage = ({ data }) => receiveChunk(started, data);
  track.onended = stop; // unplugged: keep the recording
  showListening(started);
  return started;
}

function receiveChunk(session, { samples, last }) {
  if (session.ended) return;
  session.recorded.push(samples);
  session.unsent.push({ samples, captured_ms: performance.now() });
  session.n_recorded += samples.length;
  if (session.n_recorded / session.sample_rate >= props.max_recording_s) stop();
  if (last) {
    session.ended = true;
    session.close();
  }
  sendChunks(session);
}

function stop() {
  if (!session) return;
  setBusy(true);
  session.worklet.port.postMessage("last"); // returns as the last chunk
}

async function callServer(name, values) {
  const response = await server[name]({ page_id: props.page_id, ...values });
  if (!response) throw new ServerError("The server does not respond. Is it still running?", true);
  if (response.error) throw new ServerError(response.error);
  return response;
}

async function sendChunks(session) {
  if (session.sending) return;
  session.sending = true;
  let n_retries = 0;
  while (session.unsent.length) {
    const chunks = session.unsent.splice(0, MAX_CHUNKS);
    try {
      await sendRequest(session, chunks);
      n_retries = 0;
    } catch (error) {
      session.unsent.unshift(...chunks);
      if (!error.lost || (session.ended && ++n_retries > MAX_RETRIES)) {
        session.error = error.message;
        break;
      }
      showState(CONNECTION_LOST_MESSAGE);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
  session.sending = false;
  if (session.error && !session.ended) stop();
  else if (session.ended) await finish(session);
}

async function sendRequest(session, chunks) {
  const bytes = new Uint8Array(await new Blob(chunks.map(({ samples }) => samples)).arrayBuffer());
  const prediction = await callServer("feed", { offset: session.n_sent, samples: encodeBase64(bytes) });
  session.n_sent += bytes.length / 2;
  if (prediction.answer) showPrediction(session, prediction, chunks.at(-1).captured_ms);
}

async function finish(ended) {
  session = null;
  showIdle();
  offerDownload(ended);
  try {
    showSummary(await callServer("stop", {}), ended);
  } catch (error) {
    ended.error ??= error.message;
    hideSummary();
  }
  showState(ended.error ?? `${formatTime(ended.n_recorded / ended.sample_rate)} recorded.`);
  find(".summary").hidden = false;
  find(".summary h2").focus();
}

async function openInClip() {
  if (embedded) return handOverToParent();
  const tab = window.open("about:blank"); // before the request: later it would be blocked as a popup
  try {
    const { token } = await callServer("hand_over", {});
    const address = new URL(`../../clip?view=over_time&recording=${token}`, window.location.href);
    if (tab) tab.location = address;
    else window.location = address;
  } catch (error) {
    tab?.close();
    showState(error.message);
  }
}

async function handOverToParent() {
  try {
    const { token } = await callServer("hand_over", {});
    window.parent.postMessage({ token }, window.location.origin);
  } catch (error) {
    showState(error.message);
  }
}

function enableStart() {
  if (!props.page_id) return;
  button.disabled = !props.models.length;
  if (!button.disabled) return;
  showState(props.no_model_message);
  find(".detail").textContent = "";
}

find(".program pre").textContent = clientExample();
find(".frequency-ticks").append(...frequencyTicks());
select.append(...props.models.map((name) => new Option(name, name)));
select.addEventListener("change", tellModel);
button.onclick = () => !busy && (session ? stop() : start());
find(".open").onclick = openInClip;
window.addEventListener("beforeunload", (event) => session && event.preventDefault()); // asks before leaving
if (embedded) {
  fillFrame();
  window.addEventListener("message", receiveVoice);
}
tellModel();
showPossible(possibleEmotions());
watch("page_id", enableStart);
enableStart();
