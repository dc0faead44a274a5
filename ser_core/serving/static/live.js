// The live page. The browser records, draws the level and the spectrogram, and keeps the recording; the server is sent
// half a second at a time and says what it hears. One request at a time: what is recorded meanwhile goes with the next.

const TAP = `registerProcessor("half-seconds", class extends AudioWorkletProcessor {
  constructor({ processorOptions: { hop_s } }) {
    super();
    this.hop = Math.round(hop_s * sampleRate);
    this.begin();
    this.port.onmessage = () => this.send(true);
  }
  begin() {
    this.chunk = new Int16Array(this.hop);
    this.n = 0;
  }
  send(last) {
    this.port.postMessage({ samples: this.chunk.slice(0, this.n), last });
    this.begin();
  }
  process([channels]) {
    for (const value of channels[0] ?? []) {
      this.chunk[this.n++] = Math.round(Math.max(-1, Math.min(1, value)) * 32767);
      if (this.n === this.chunk.length) this.send(false);
    }
    return true;
  }
});`;
const MOST_CHUNKS = 60; // in one request: half a minute
const RETRY_MS = 1000;
const MOST_RETRIES = 5; // after the end
const LOST = "The server does not answer. What you say is kept here, and sent as soon as it does.";

let session = null;
let busy = false;

async function start() {
  if (!window.isSecureContext || !navigator.mediaDevices) return say(INSECURE);
  setBusy(true);
  select.disabled = true;
  say("Waiting for the microphone. The browser may ask you to allow it.");
  try {
    session = await open();
  } catch (fault) {
    session = null;
    say(fault.told ?? whyNot(fault));
  }
  setBusy(false);
  select.disabled = Boolean(session);
}

async function open() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: RAW });
  const [track] = stream.getAudioTracks();
  const context = new AudioContext();
  const close = () => { track.stop(); context.close(); };
  try {
    await withWorklet(context, TAP);
    const begun = await ask("start", { model: select.value, sample_rate: context.sampleRate });
    return listen(begun, stream, context, close);
  } catch (fault) {
    close();
    throw fault;
  }
}

function listen(begun, stream, context, close) {
  const tap = new AudioWorkletNode(context, "half-seconds", {
    channelCount: 1, channelCountMode: "explicit", processorOptions: { hop_s: props.hop_s },
  });
  const analyser = new AnalyserNode(context, { fftSize: 1024, smoothingTimeConstant: 0 });
  context.createMediaStreamSource(stream).connect(analyser).connect(tap);
  const opened = {
    ...begun, close, tap, analyser, sample_rate: context.sampleRate, recorded: [], n_recorded: 0, unsent: [], at: 0,
    delays: [], loudest: FLOOR_DBFS, ended: false, kept_on: keptOn(stream.getAudioTracks()[0].getSettings()),
  };
  tap.port.onmessage = ({ data }) => arrived(opened, data);
  stream.getAudioTracks()[0].onended = stop; // unplugged: keep what was recorded
  showListening(opened);
  return opened;
}

function arrived(heard, { samples, last }) {
  if (heard.ended) return;
  heard.recorded.push(samples);
  heard.unsent.push({ samples, captured: performance.now() });
  heard.n_recorded += samples.length;
  if (heard.n_recorded / heard.sample_rate >= props.longest_s) stop();
  if (last) {
    heard.ended = true;
    heard.close();
  }
  deliver(heard);
}

function stop() {
  if (!session) return;
  setBusy(true);
  session.tap.port.postMessage("last"); // comes back as the last chunk
}

async function ask(what, question) {
  const answer = await server[what]({ page: props.page, ...question });
  if (!answer) throw { told: "The server does not answer. Is it still running?", lost: true };
  if (answer.problem) throw { told: answer.problem };
  return answer;
}

async function deliver(heard) {
  if (heard.delivering) return;
  heard.delivering = true;
  let retries = 0;
  while (heard.unsent.length) {
    const chunks = heard.unsent.splice(0, MOST_CHUNKS);
    try {
      const bytes = new Uint8Array(await new Blob(chunks.map(({ samples }) => samples)).arrayBuffer());
      const answer = await ask("feed", { at: heard.at, samples: base64(bytes) });
      heard.at += bytes.length / 2;
      retries = 0;
      if (answer.answer) showAnswer(heard, answer, chunks.at(-1).captured);
    } catch (fault) {
      heard.unsent.unshift(...chunks);
      if (!fault.lost || (heard.ended && ++retries > MOST_RETRIES)) {
        heard.fault = fault.told ?? String(fault);
        break;
      }
      say(LOST);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
  heard.delivering = false;
  if (heard.fault && !heard.ended) stop();
  else if (heard.ended) await finish(heard);
}

async function finish(heard) {
  session = null;
  showIdle();
  offerDownload(heard);
  try {
    showSummary(await ask("stop", {}), heard);
  } catch (fault) {
    heard.fault ??= fault.told;
    find(".summary .text").textContent = "";
    find(".shares").hidden = find(".shares-note").hidden = find(".open").hidden = true;
  }
  say(heard.fault ?? `${time(heard.n_recorded / heard.sample_rate)} recorded.`);
  find(".summary").hidden = false;
  find(".summary h2").focus();
}

async function openInTrajectory() {
  const tab = window.open("about:blank"); // at once: later it would be a popup
  try {
    const { token } = await ask("hand_over", {});
    const address = new URL(`../../trajectory?recording=${token}`, window.location.href);
    if (tab) tab.location = address;
    else window.location = address;
  } catch (fault) {
    tab?.close();
    say(fault.told ?? String(fault));
  }
}

function ready() {
  if (!props.page) return;
  if (props.models.length) button.disabled = false;
  else say(props.no_model);
}

find(".program pre").textContent = code();
find(".hertz").append(...marks());
select.append(...props.models.map((name) => new Option(name, name)));
button.onclick = () => !busy && (session ? stop() : start());
find(".open").onclick = openInTrajectory;
window.addEventListener("beforeunload", (event) => session && event.preventDefault()); // asks whether to leave
watch("page", ready);
ready();
