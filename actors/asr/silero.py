"""Silero's voice detector: how likely each 32 ms of sound holds a voice. It knows no turns and no sessions.

The network (MIT, out of faster-whisper's package) takes 512 new samples at 16 kHz with the 64 before them, and
its two LSTM vectors of 128 numbers; it answers with one probability and the vectors' next values.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from actors import models

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FRAME = 512
"""Samples at 16 kHz that one probability covers: 32 ms."""

CONTEXT = 64
"""Samples before the frame that the network sees again."""

Floats = npt.NDArray[np.float32]
Samples = npt.NDArray[np.int16]
Memory = tuple[Floats, Floats]
"""The LSTM's two vectors, shape (1, sessions, 128)."""

LSTM = 128


def blank() -> Memory:
    """The memory before the first frame."""
    return np.zeros((1, 1, LSTM), np.float32), np.zeros((1, 1, LSTM), np.float32)


class Silero:
    """One detector; calls do not depend on each other, so several sessions may share it."""

    def __init__(self, path: Path | None = None) -> None:
        """Load the network from ``path``, by default the verified one of the manifest."""
        source = path or models.locate("silero-v6/silero_vad_v6.onnx")
        network = source.read_bytes()
        self._over_time = _loaded(network)
        self._side_by_side = _loaded(turned(network))

    def step(self, windows: Samples, memory: Memory) -> tuple[Floats, Memory]:
        """One frame of each of n sessions in one call: a row of 576 samples each, memory of shape (1, n, 128).

        Gives the probability of voice in the last 512 samples of each row, and the memory for the next frame.
        """
        return _run(self._side_by_side, _floats(windows), memory)

    def track(self, sound: Samples) -> Floats:
        """Probability of voice in each frame of a whole recording; the last frame is filled up with silence."""
        frames = -(-len(sound) // FRAME)
        if not frames:
            return np.zeros(0, np.float32)
        padded = np.zeros(CONTEXT + frames * FRAME, np.int16)
        padded[CONTEXT : CONTEXT + len(sound)] = sound
        windows = np.lib.stride_tricks.sliding_window_view(padded, CONTEXT + FRAME)[::FRAME]
        odds: list[Floats] = []
        memory = blank()
        for first in range(0, frames, 1024):  # 33 s at a time: the convolutions' scratch memory stays small
            some, memory = _run(self._over_time, _floats(windows[first : first + 1024]), memory)
            odds.append(some)
        return np.concatenate(odds)


# ---- the network -------------------------------------------------------------------------------------------

_TO_SEQUENCE = b"\x0a\x04perm@\x00@\x02@\x01"
"""The permutation (0, 2, 1) before the LSTM in ONNX's encoding: rows become steps in time."""
_TO_BATCH = b"\x0a\x04perm@\x02@\x00@\x01"
"""(2, 0, 1): rows become sessions side by side."""
_ONE = b"\x08\x01\x12\x0d\x0a\x02\x08\x01\x0a\x02\x08\x01\x0a\x03\x08\x80\x01"
"""Floats of shape (1, 1, 128): the type that is declared for the LSTM's vectors, going in and coming out."""
_MANY = b"\x08\x01\x12\x0d\x0a\x02\x08\x01\x0a\x02\x12\x00\x0a\x03\x08\x80\x01"
"""(1, any, 128)."""


def turned(network: bytes) -> bytes:
    """The same network, whose rows are frames of different sessions instead of one session's, one after the other.

    As it ships, its LSTM walks along the rows. Two edits of equal length turn it; every weight stays as it is. Raises
    ValueError if this is not the network that the manifest names.
    """
    if network.count(_TO_SEQUENCE) != 1 or network.count(_ONE) != 4:
        raise ValueError("the voice detector's rows cannot be sessions; give it silero_vad_v6.onnx of faster-whisper")
    return network.replace(_TO_SEQUENCE, _TO_BATCH).replace(_ONE, _MANY)


def _loaded(network: bytes) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # its shapes are declared for one row; it warns of every call with more
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


def _run(net: InferenceSession, windows: Floats, memory: Memory) -> tuple[Floats, Memory]:
    h, c = memory
    odds, h, c = net.run(None, {"input": windows, "h": h, "c": c})
    return np.asarray(odds, np.float32).reshape(-1), (np.asarray(h), np.asarray(c))


def _floats(pcm: Samples) -> Floats:
    return pcm.astype(np.float32) / np.float32(32768)
