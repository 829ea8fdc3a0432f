"""How a span is drawn: what the planner is asked, what the client is told of it, and that a replay chooses the same."""

from __future__ import annotations

import io
import pickle
from dataclasses import replace

from streaming.commands import Animate, Command, Ended, Frames, Kept, Notice, Show, Speak
from streaming.conversation import Conversation
from streaming.events import (
    Event,
    FaceEnded,
    FramesReady,
    Joined,
    Rejoined,
    ReplyEnded,
    ReplyText,
    SpeechStarted,
    StageFailed,
    Typed,
)
from streaming.journal import Journal, decode, encode, read, replay
from streaming.media import FRAME, RATE
from streaming.meter import Meter
from streaming.pace import Pace
from streaming.recalling import Recalling, note
from streaming.stages import Ahead, FaceLoad, FaceState
from tests.streaming.stories import drawn, shown, spoken

FINE, HALF, STILL = (FaceLoad(4.0, 20.0, 15.0, rung) for rung in ("", "rate", "still"))


def planner(ahead: Ahead, load: FaceLoad | None) -> str:
    """Tells in a word what it was told."""
    known = ahead.known // FRAME
    return f"{ahead.pts // FRAME}+{ahead.want_frames} of {known}, {load.rung or 'fine' if load else 'unknown'}"


