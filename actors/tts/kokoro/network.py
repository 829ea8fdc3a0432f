"""Kokoro's network: signs and a voice's style to sound, and how long each sign lasts.

The published graph gives the sound alone. It works out the durations on the way, so they are asked for as one output
more; their sum is the length of the sound, to the sample. This file knows no text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.tts.graph import session, with_output
from actors.tts.phones import FRAME
from streaming.stages import StageError

_DURATIONS = "/encoder/Cast_output_0"
"""The graph's inner value with one integer per sign: frames of 25 ms, as the network itself uses them."""
_STYLES = (510, 1, 256)
"""Of a voice: a style for each number of signs."""


@dataclass(frozen=True, slots=True)
class Uttered:
    """What one run of the network gave."""

    sound: NDArray[np.float32]
    """At 24 kHz."""
    frames: list[int]
    """Of each sign, and of the pads before and after them."""


class Network:
    """The graph and its voices. Raises StageError if a file is not what it should be."""

    def __init__(self, folder: Path, alphabet: Mapping[str, int], threads: int) -> None:
        """``folder`` holds kokoro.onnx and voices/NAME.bin; ``threads`` work inside the network."""
        model = with_output((folder / "kokoro.onnx").read_bytes(), _DURATIONS)
        try:
            self._session: Any = session(model, threads)
        except Exception as error:  # onnxruntime raises its own kinds, which share no base class
            raise StageError(f"{folder / 'kokoro.onnx'} is not the voice that was tried: {error}") from error
        self._folder = folder / "voices"
        self._alphabet = alphabet
        self._styles: dict[str, NDArray[np.float32]] = {}

    def utter(self, signs: str, voice: str, speed: float) -> Uttered:
        """One piece, at most 508 signs of the alphabet."""
        ids = [self._alphabet[sign] for sign in signs]
        given = {
            "input_ids": np.array([[0, *ids, 0]], np.int64),
            "style": self._style(voice)[min(len(ids), _STYLES[0] - 1)],
            "speed": np.array([speed], np.float32),
        }
        sound, frames = self._session.run(["waveform", _DURATIONS], given)
        sound, counts = np.ravel(sound), np.ravel(frames).tolist()
        if sum(counts) * FRAME != len(sound) or not np.isfinite(sound).all():
            raise StageError(f"the voice is broken: {sum(counts)} frames do not make {len(sound)} samples; report it")
        return Uttered(sound, counts)

    def _style(self, voice: str) -> NDArray[np.float32]:
        if voice not in self._styles:
            numbers = np.fromfile(self._folder / f"{voice}.bin", "<f4")
            if numbers.size != int(np.prod(_STYLES)):
                raise StageError(f"the voice {voice} is damaged; run: avatar models verify kokoro")
            self._styles[voice] = numbers.reshape(_STYLES)
        return self._styles[voice]
