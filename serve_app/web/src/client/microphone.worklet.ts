/** The microphone's thread: 20 ms of PCM16 a message. */
import { Blocks } from "./blocks";

const BLOCK = 320; // 20 ms at 16 kHz

class Microphone extends AudioWorkletProcessor {
  private readonly blocks = new Blocks(BLOCK);

  process(inputs: Float32Array[][]): boolean {
    const input = inputs[0]?.[0];
    if (input) for (const block of this.blocks.take(input)) this.port.postMessage(block.buffer, [block.buffer]);
    return true;
  }
}

registerProcessor("microphone", Microphone);
