// The microphone: cuts 20 ms of PCM16 at 16 kHz out of whatever blocks the browser gives.
const BLOCK = 320;

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Int16Array(BLOCK);
    this.filled = 0;
  }

  process([[input]]) {
    if (!input) return true;
    for (const value of input) {
      this.block[this.filled++] = Math.max(-1, Math.min(1, value)) * 32767;
      if (this.filled === BLOCK) {
        this.port.postMessage(this.block.slice().buffer);
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("microphone", Microphone);
