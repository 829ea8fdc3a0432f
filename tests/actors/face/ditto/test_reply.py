"""A reply's motion with stubs for networks: what is listened to, how often, and which windows are run."""

from __future__ import annotations

import numpy as np
import pytest

from actors.face.ditto import memory as memories
from actors.face.ditto import reply
from actors.face.ditto.memory import Memory
from actors.face.ditto.motion.audio import CHUNK_REACH, Sound
from actors.face.ditto.motion.condition import emotion
from actors.face.ditto.plan import DEFAULT, Plan
from actors.face.ditto.reply import LEAST, Mind, TooLittleSound
from streaming.media import FRAME
from tests.actors.face.ditto.moving import up_to

MIND = Mind(np.zeros(265), emotion(4)[None], np.ones((1, 2)), np.zeros((1, 6)), np.zeros(63))
SILENCE = np.full((5, 1024), -1.0)


class Stage:
    """The n-th chunk that is heard gives the feature n; a window moves as its rows' first feature says."""

    def __init__(self) -> None:
        self.chunks = 0
        self.windows: list[tuple[float, float, int, int]] = []
        """First and last feature of each, its number and its steps."""

    def hear(self, wave16k: np.ndarray) -> np.ndarray:
        self.chunks += 1
        return np.full((20, 1024), self.chunks, np.float32)

    def move(self, frame: np.ndarray, rows: np.ndarray, seed: int, window: int, steps: int) -> np.ndarray:
        assert rows.shape == (80, 1103) and frame.shape == (265,) and seed == 7
        self.windows.append((float(rows[0, 0]), float(rows[-1, 0]), window, steps))
        return np.repeat(rows[:, :1], 265, 1)

    def up_to(
        self, frame: int, memory: Memory, frames: int, total: int | None, plan: Plan = DEFAULT, more: int = 0
    ) -> Memory:
        sound = Sound(0, np.zeros(frames * FRAME + more, np.float32))
        return up_to(frame, memory, sound, total, plan, memory.track.windows, 7, MIND, self.hear, self.move)


def begun(frame: int = 0) -> Memory:
    return memories.begin(40, SILENCE, frame)


def test_the_first_frame_takes_two_chunks_and_two_windows() -> None:
    stage = Stage()
    memory = stage.up_to(0, begun(), 1, None, more=LEAST)
    assert stage.chunks == 2
    assert stage.windows == [(-1, 1, 0, 10), (-1, 2, 1, 10)]
    assert (memory.track.finished, memory.track.end, memory.heard) == (5, 10, 10)


def test_what_is_finished_is_not_done_again() -> None:
    stage = Stage()
    memory = stage.up_to(0, begun(), 1, None, more=LEAST)
    assert stage.up_to(4, memory, 1, None) is memory
    assert stage.chunks == len(stage.windows) == 2


def test_after_the_end_the_last_feature_stays_and_nothing_more_is_heard() -> None:
    stage = Stage()
    memory = stage.up_to(11, begun(), 12, 12)
    assert stage.chunks == 3
    assert [last for _, last, _, _ in stage.windows] == [1, 2, 3, 3]
    assert memory.audio[-6:, 0].tolist() == [3] * 6
    assert memory.track.finished == 15


def test_a_plans_strides_are_taken_in_turn_from_the_spans_first_window_on() -> None:
    stage = Stage()
    memory = stage.up_to(50, begun(), 200, None, Plan((20, 40), 25))
    assert [(last, steps) for _, last, _, steps in stage.windows] == [(4, 25), (12, 25), (20, 25)]
    stage.windows.clear()
    stage.up_to(memory.track.finished, memory, 200, None, Plan((20, 40), 25))
    assert [(last, number) for _, last, number, _ in stage.windows] == [(24, 3)]


@pytest.mark.parametrize("plan", [DEFAULT, Plan((70, 10)), Plan((10,))])
def test_a_sample_too_few_is_told_with_how_many_are_needed(plan: Plan) -> None:
    Stage().up_to(5, begun(), 6, None, plan, more=LEAST)
    with pytest.raises(TooLittleSound, match=r"frame 5 needs sound .*look_ahead_ms = 446\)"):
        Stage().up_to(5, begun(), 6, None, plan, more=LEAST - 1)


def test_a_wide_window_leaves_sound_for_the_one_that_finishes_it() -> None:
    """Ten frames can be heard: a window of ten would keep all of them back until more is known."""
    stage = Stage()
    memory = stage.up_to(4, begun(), 5, None, Plan((10,)), more=CHUNK_REACH)
    assert [last for _, last, _, _ in stage.windows] == [1, 2] and memory.track.finished == 5
    stage.up_to(5, begun(), 10, None, Plan((10,)), more=CHUNK_REACH)
    assert [last for _, last, _, _ in stage.windows[2:]] == [4, 5], "fifteen: ten at once, and the five behind them"


def test_a_reply_whose_memory_was_lost_begins_at_the_chunk_of_its_frame() -> None:
    stage = Stage()
    memory = stage.up_to(13, begun(13), 200, None)
    assert (memory.track.finished, memory.heard, stage.chunks) == (15, 20, 2)


def test_an_idle_loop_closes() -> None:
    stage = Stage()

    def move(frame: np.ndarray, rows: np.ndarray, seed: int, window: int, steps: int) -> np.ndarray:
        return np.repeat(np.arange(80, dtype=np.float32)[:, None] + 70 * window, 265, 1)

    loop, first = reply.idle(SILENCE, 250, 25, MIND, move)
    assert loop.shape == (250, 265) and first.shape == (265,)
    step = loop[0] - loop[-1]
    np.testing.assert_allclose(step[202:], 1, atol=0.01)  # as if it went on
    assert stage.chunks == 0


def test_a_memory_travels_as_bytes() -> None:
    memory = Stage().up_to(30, begun(), 100, None)
    data = memories.pack(memory)
    back = memories.unpack(data)
    assert memories.pack(back) == data
    assert len(data) < 400_000
    assert back.track.end == memory.track.end
    assert memories.unpack(memories.pack(begun())).track.windows == 0
    for wrong in (data[:-1], data + b"\0", b"PF01" + data[4:], b"", data[:60]):
        with pytest.raises(memories.StateUnreadable, match="start the reply anew"):
            memories.unpack(wrong)
