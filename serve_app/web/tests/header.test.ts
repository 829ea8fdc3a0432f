import { expect, test } from "vitest";
import { pack, unpack, WireError } from "../src/client/header";
import { Flag, Kind } from "../src/client/wire";

/** What streaming/media.py packs for the same unit. */
const FROM_PYTHON = "0103ffff07000000400b0000ffffffff0102";

const bytes = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (two) => parseInt(two, 16)).buffer as ArrayBuffer;
const unit = {
  kind: Kind.VIDEO,
  flags: Flag.KEY | Flag.LAST,
  turn: 65535,
  seq: 7,
  pts: 2880,
  senderMs: 2 ** 32 - 1,
  payload: new Uint8Array([1, 2]),
};

test("a unit is packed as Python packs it, and read again", () => {
  expect(new Uint8Array(pack(unit))).toEqual(new Uint8Array(bytes(FROM_PYTHON)));
  expect(unpack(bytes(FROM_PYTHON))).toEqual(unit);
});

test("numbers wrap as the header's fields do", () => {
  const { turn, pts } = unpack(pack({ ...unit, turn: 65537, pts: 2 ** 32 + 5 }));
  expect([turn, pts]).toEqual([1, 5]);
});

test("a payload of PCM16 can be looked at without a copy", () => {
  const { payload } = unpack(bytes(FROM_PYTHON));
  expect(payload.byteOffset % 2).toBe(0);
});

test("what is too short, or of an unknown kind, is an error", () => {
  expect(() => unpack(new ArrayBuffer(15))).toThrow(WireError);
  expect(() => unpack(bytes("09" + FROM_PYTHON.slice(2)))).toThrow("unknown kind 9");
});
