"""Silero's voice detector: how likely each 32 ms of sound holds a voice. It knows no turns and no sessions.

The network (MIT, out of faster-whisper's package) takes 512 new samples at 16 kHz with the 64 before them, and
its two LSTM vectors of 128 numbers; it answers with one probability and the vectors' next values.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from actors import models

FRAME = 512
"""Samples at 16 kHz that one probability covers: 32 ms."""

CONTEXT = 64
"""Samples before the frame that the network sees again."""

Floats = npt.NDArray[np.float32]
Memory = tuple[Floats, Floats]
"""The LSTM's two vectors, shape (1, 1, 128)."""

LSTM = 128


def blank() -> Memory:
    """The memory before the first frame."""
    return np.zeros((1, 1, LSTM), np.float32), np.zeros((1, 1, LSTM), np.float32)


class Silero:
    """One detector; calls do not depend on each other, so several sessions may share it."""

    def __init__(self, path: Path | None = None) -> None:
        """Load the network from ``path``, by default the verified one of the manifest."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        source = path or models.locate("silero-v6/silero_vad_v6.onnx")
        self._net = onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])

    def step(self, window: npt.NDArray[np.int16], memory: Memory) -> tuple[float, Memory]:
        """Probability of voice in the last 512 of ``window``'s 576 samples, and the memory for the next frame."""
        odds, memory = self._run(_floats(window)[None, :], memory)
        return float(odds[0]), memory

    def track(self, sound: npt.NDArray[np.int16]) -> Floats:
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
            some, memory = self._run(_floats(windows[first : first + 1024]), memory)
            odds.append(some)
        return np.concatenate(odds)

    def _run(self, windows: Floats, memory: Memory) -> tuple[Floats, Memory]:
        h, c = memory
        odds, h, c = self._net.run(None, {"input": windows, "h": h, "c": c})
        return np.asarray(odds, np.float32).reshape(-1), (np.asarray(h), np.asarray(c))


def _floats(pcm: npt.NDArray[np.int16]) -> Floats:
    return pcm.astype(np.float32) / np.float32(32768)
