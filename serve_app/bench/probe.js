// Put into the page before anything else: notes what leaves the loudspeaker, what is on the canvas, what is told.
// Samples and pictures carry numbers (numbered.py); their reading is the mirror of the writing there.
(() => {
  const probe = { heard: [], seen: [], told: [], looks: 0, unread: 0, last: {}, context: null };
  window.probe = probe;

  // ---- the loudspeaker: a tap between the page's worklet and the destination -----------------------------------
  const tap = `registerProcessor("tap", class extends AudioWorkletProcessor {
    notes = [];
    process(inputs, outputs) {
      const given = inputs[0][0], out = outputs[0][0];
      if (given) out.set(given);
      this.notes.push([currentTime, given ? Math.round(given[0] * 32768) : 0, given ? Math.round(given[127] * 32768) : 0]);
      if (this.notes.length === 4) { this.port.postMessage(this.notes); this.notes = []; }
      return true;
    }
  });`;
  const addModule = AudioWorklet.prototype.addModule;
  AudioWorklet.prototype.addModule = async function (...given) {
    await addModule.call(this, "data:text/javascript," + encodeURIComponent(tap));
    return addModule.apply(this, given);
  };
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (to, ...given) {
    if (!(this instanceof AudioWorkletNode) || !(to instanceof AudioDestinationNode) || this.isTap || this.numberOfInputs)
      return connect.call(this, to, ...given);
    probe.context = this.context;
    const node = new AudioWorkletNode(this.context, "tap", { outputChannelCount: [1] });
    node.isTap = true;
    node.port.onmessage = ({ data }) => probe.heard.push(...data);
    connect.call(this, node);
    connect.call(node, to);
    return to;
  };
  /** The context's time of the sound that leaves the machine now: what the browser says, carried on to this moment. */
  const audible = () => {
    const { contextTime, performanceTime } = probe.context?.getOutputTimestamp() ?? {};
    return contextTime === undefined ? -1 : contextTime + (performance.now() - performanceTime) / 1000;
  };
  probe.audible = audible;

  // ---- what is told --------------------------------------------------------------------------------------------
  const Real = window.WebSocket;
  window.WebSocket = class extends Real {
    constructor(...given) {
      super(...given);
      probe.socket = this;
      this.addEventListener("message", ({ data }) => {
        if (typeof data !== "string") return;
        const { type, turn } = JSON.parse(data);
        if (type === "avatar.hold" || type === "avatar.flush" || type === "avatar.resume") probe.note(type, turn);
      });
    }
  };
  probe.note = (type, turn) => {
    probe.told.push({ type, turn, ms: performance.now(), at: audible(), now: probe.context?.currentTime ?? 0 });
  };

  // ---- the canvas ------------------------------------------------------------------------------------------------
  const CELL = 8, BITS = 24, CLEAR = 24;
  const check = (v) => (v * 7 + (v >> 4) * 11 + (v >> 8) * 13 + (v >> 12) * 3 + (v >> 16) * 5 + 9) % 16;
  probe.read = () => {
    const canvas = document.querySelector("canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 8, 2 * BITS * CELL, 1);
    const at = (half) => {
      const x = (half * CELL + CELL / 2) * 4;
      return data[x - 4] + data[x] + data[x + 4];
    };
    let value = 0;
    for (let k = 0; k < BITS; k++) {
      const step = at(2 * k) - at(2 * k + 1);
      if (Math.abs(step) < 3 * CLEAR) return null;
      value = value * 2 + (step > 0 ? 1 : 0);
    }
    const told = Math.floor(value / 16);
    return check(told) === value % 16 ? { sound: told >> 5, turn: told & 31 } : null;
  };
  let before = null;
  const look = () => {
    requestAnimationFrame(look);
    probe.looks += 1;
    const seen = probe.read();
    if (!seen) { probe.unread += 1; before = null; return; }
    const ms = performance.now();
    probe.last[seen.turn] = ms;
    if (before && before.sound === seen.sound && before.turn === seen.turn) return;
    before = seen;
    probe.seen.push({ ...seen, ms, at: audible() });
  };
  /** After the page draws for the first time: whoever asks later for a frame looks after it is drawn. */
  probe.start = () => requestAnimationFrame(look);
})();