class Talk:
    """A conversation whose voice and face answer at once; the face tells ``load`` and leaves out what it must."""

    def __init__(self, load: FaceLoad | None = FINE, *, planned: bool = True, pace: Pace | None = None) -> None:
        self.load = load
        self.told: list[Command] = []
        self.recorded: list[tuple[str, float]] = []
        self.sink = io.StringIO()
        self.talk = Conversation("plans", pace or Pace.file(), live=False, planner=planner if planned else None)
        self._journal = Journal(self.sink, "plans", self.talk.settings())
        self._meter = Meter(lambda name, value, labels: self.recorded.append((name, value)))
        self.happen(Joined())

    def reply(self, turn: int, seconds: float = 2) -> None:
        self.happen(Typed("hello"), ReplyText(turn, "Good day."), ReplyEnded(turn), seconds=seconds)

    def happen(self, *events: Event, seconds: float = 2) -> None:
        pending = list(events)
        while pending:
            event = pending.pop(0)
            orders = self.talk.on(event)
            self._journal(event, orders)
            self._meter(event, orders)
            self.told += orders
            for order in orders:
                pending += spoken(order, round(seconds * RATE)) if isinstance(order, Speak) else []
                pending += self.draw(order) if isinstance(order, Animate) else []

    def draw(self, order: Animate) -> list[Event]:
        every = {"rate": 2, "still": 0}.get(self.load.rung if self.load else "", 1)
        answers: list[Event] = []
        for event in drawn(order):
            if isinstance(event, FaceEnded):
                answers.append(FaceEnded(event.turn, replace(event.state, load=self.load)))
            elif isinstance(event, FramesReady) and every and event.pts // FRAME % every == 0:
                answers.append(event)
        return answers

    def plans(self) -> list[str]:
        return [order.span.plan for order in self.told if isinstance(order, Animate)]

    def pictures(self) -> list[int]:
        return [packet.pts // FRAME for frames in shown(self.told, Frames) for packet in frames.packets]


def test_a_span_is_planned_with_the_sound_it_holds_and_the_newest_load_also_an_earlier_replys() -> None:
    story = Talk()
    story.reply(1)
    assert story.plans() == ["0+25 of 50, unknown", "25+25 of 50, fine"]
    story.load = HALF
    story.reply(2)
    assert story.plans()[2:] == ["0+25 of 50, fine", "25+25 of 50, rate"]
    story.load = None
    story.reply(3)
    assert story.plans()[4:] == ["0+25 of 50, rate", "25+25 of 50, rate"]


def test_without_a_planner_every_plan_is_empty_and_no_load_is_told() -> None:
    story = Talk(HALF, planned=False)
    story.reply(1)
    assert story.plans() == ["", ""] and shown(story.told, Notice) == []


def test_a_rung_is_told_once_a_change_through_all_replies() -> None:
    story = Talk(HALF)
    story.reply(1)
    story.reply(2)
    assert [(notice.turn, notice.rung) for notice in shown(story.told, Notice)] == [(1, "rate")]
    story.load = FINE
    story.reply(3)
    assert [(notice.turn, notice.rung) for notice in shown(story.told, Notice)][1:] == [(3, "")]


def test_a_rung_that_a_cut_reply_could_not_tell_is_told_with_the_next() -> None:
    talk = Conversation("plans", Pace.file(), planner=planner)
    orders = [*talk.on(Typed("hello")), *talk.on(ReplyText(1, "Good day. And a good night. "))]
    speak = next(order for order in orders if isinstance(order, Speak))
    animate = next(order for event in spoken(speak, RATE) for order in talk.on(event) if isinstance(order, Animate))
    talk.on(SpeechStarted(0))
    *_, ended = drawn(animate)
    assert isinstance(ended, FaceEnded)
    assert talk.on(FaceEnded(1, replace(ended.state, load=STILL))) == [], "held: nothing is told now"
    told = [*talk.on(Typed("again")), *talk.on(ReplyText(2, "Good day. And a good night. "))]
    assert [(notice.turn, notice.rung) for notice in shown(told, Notice)] == [(2, "still")]


def test_pictures_left_out_at_a_spans_end_are_told_and_not_counted_as_missing() -> None:
    story = Talk(STILL)
    story.reply(1)
    assert story.pictures() == []
    assert shown(story.told, Kept) == [Kept(1, 25 * FRAME), Kept(1, 50 * FRAME)]
    story.load = HALF
    story.reply(2)
    assert story.pictures() == [*range(0, 50, 2)]
    assert shown(story.told, Kept)[2:] == [Kept(2, 50 * FRAME)], "frame 24 ends a span, frame 49 is left out"
    assert [ended.pts for ended in shown(story.told, Ended)] == [50 * FRAME] * 2
    assert "avatar_frames_missing_total" not in dict(story.recorded)


def test_what_stays_is_told_after_the_pictures_before_it() -> None:
    story = Talk(HALF)
    story.reply(1, 24 * FRAME / RATE)
    messages = [order.message for order in story.told if isinstance(order, Show)]
    media = [type(message) for message in messages if isinstance(message, Frames | Kept | Ended)]
    assert media == [Frames] * 12 + [Kept, Ended]


def test_a_client_that_comes_back_is_told_of_nothing_that_is_drawn_anew() -> None:
    story = Talk(STILL, pace=Pace())
    story.happen(Typed("hello"), ReplyText(1, "Good day."), ReplyEnded(1), seconds=4)
    before = len(story.plans())
    story.load = FINE
    story.happen(Rejoined(1, 0, 0), seconds=4)
    assert story.plans()[before].startswith("0+")
    assert story.pictures() == [*range(len(story.pictures()))]
    assert [kept.pts // FRAME for kept in shown(story.told, Kept)] == [25, 30], "both before it came back"


def test_a_replay_chooses_the_same_plans() -> None:
    story = Talk()
    for turn, load in enumerate((FINE, HALF, STILL, FINE), 1):
        story.load = load
        story.reply(turn, 3)
    header, lines = read(story.sink.getvalue().splitlines())
    entries = list(lines)
    assert list(replay(entries, Conversation.like(header.session, header.settings, planner))) == []
    other = list(replay(entries, Conversation.like(header.session, header.settings)))
    assert other and '"plan":"0+25 of 75, unknown"' in "".join(other[0].recorded)


def test_a_conversation_taken_up_elsewhere_is_planned_there() -> None:
    talk = Conversation("plans", Pace(), planner=planner)
    recalling = Recalling("plans", talk.settings(), planner)
    recalling.take({"in": "what a client said"})
    for event in (Joined(), Typed("hello"), ReplyText(1, "Good day.")):
        if noted := note(event, talk.on(event)):
            recalling.take(noted)
    again = recalling.conversation()
    orders = again.on(Rejoined(1))
    orders += [more for event in (ReplyText(1, "Good day."), ReplyEnded(1)) for more in again.on(event)]
    speak = next(order for order in orders if isinstance(order, Speak))
    told = [order for event in spoken(speak, RATE) for order in again.on(event)]
    assert next(order.span.plan for order in told if isinstance(order, Animate)).endswith("unknown")


def test_a_face_that_fails_at_half_rate_is_missing_from_there_on() -> None:
    story = Talk(HALF)
    story.draw = lambda order: [  # type: ignore[method-assign]
        *(Talk.draw(story, order) if order.span.pts == 0 else [StageFailed(1, "face", "it broke")])
    ]
    story.reply(1, 3)
    assert ("avatar_frames_missing_total", 50) in story.recorded
    assert [notice.rung for notice in shown(story.told, Notice)] == ["rate", "voice"]


def test_a_state_travels_between_processes_and_through_journals_with_its_load() -> None:
    state = FaceState("story", FRAME, b"moving", HALF)
    assert pickle.loads(pickle.dumps(state)) == state
    assert decode(encode(state)) == state and decode(encode(replace(state, load=None))).load is None


def test_sound_that_is_heard_in_chunks_is_drawn_in_chunks() -> None:
    pace = Pace.file().with_chunks(5, 6863, 4 * RATE)
    assert (pace.look_ahead, pace.span_sound) == (6863, 4 * RATE)
    assert Pace(look_ahead=9000, span_sound=5 * RATE).with_chunks(5, 6863, RATE).look_ahead == 9000
    talk = Conversation("plans", pace, live=False, planner=planner)
    orders = [*talk.on(Typed("hello")), *talk.on(ReplyText(1, "Good day. "))]
    speak = next(order for order in orders if isinstance(order, Speak))
    asked: list[int] = []
    for samples in (11_662, 1, 4_799, 1):
        for order in talk.on(spoken(speak, samples)[0]):
            if isinstance(order, Animate):
                asked.append(order.span.want_frames)
                for event in drawn(order):
                    talk.on(event)
        asked.append(0)
    assert asked == [0, 5, 0, 0, 5, 0]
