"""Whether a turn sounds complete: Smart Turn v3.2 on the last 8 s of it. It knows no pauses, limits or sessions.

The network (BSD-2-Clause, 8.7 MB, carried by the package pipecat-ai) sees what Whisper sees: 80 mel bands, 100 times
a second. The sound stands at the end of its 8 s, with zeros before it, and the whole 8 s are brought to mean 0 and
variance 1 first: tests/actors/asr/test_smart_turn.py compares the figures with the package's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from actors import models
from streaming.stages import StageError

RATE = 16_000
WINDOW = 8 * RATE
"""Samples that one judgement sees."""

BANDS = 80
FFT, HOP = 400, 160
"""Samples of one spectrum, and from one to the next: 25 ms and 10 ms."""

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

_LOGARITHMIC = 1000.0
"""Hz above which Slaney's scale is logarithmic: 15 mels lie below, and 27 for each factor of 6.4 above."""


def _hertz(mels: Doubles) -> Doubles:
    """Slaney's mel scale, read backwards."""
    return np.where(mels < 15, mels * 200 / 3, _LOGARITHMIC * 6.4 ** ((mels - 15) / 27))


def filters() -> Doubles:
    """The mel bands as weights of spectrum lines, shape (80, 201): triangles of equal area that overlap by half."""
    top = 15 + 27 * np.log(RATE / 2 / _LOGARITHMIC) / np.log(6.4)
    corners = _hertz(np.linspace(0, top, BANDS + 2))
    low, peak, high = (corners[k : k + BANDS, None] for k in range(3))
    lines = np.linspace(0, RATE / 2, FFT // 2 + 1)
    rising, falling = (lines - low) / (peak - low), (high - lines) / (high - peak)
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)


_FILTERS = filters()
_HANN = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)


def features(sound: npt.NDArray[np.int16]) -> Floats:
    """What the network sees of ``sound``, PCM16 at 16 kHz of any length: shape (80, 800), about -1 to 1."""
    window = np.zeros(WINDOW)
    kept = sound[-WINDOW:]
    window[WINDOW - len(kept) :] = kept / 32768
    window = (window - window.mean()) / np.sqrt(window.var() + 1e-7)
    mirrored = np.pad(window, FFT // 2, mode="reflect")
    slices = np.lib.stride_tricks.sliding_window_view(mirrored, FFT)[:WINDOW:HOP]
    power = np.abs(np.fft.rfft(slices * _HANN)) ** 2
    levels = np.log10(np.maximum(_FILTERS @ power.T, 1e-10))
    return ((np.maximum(levels, levels.max() - 8) + 4) / 4).astype(np.float32)


class SmartTurn:
    """The Judge for one process; calls do not depend on each other, so any number of sessions may share it.

    One judgement takes 35 ms of one core (an x86 server's, median of 40), 16 ms of it for the features.
    """

    def __init__(self, model: Path | None = None) -> None:
        """Load the network from ``model``, by default the verified one of the manifest.

        Raises ModelMissing, a StageError with the line to run, where the package is not installed.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        source = model or models.locate("smart-turn-v3.2/smart-turn-v3.2-cpu.onnx")
        self._net: Any = onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])

    def judge(self, pcm16k: bytes) -> float:
        """Probability in [0, 1] that the turn is complete. PCM16 mono at 16 kHz; only its last 8 s are listened to.

        Raises StageError on half a sample.
        """
        if len(pcm16k) % 2:
            raise StageError(f"the turn has {len(pcm16k)} bytes, but PCM16 samples have 2: give whole samples")
        seen = features(np.frombuffer(pcm16k, "<i2"))
        (odds,) = self._net.run(None, {"input_features": seen[None]})
        return float(odds[0, 0])
