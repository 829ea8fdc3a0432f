/** Cuts PCM16 blocks of one length out of whatever blocks a browser gives. Pure; the microphone's worklet uses it. */
export class Blocks {
  private block: Int16Array<ArrayBuffer>;
  private filled = 0;
  private readonly length: number;

  constructor(length: number) {
    this.length = length;
    this.block = new Int16Array(length);
  }

  /** The blocks that these samples (-1 to 1) complete. */
  take(samples: Float32Array): Int16Array<ArrayBuffer>[] {
    const done: Int16Array<ArrayBuffer>[] = [];
    for (const value of samples) {
      this.block[this.filled++] = Math.round(Math.max(-1, Math.min(1, value)) * 32767);
      if (this.filled < this.length) continue;
      done.push(this.block);
      this.block = new Int16Array(this.length);
      this.filled = 0;
    }
    return done;
  }
}

/** How loud a block is, 0 to 1; speech at arm's length is about a half. */
export function loudness(block: Int16Array): number {
  let sum = 0;
  for (const value of block) sum += value * value;
  const decibel = 10 * Math.log10(sum / block.length / 32768 ** 2 + 1e-9);
  return Math.max(0, Math.min(1, (decibel + 60) / 50));
}
