"""When somebody speaks: Silero's probabilities, frame by frame, become "speech began" and "speech paused".

It knows nothing of words or turns; whether a pause ends the turn is the conversation's decision. What it
remembers travels in HearState, so that any process can go on with any session.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from actors.asr.silero import CONTEXT, FRAME, LSTM, Memory, Silero, blank
from streaming.stages import HearState, StageError, Voicing

_VECTORS = 2 * LSTM * 4
_HEAD = struct.Struct("<H")
"""How many frames of the coming speech were voiced so far."""


@dataclass(frozen=True, slots=True)
class _Memory:
    """What the detector remembers between blocks."""

    lstm: Memory
    voiced: int
    tail: npt.NDArray[np.int16]
    """The 64 samples before the next frame, then those that did not fill a frame yet."""


class SileroListener:
    """The Listener for one process; it serves any number of sessions. About 0.1 ms of one core per 32 ms."""

    def __init__(
        self,
        pause_ms: int = 200,
        *,
        start: float = 0.5,
        confirm_frames: int = 3,
        model: Path | None = None,
    ) -> None:
        """Speech begins with a probability of ``start`` and is news once ``confirm_frames`` of 32 ms were voiced:
        a cough or a knock is shorter. It goes on down to 0.15 less and pauses after ``pause_ms`` without,
        rounded to whole frames: 200 ms are 6 frames, 192 ms. A session may have a ``start`` of its own, as
        ``HearState.threshold``.
        """
        self._silero = Silero(model)
        self._start = start
        self._confirm = confirm_frames
        self._pause = max(1, round(pause_ms * 16 / FRAME)) * FRAME

    def hear(self, pcm16k: bytes, state: HearState) -> tuple[list[Voicing], HearState]:
        """Judge a block of any length, PCM16 mono at 16 kHz. How sound is cut into blocks does not change the news.

        Raises StageError on half a sample, or on a memory that another engine wrote.
        """
        if len(pcm16k) % 2:
            raise StageError(f"the microphone sent {len(pcm16k)} bytes, but PCM16 samples have 2: send whole samples")
        memory = _unpack(state.memory)
        sound = np.concatenate([memory.tail, np.frombuffer(pcm16k, "<i2")])
        lstm, voiced = memory.lstm, memory.voiced
        frames = (len(sound) - CONTEXT) // FRAME
        start = self._start if state.threshold is None else state.threshold
        threshold, news = state.threshold, list[Voicing]()
        for k in range(frames):
            odds, lstm = self._silero.step(sound[k * FRAME : k * FRAME + CONTEXT + FRAME], lstm)
            state, voiced, heard = self._judge(odds, state, voiced, start)
            news.extend(heard)
        packed = _pack(_Memory(lstm, voiced, sound[frames * FRAME :]))
        return news, HearState(state.at, state.speaking, state.voiced_from, state.voiced_until, packed, threshold)

    def _judge(self, odds: float, s: HearState, voiced: int, start: float) -> tuple[HearState, int, list[Voicing]]:
        """One more frame: the state after it, voiced frames of a speech not yet confirmed, and the news."""
        here, after = s.at, s.at + FRAME
        stop = max(start - 0.15, 0.01)  # never 0: any sound would go on for ever
        if s.speaking:
            if odds >= stop:
                return HearState(after, True, s.voiced_from, after), 0, []
            if after - s.voiced_until < self._pause:
                return HearState(after, True, s.voiced_from, s.voiced_until), 0, []
            return HearState(after, False, s.voiced_from, s.voiced_until), 0, [Voicing(False, s.voiced_until)]
        if odds < (stop if voiced else max(start, stop)):
            return HearState(after, False, s.voiced_from, s.voiced_until), 0, []
        began = s.voiced_from if voiced else here
        if voiced + 1 < self._confirm:
            return HearState(after, False, began, after), voiced + 1, []
        return HearState(after, True, began, after), 0, [Voicing(True, began)]


def _pack(memory: _Memory) -> bytes:
    h, c = memory.lstm
    return b"".join(
        [_HEAD.pack(memory.voiced), h.astype("<f4").tobytes(), c.astype("<f4").tobytes(), memory.tail.tobytes()]
    )


def _unpack(data: bytes) -> _Memory:
    if not data:
        return _Memory(blank(), 0, np.zeros(CONTEXT, np.int16))
    tail = len(data) - _HEAD.size - _VECTORS
    if not 2 * CONTEXT <= tail < 2 * (CONTEXT + FRAME) or tail % 2:
        raise StageError("this HearState.memory was not written by SileroListener; begin again with HearState()")
    (voiced,) = _HEAD.unpack_from(data)
    vectors = np.frombuffer(data, "<f4", 2 * LSTM, _HEAD.size).reshape(2, 1, 1, LSTM)
    return _Memory((vectors[0], vectors[1]), voiced, np.frombuffer(data, "<i2", tail // 2, _HEAD.size + _VECTORS))
