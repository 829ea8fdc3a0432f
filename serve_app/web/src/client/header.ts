/** The 16 bytes before the payload of a binary message, both ways. What the fields mean is in docs/protocol.md. */
import { HEADER_BYTES, Kind } from "./wire";

export interface Unit {
  kind: Kind;
  flags: number;
  /** Reply number, modulo 65,536. */
  turn: number;
  /** Count of all messages of this direction. */
  seq: number;
  /** Samples: at 24 kHz from the reply's first, at 16 kHz from the session's first for a microphone. */
  pts: number;
  /** The sender's clock; only differences mean anything. */
  senderMs: number;
  payload: Uint8Array;
}

export class WireError extends Error {}

const KINDS: ReadonlySet<number> = new Set(Object.values(Kind));

export function pack(unit: Unit): ArrayBuffer {
  const message = new ArrayBuffer(HEADER_BYTES + unit.payload.byteLength);
  const view = new DataView(message);
  view.setUint8(0, unit.kind);
  view.setUint8(1, unit.flags);
  view.setUint16(2, unit.turn & 0xffff, true);
  view.setUint32(4, unit.seq, true); // DataView takes numbers modulo 2**32 by itself
  view.setUint32(8, unit.pts, true);
  view.setUint32(12, unit.senderMs, true);
  new Uint8Array(message, HEADER_BYTES).set(unit.payload);
  return message;
}

/** Throws WireError for a message that is shorter than its header or of a kind that nobody defined. */
export function unpack(message: ArrayBuffer): Unit {
  if (message.byteLength < HEADER_BYTES) {
    throw new WireError(`a binary message starts with ${HEADER_BYTES} bytes; this one has ${message.byteLength}`);
  }
  const view = new DataView(message);
  const kind = view.getUint8(0);
  if (!KINDS.has(kind)) throw new WireError(`binary message of unknown kind ${kind}`);
  return {
    kind: kind as Kind,
    flags: view.getUint8(1),
    turn: view.getUint16(2, true),
    seq: view.getUint32(4, true),
    pts: view.getUint32(8, true),
    senderMs: view.getUint32(12, true),
    payload: new Uint8Array(message, HEADER_BYTES),
  };
}
