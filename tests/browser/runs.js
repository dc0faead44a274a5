// What Streamlit's messages say about the runs of a page. The page itself may not: one that draws late skips short runs.
window.runs = { asked: 0, busy: false };
{
  const ASK = 90, HASH = 10, METADATA = 18, BEGUN = 34, FINISHED = 48, FOR_ANOTHER_RUN = 2; // of its protocol
  const { send } = WebSocket.prototype;
  let waiting = false; // whether one was asked for since the last one began

  WebSocket.prototype.send = function (message) {
    if (!this.followed) this.addEventListener("message", follow);
    this.followed = true;
    if (message[0] === ASK) {
      window.runs.asked += 1;
      window.runs.busy = waiting = true;
    }
    return send.call(this, message);
  };

  function follow({ data }) {
    const bytes = new Uint8Array(data);
    let at = 0;
    while (bytes[at] === HASH || bytes[at] === METADATA) at = end(bytes, at + 1);
    if (bytes[at] === BEGUN) waiting = false;
    if (bytes[at] === FINISHED && bytes[at + 1] !== FOR_ANOTHER_RUN) window.runs.busy = waiting;
  }

  function end(bytes, at) { // of a field, whose length in bytes comes first, seven bits at a time
    let length = 0, shift = 0;
    do length |= (bytes[at] & 127) << shift, shift += 7; while (bytes[at++] & 128);
    return at + length;
  }
}
