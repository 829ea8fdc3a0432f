"""The process that reads a published file: bytes in, bytes out, and no rights in between.

    python -m actors.face.ditto.convert.child KIND < file > result

It reads all of its input, locks itself, then looks at the first byte. Result: for each part its name, its length and
its bytes. It ends with 0, or with 3 and one sentence on the error stream.
"""

from __future__ import annotations

import codecs
import os
import struct
import sys
from typing import Any

import numpy as np

from actors.face.ditto.convert import formats
from actors.face.ditto.convert.lock import lock
from actors.face.ditto.convert.pickles import Refused, read_checkpoint, read_pickle

REFUSED = 3
WRAPPED = ("model_state_dict", "state_dict", "retarget_shoulder")
"""Names under which published checkpoints keep the tensors that we need, beside others."""


def weights(data: bytes) -> dict[str, bytes]:
    """A checkpoint's tensors as safetensors. Raises Refused."""
    found: Any = read_checkpoint(data)
    for name in WRAPPED:
        found = found.get(name, found)
    tensors = {key.removeprefix("module."): value for key, value in found.items()}
    strange = [key for key, value in tensors.items() if not isinstance(value, np.ndarray)]
    if strange or not tensors:
        raise Refused(
            f"the checkpoint holds {strange[0]}, which is no tensor" if strange else "the checkpoint is empty"
        )
    return {"safetensors": formats.safetensors(tensors)}


def config(data: bytes) -> dict[str, bytes]:
    """A configuration's plain values as TOML, its arrays as npz. Raises Refused."""
    found = read_pickle(data)
    if not isinstance(found, dict):
        raise Refused("the configuration is no dictionary")
    said, arrays = formats.split(found)
    return {"toml": formats.toml(said).encode(), "npz": formats.npz(arrays)}


KINDS = {"weights": weights, "config": config}


def main() -> int:
    """Read, lock, convert, write."""
    read = KINDS[sys.argv[1]]
    data = sys.stdin.buffer.read()
    formats.npz({"warm": np.zeros(1)})  # whatever is imported late, it is imported now
    for name in ("ascii", "cp437", "latin1", "utf-8"):
        codecs.lookup(name)
    lock()
    try:
        parts = read(data)
    except Refused as error:
        os.write(2, str(error).encode())
        return REFUSED
    except (ValueError, TypeError, KeyError, OverflowError, MemoryError, OSError) as error:
        os.write(2, f"the file cannot be read: {type(error).__name__}: {error}".encode())
        return REFUSED
    for name, part in parts.items():
        sys.stdout.buffer.write(struct.pack("<16sQ", name.encode(), len(part)))
        sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
