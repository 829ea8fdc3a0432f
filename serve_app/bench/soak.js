// A long talk on a virtual clock: the page's own client is fed what a service sent once, again and again, as new
// replies, as fast as its pictures can be decoded. The loudspeaker is replaced by one that plays when it is told.
(() => {
  const soak = { made: 0, closed: 0 };
  window.soak = soak;
  const Decoder = window.VideoDecoder;
  window.VideoDecoder = class extends Decoder {
    constructor({ output, error }) {
      super({ output: (frame) => { soak.made += 1; output(frame); }, error });
    }
  };
  const close = VideoFrame.prototype.close;
  VideoFrame.prototype.close = function () {
    if (this.format !== null) soak.closed += 1; // closed already: it has no format
    close.call(this);
  };

  const STEP = 480;
  let time = 0;

  /** Keeps the count of a reply as the worklet does, without its sound. */
  const speaker = {
    turn: -1, pts: 0, fed: 0, limit: 0, total: Infinity,
    get currentTime() { return time; },
    post(order) {
      if (order.kind === "begin") Object.assign(this, { turn: order.turn, pts: order.pts, fed: order.pts, limit: order.pts, total: Infinity });
      else if (order.kind === "silence") Object.assign(this, { turn: -1, pts: 0, fed: 0, limit: 0, total: Infinity });
      else if (order.kind === "sound") this.fed += order.samples.length;
      else if (order.kind === "limit") this.limit = Math.max(this.limit, order.pts);
      else if (order.kind === "total") this.total = order.pts;
    },
    /** 20 ms more; false if pictures are missing. */
    play() {
      const to = Math.min(this.pts + STEP, this.total);
      if (to > this.fed || to > this.limit) return false;
      this.pts = to;
      time += STEP / 24000;
      return true;
    },
    report() {
      return { turn: this.turn, pts: this.pts, time, playing: this.pts > 0 && this.pts < this.total, over: this.pts >= this.total, stalls: 0, stalled: 0 };
    },
  };

  const pause = () => new Promise((go) => { const { port1, port2 } = new MessageChannel(); port1.onmessage = () => { port1.close(); go(); }; port2.postMessage(0); });

  /** The recorded message as one of reply `turn`. */
  const renewed = (message, turn, seq) => {
    if (typeof message !== "string") {
      const copy = message.slice(0);
      const view = new DataView(copy);
      view.setUint16(2, turn, true);
      view.setUint32(4, seq, true);
      return copy;
    }
    const event = JSON.parse(message.replaceAll("resp_1", `resp_${turn}`).replaceAll("assistant_1", `assistant_${turn}`).replaceAll("said", `said_${turn}`));
    if (event.turn) event.turn = turn;
    return JSON.stringify({ ...event, event_id: `evt_${seq}` });
  };

  let seq = 1e6;
  let turn = 1;
  /** Replies for so many minutes; the recorded ones come as text, or as base64 where they are binary. */
  soak.talk = async (recorded, minutes) => {
    const { player, showing, link } = avatar;
    player.speaker = speaker;
    // The service knows nothing of these replies; a playhead in one would end its session.
    soak.say ??= showing.options.say;
    showing.options.say = (type, fields) => type === "avatar.playhead" || soak.say(type, fields);
    const messages = recorded.map(({ text, data }) => text ?? Uint8Array.from(atob(data), (c) => c.charCodeAt(0)).buffer);
    const until = time + minutes * 60;
    while (time < until) {
      turn += 1;
      for (const message of messages) link.take(renewed(message, turn, ++seq));
      let waited = 0;
      while (speaker.turn === turn && speaker.pts < speaker.total) {
        if (speaker.play()) waited = 0;
        else if (++waited > 20000) throw new Error(`reply ${turn} stands at ${speaker.pts} of ${speaker.total}`);
        else await pause();
        showing.reported(speaker.report());
        showing.painter.draw(player.due(), time * 1000);
      }
      for (let k = 0; k < 30; k++) { time += 0.02; showing.painter.draw(player.due(), time * 1000); } // the fade
    }
    return { time, turn, open: soak.made - soak.closed, made: soak.made };
  };
})();
