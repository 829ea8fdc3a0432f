"""A client that can decode no picture any more gets one that stands alone, and not more of them than it needs."""

from __future__ import annotations

from collections import Counter

import pytest

from streaming.commands import Animate
from streaming.conversation import Conversation
from streaming.drawing import Drawing
from streaming.events import FaceEnded, FramesReady, PictureLost, Typed
from streaming.media import FRAME, RATE
from streaming.pace import Pace
from streaming.timeline import Timeline
from tests.streaming.stories import drawn, pcm


class Reply:
    """Four seconds of speech, drawn a span at a time."""

    def __init__(self) -> None:
        self.drawing = Drawing("s", 1, Pace(span_frames=10), Counter(), seed=0, idle_frame=0, codec="h264")
        self.timeline = Timeline()
        self.timeline.begin("word")
        self.timeline.add(pcm(4 * RATE), (), ())

    def ask(self) -> Animate:
        order = self.drawing.next(self.timeline, 0, None, spoken=True)
        assert order is not None
        return order

    def draw(self, order: Animate) -> None:
        for event in drawn(order):
            if isinstance(event, FramesReady):
                self.drawing.drew(event)
            elif isinstance(event, FaceEnded):
                self.drawing.drew_span(event)

    def spans(self, count: int) -> list[bool]:
        """Whether each of the next spans begins with a picture that stands alone."""
        fresh: list[bool] = []
        for _ in range(count):
            order = self.ask()
            fresh.append(order.span.fresh)
            self.draw(order)
        return fresh


def test_the_next_span_after_a_request_stands_alone_once() -> None:
    reply = Reply()
    assert reply.spans(3) == [False] * 3
    for _ in range(20):
        reply.drawing.refresh()
    assert reply.spans(4) == [True, False, False, False]


def test_a_request_that_comes_in_a_span_is_for_the_next_one() -> None:
    reply = Reply()
    reply.spans(3)
    under_way = reply.ask()
    reply.drawing.refresh()
    reply.draw(under_way)
    assert (under_way.span.fresh, reply.spans(2)) == (False, [True, False])


@pytest.mark.parametrize("begun", [False, True])
def test_the_first_picture_stands_alone_anyway(begun: bool) -> None:
    reply = Reply()
    first = reply.ask() if begun else None
    reply.drawing.refresh()
    if first:
        reply.draw(first)
    assert not any(reply.spans(5))


def test_a_request_while_one_is_on_its_way_changes_nothing() -> None:
    reply = Reply()
    reply.spans(3)
    reply.drawing.refresh()
    order = reply.ask()
    reply.drawing.refresh()
    reply.draw(order)
    assert order.span.fresh and not any(reply.spans(5))


def test_one_a_second_is_the_most() -> None:
    reply = Reply()
    fresh: list[bool] = []
    for _ in range(9):
        fresh += reply.spans(1)
        reply.drawing.refresh()
    assert fresh == [False, False, False, True, False, False, True, False, False]
    assert 3 * 10 * FRAME >= RATE


def test_a_span_that_is_repeated_still_stands_alone() -> None:
    reply = Reply()
    reply.spans(3)
    reply.drawing.refresh()
    reply.ask()
    again = reply.drawing.again()
    assert again is not None and again[1].span.fresh


def test_without_a_reply_there_is_nothing_to_draw() -> None:
    talk = Conversation("story")
    assert talk.on(PictureLost()) == []
    talk.on(Typed("hello"))
    assert talk.on(PictureLost()) == []
