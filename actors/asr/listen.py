"""When somebody speaks: Silero's probabilities, frame by frame, become "speech began" and "speech paused".

It knows nothing of words or turns; whether a pause ends the turn is the conversation's decision. What it
remembers travels in HearState, so that any process can go on with any session.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from actors.asr.silero import CONTEXT, FRAME, LSTM, Memory, Silero
from streaming.stages import Hearing, HearState, StageError, Voicing

_VECTORS = 2 * LSTM * 4
_HEAD = struct.Struct("<H")
"""How many frames of the coming speech were voiced so far."""


@dataclass(slots=True)
class _Block:
    """A session's sound that is being judged, frame after frame."""

    sound: npt.NDArray[np.int16]
    """The 64 samples before the next frame, then what was not judged yet."""
    lstm: Memory
    voiced: int
    """Frames of the coming speech that were voiced so far."""
    state: HearState
    """As far as it was judged."""
    threshold: float | None
    """The session's own."""
    news: list[Voicing]

    @property
    def frames(self) -> int:
        """Whole frames in it."""
        return (len(self.sound) - CONTEXT) // FRAME


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

    def hear(self, pcm16k: bytes, state: HearState) -> Hearing:
        """Judge a block of any length, PCM16 mono at 16 kHz. How sound is cut into blocks does not change the news.

        Raises StageError on half a sample, or on a memory that another engine wrote.
        """
        return self.kept(pcm16k, state) or self.hear_all([(pcm16k, state)])[0]

    def kept(self, pcm16k: bytes, state: HearState) -> Hearing | None:
        """The answer to a block that does not fill a frame: it is kept for later. None if there is a frame to judge.

        Raises what ``hear`` does; a block that was asked about here can be judged.
        """
        if len(pcm16k) % 2:
            raise StageError(f"the microphone sent {len(pcm16k)} bytes, but PCM16 samples have 2: send whole samples")
        memory = state.memory or _FRESH
        waiting = len(memory) - _TAIL
        if not 2 * CONTEXT <= waiting < 2 * (CONTEXT + FRAME) or waiting % 2:
            raise StageError("this HearState.memory was not written by SileroListener; begin again with HearState()")
        if waiting + len(pcm16k) >= 2 * (CONTEXT + FRAME):
            return None
        return [], replace(state, memory=memory + pcm16k)

    def hear_all(self, heard: Sequence[tuple[bytes, HearState]]) -> list[Hearing]:
        """The same for one block each of several sessions: the network is called once for all, frame after frame."""
        blocks = [_opened(pcm, state) for pcm, state in heard]
        for k in range(max((block.frames for block in blocks), default=0)):
            going = [block for block in blocks if block.frames > k]
            windows = np.stack([block.sound[k * FRAME : k * FRAME + CONTEXT + FRAME] for block in going])
            odds, (h, c) = self._silero.step(windows, _side_by_side([block.lstm for block in going]))
            for row, block in enumerate(going):
                block.lstm = h[:, row : row + 1], c[:, row : row + 1]
                start = self._start if block.threshold is None else block.threshold
                block.state, block.voiced, news = self._judge(float(odds[row]), block.state, block.voiced, start)
                block.news += news
        return [(block.news, _closed(block)) for block in blocks]

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


_TAIL = _HEAD.size + _VECTORS
"""Where the samples begin in a memory; new ones are just added behind."""


def _opened(pcm: bytes, state: HearState) -> _Block:
    memory = state.memory or _FRESH
    (voiced,) = _HEAD.unpack_from(memory)
    h, c = np.frombuffer(memory, "<f4", 2 * LSTM, _HEAD.size).reshape(2, 1, 1, LSTM)
    return _Block(np.frombuffer(memory[_TAIL:] + pcm, "<i2"), (h, c), voiced, state, state.threshold, [])


def _closed(block: _Block) -> HearState:
    s, (h, c) = block.state, block.lstm
    tail = block.sound[block.frames * FRAME :]
    parts = [_HEAD.pack(block.voiced), h.astype("<f4").tobytes(), c.astype("<f4").tobytes(), tail.tobytes()]
    return HearState(s.at, s.speaking, s.voiced_from, s.voiced_until, b"".join(parts), block.threshold)


def _side_by_side(memories: Sequence[Memory]) -> Memory:
    if len(memories) == 1:
        return memories[0]
    return np.concatenate([h for h, _ in memories], axis=1), np.concatenate([c for _, c in memories], axis=1)


_FRESH = bytes(_TAIL + 2 * CONTEXT)
"""The memory before the first block: no voice, blank vectors, silence."""
