"""Plans in a conversation: no span is ever asked for that cannot be drawn, and how many windows a reply takes.

The core asks as it does in the service.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from actors.face.ditto.memory import StateUnreadable
from actors.face.ditto.plan import EVERY, PUBLISHED
from actors.face.ditto.planner import Planner
from serve_app.planning import paced
from streaming.commands import Animate, Frames, Kept, Notice
from streaming.drawing import Drawing, Planning
from streaming.events import FaceEnded, FramesReady
from streaming.media import FRAME, RATE, FramePacket, frames_for
from streaming.pace import Pace
from streaming.stages import Ahead, FaceLoad, FaceState, Rung
from streaming.timeline import Timeline
from tests.actors.face.ditto.moving import QUICK, Face
from tests.streaming.stories import pcm


class Talk:
    """One reply: its sound comes in pieces, its pictures are asked for as the service asks."""

    def __init__(
        self, face: Face, planner: Planner, pace: Pace | None = None, planning: Planning | None = None
    ) -> None:
        self.face = face
        pace = paced(pace or Pace(), planner)
        self.planning = planning or Planning(planner)
        self.drawing = Drawing("s", 1, pace, Counter(), seed=0, idle_frame=0, codec="h264", planning=self.planning)
        self.timeline = Timeline()
        self.timeline.begin("word")
        self.drawn: list[int] = []
        self.told: list[Kept | Notice] = []
        self.plans: list[str] = []

    def speak(self, samples: int) -> None:
        self.timeline.add(pcm(samples), (), ())

    def asked(self, playhead: int = 0, horizon: int | None = None, *, spoken: bool = False) -> Animate | None:
        order = self.drawing.next(self.timeline, playhead, horizon, spoken=spoken)
        self.plans += [order.span.plan] if order else []
        return order

    def draw(self, order: Animate) -> None:
        drawn, state = self.face.draw(order.span, order.state)
        for frame in drawn:
            self.drawing.drew(FramesReady(1, frame * FRAME, (FramePacket(frame * FRAME, b"", frame == 0),)))
        assert self.drawing.drew_span(FaceEnded(1, state))
        for told in self.drawing.take():
            if isinstance(told, Frames):
                self.drawn += [packet.pts // FRAME for packet in told.packets]
            else:
                self.told.append(told)

    def draw_all(self, playhead: int = 0, horizon: int | None = None, *, spoken: bool = False) -> None:
        while order := self.asked(playhead, horizon, spoken=spoken):
            self.draw(order)


LOADS = some.builds(
    FaceLoad,
    chunk_ms=some.floats(0.1, 50),
    window_ms=some.floats(1, 2_000),
    frame_ms=some.floats(1, 80),
    rung=some.sampled_from(("", "steps", "rate", "still")),
)


@settings(max_examples=150, deadline=None)
@given(
    pieces=some.lists(some.integers(1, 40_000), min_size=1, max_size=12),
    loads=some.lists(LOADS, min_size=1, max_size=4),
    strides=some.sampled_from((PUBLISHED, EVERY, (5,), (5, 70))),
    lag=some.integers(0, 60_000),
    bound=some.booleans(),
    back=some.none() | some.integers(0, 300_000),
)
def test_whatever_comes_when_every_span_can_be_drawn_and_every_frame_once(
    pieces: list[int], loads: list[FaceLoad], strides: tuple[int, ...], lag: int, bound: bool, back: int | None
) -> None:
    """Sound in any pieces, any playhead, any load, a client that comes back."""
    talk = Talk(Face(), Planner(strides=strides))
    for number, samples in enumerate(pieces):
        talk.face.load = loads[number % len(loads)]
        talk.speak(samples)
        playhead = max(talk.timeline.total - lag, 0)
        talk.draw_all(playhead, playhead + RATE * 6 // 5 if bound else None)
    if back is not None:
        back = min(back, (talk.drawn[-1] + 1) * FRAME if talk.drawn else 0)  # nobody has what was never sent
        talk.drawing.regain(back, talk.timeline.total)
        talk.drawn = [frame for frame in talk.drawn if frame * FRAME < back // FRAME * FRAME]
    talk.draw_all(talk.timeline.total, None, spoken=True)
    total = frames_for(talk.timeline.total)
    assert talk.drawing.finished(talk.timeline.total)
    assert talk.drawn == sorted(set(talk.drawn)) and set(talk.drawn) <= set(range(total))
    if not any(load.rung in ("rate", "still") for load in loads):
        assert talk.drawn == list(range(total))


def test_the_first_picture_comes_with_half_a_second_of_sound() -> None:
    talk = Talk(Face(), Planner())
    talk.speak(11_662)
    assert talk.asked() is None
    talk.speak(1)
    order = talk.asked()
    assert order is not None and order.span.want_frames == 5
    assert talk.timeline.total * 1000 // RATE == 485
    talk.draw(order)
    assert talk.drawn == [0, 1, 2, 3, 4] and len(talk.face.windows) == 2


@pytest.mark.parametrize(("speed", "windows"), [(1.0, (45, 60)), (4.0, (8, 20)), (None, (4, 9))])
def test_the_further_the_voice_is_ahead_the_fewer_windows_a_reply_takes(
    speed: float | None, windows: tuple[int, int]
) -> None:
    """Ten seconds, spoken as they are heard, four times as fast, or all at once; drawn a lead ahead."""
    talk = Talk(Face(), Planner(), planning=Planning(Planner(), QUICK))
    length, step, heard = 10 * RATE, RATE // 10, 0
    while not talk.drawing.finished(talk.timeline.total) or talk.timeline.total < length:
        more = length if speed is None else round(step * speed)
        talk.speak(min(more, length - talk.timeline.total))
        talk.draw_all(heard, heard + RATE * 6 // 5, spoken=talk.timeline.total == length)
        heard = min(heard + step, len(talk.drawn) * FRAME)
    assert talk.drawn == list(range(250))
    assert windows[0] <= len(talk.face.windows) <= windows[1], len(talk.face.windows)


def test_each_rung_gives_up_more_and_is_told_once() -> None:
    talk = Talk(Face(), Planner())
    talk.speak(20 * RATE)
    rungs: tuple[Rung, ...] = ("", "steps", "steps", "rate", "still", "still", "")
    for rung in rungs:
        talk.face.load = FaceLoad(4.0, 20.0, 15.0, rung)
        order = talk.asked(talk.drawing.idle_frame(0))
        assert order is not None
        talk.draw(order)
    assert [told.rung for told in talk.told if isinstance(told, Notice)] == ["steps", "rate", "still", ""]
    assert all(told.reason and told.turn == 1 for told in talk.told if isinstance(told, Notice))
    assert talk.plans[0] == "" and "steps=10" in talk.plans[1]
    assert "steps=5" in talk.plans[2] and "every" not in talk.plans[2] + talk.plans[3]
    assert talk.plans[4].endswith("steps=5;every=2") and talk.plans[5:] == ["still", "still"]
    whole, half = list(range(100)), list(range(100, 125, 2))
    assert talk.drawn == whole + half
    assert [told.pts // FRAME for told in talk.told if isinstance(told, Kept)] == [150, 175]
    talk.draw_all(spoken=True)
    assert talk.drawn[len(whole + half) :] == list(range(175, 500))


def test_a_span_that_ends_in_a_picture_left_out_says_so() -> None:
    talk = Talk(Face(), Planner(), planning=Planning(Planner(), FaceLoad(4.0, 20.0, 15.0, "rate")))
    talk.face.load = FaceLoad(4.0, 20.0, 15.0, "rate")
    talk.speak(3 * RATE)
    talk.draw_all(spoken=True)
    assert talk.drawn == [*range(0, 75, 2)]
    assert [told for told in talk.told if isinstance(told, Kept)] == [Kept(1, 50 * FRAME)]


def test_a_lost_replica_at_half_rate_sends_nothing_twice() -> None:
    load = FaceLoad(4.0, 20.0, 15.0, "rate")
    talk = Talk(Face(load), Planner(), planning=Planning(Planner(), load))
    talk.speak(3 * RATE)
    order = talk.asked()
    assert order is not None
    for frame in (0, 2, 4):
        talk.drawing.drew(FramesReady(1, frame * FRAME, (FramePacket(frame * FRAME, b"", frame == 0),)))
    again = talk.drawing.again()
    assert again is not None and again[1].span.plan == order.span.plan and again[1].span.skip == 5
    talk.draw(again[1])
    talk.draw_all(spoken=True)
    assert talk.drawn == [*range(0, 75, 2)]


def test_without_news_of_a_replica_the_plan_is_the_default() -> None:
    ahead = Ahead(0, 25, 5 * RATE, False, 0, None)
    assert Planner()(ahead, None) == ""
    assert Planner(steps=5)(ahead, QUICK).endswith("steps=5")
    assert "steps=5" in Planner(steps=5)(ahead, FaceLoad(4.0, 20.0, 15.0, "steps")), "five are the fewest"
    with pytest.raises(StateUnreadable):
        Planner()(Ahead(0, 25, 5 * RATE, False, 0, FaceState("ditto", 0, b"x")), QUICK)


@pytest.mark.parametrize(
    ("strides", "steps", "said"),
    [
        ((), 10, "one or more of"),
        ((5, 6), 10, "one or more of"),
        ((10, 70), 10, "strides of 5"),
        ((5,), 0, "steps are"),
    ],
)
def test_a_planner_that_cannot_be_says_why(strides: tuple[int, ...], steps: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Planner(steps, strides)
