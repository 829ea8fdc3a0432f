"""The driver with small stages that answer, break, hang and die as they are told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from streaming.commands import (
    Animate,
    Audio,
    Cancel,
    Command,
    Cut,
    Ended,
    Failed,
    Frames,
    HangUp,
    Notice,
    ReplyDelta,
    Show,
    UserCaption,
)
from streaming.conversation import Conversation
from streaming.driving import APOLOGIES, UNVOICED, Driving
from streaming.events import (
    Added,
    Event,
    Heard,
    Joined,
    Left,
    Removed,
    Requested,
    SpeechEnded,
    SpeechStarted,
    TalkPressed,
    TalkReleased,
    Tick,
    TurnJudged,
    Typed,
)
from streaming.media import FRAME
from streaming.pace import Pace
from streaming.session import ClientOrder, Session, Stages, ticking
from streaming.stages import (
    Face,
    Hearing,
    HearState,
    History,
    Phone,
    Responder,
    Said,
    Spoken,
    StageError,
    StageLost,
    TextDelta,
    Tool,
    ToolCall,
    Transcript,
    Usage,
    Voicing,
    Word,
)
from tests.streaming.stories import pcm
from tests.stubs import AVATAR, Ears, Echo, Hum, Mask, Scribe


class Room:
    """A session and what its client was told."""

    def __init__(
        self,
        *,
        face: Face | None = None,
        voice: Hum | None = None,
        responder: Responder | None = None,
        listener: Ears | None = None,
        deadline: float = 5.0,
        languages: frozenset[str] | None = None,
    ) -> None:
        self.told: list[ClientOrder] = []
        self.kept: list[Said] = []
        self.log: list[tuple[Event, list[Command]]] = []
        self.scribe = Scribe()
        stages = Stages(listener or Ears(), self.scribe, responder or Echo(), voice or Hum(), face, AVATAR)
        codec = "h264"
        self.session = Session(
            Conversation("room", Pace.file(), codec=codec),
            stages,
            self.tell,
            driving=Driving(languages=languages, first_s=deadline, next_s=deadline),
            memory=self,
            journal=lambda event, commands: self.log.append((event, commands)),
        )

    async def tell(self, order: ClientOrder) -> None:
        self.told.append(order)
        if isinstance(order, Show) and isinstance(order.message, Ended):
            await self.session.happen(self.then.pop(0) if self.then else Left())

    async def remember(self, item: Said, after: str | None) -> None:
        self.kept.append(item)

    async def forget(self, name: str) -> None:
        self.kept = [item for item in self.kept if item.name != name]

    async def live(self, *events: Event, then: Sequence[Event] = ()) -> list[ClientOrder]:
        """Let the events happen; one of ``then`` after each reply's end, and after the last the client leaves."""
        self.then = list(then)
        for event in events:
            await self.session.happen(event)
        await self.session.run(still())
        return self.told

    def shown(self, kind: type) -> list[Any]:
        return [o.message for o in self.told if isinstance(o, Show) and isinstance(o.message, kind)]


async def still() -> AsyncIterator[int]:
    yield 0


async def nothing() -> AsyncIterator[int]:
    for tick in ():
        yield tick


async def test_a_typed_turn_arrives_as_sound_and_pictures() -> None:
    room = Room(face=Mask())
    told = await room.live(Joined(), Typed("hi"))
    assert b"".join(m.pcm for m in room.shown(Audio)) == b"".join(pcm(2400, k + 1) for k in range(5))
    assert [p.pts for m in room.shown(Frames) for p in m.packets] == [k * FRAME for k in range(13)]
    assert room.kept == [
        Said("user", "hi", 1),
        Said("assistant", "You said: hi", 1),
        Said("call", "{}", 1, id="call_1_0", call_id="1", function="look"),
    ]
    assert told[-1] == HangUp("the client left")


async def test_an_item_that_is_taken_out_is_stored_no_more() -> None:
    room = Room(face=Mask())
    await room.live(Added(Said("user", "no", 1, id="a")), Removed("a"), Typed("hi"))
    assert [item.text for item in room.kept] == ["hi", "You said: hi", "{}"]


async def test_a_session_is_at_rest_only_when_what_was_said_is_stored_too() -> None:
    room, rests = Room(), list[tuple[bool, object]]()

    class Slow:
        async def remember(self, item: Said, after: str | None) -> None:
            rests.append((room.session.resting, room.session.checkpoint()))
            await room.session.happen(Left())

        async def forget(self, name: str) -> None:
            raise AssertionError("nothing is taken out")

    room.session._memory = Slow()
    assert room.session.resting
    await room.session.happen(Added(Said("user", "I play the flute.", 1, id="a")))
    await room.session.run(nothing())
    assert rests == [(False, None)] and room.session.settled
    kept = room.session.checkpoint()
    assert kept and [said["text"] for said in kept["history"]] == ["I play the flute."]


async def test_where_nothing_is_stored_nothing_needs_to_be_erased() -> None:
    room = Room(face=Mask())
    room.session._memory = None
    await room.live(Added(Said("user", "no", 1, id="a")), Removed("a"), Typed("hi"))
    assert room.kept == []


async def test_a_spoken_turn_uses_the_listener_and_the_recogniser() -> None:
    room = Room(face=Mask())
    loud = [Heard(pcm(320), k * 320) for k in range(50)]
    quiet = [Heard(pcm(320, 0), (50 + k) * 320) for k in range(30)]
    await room.live(*loud, *quiet)
    assert room.scribe.finals[-1] is True
    assert room.kept[0] == Said("user", "Hello there", 1)
    assert (SpeechStarted(0)) in [event for event, _ in room.log]


class LateEars(Ears):
    """Lets every block wait for another turn of the loop, as a listener does that serves several sessions."""

    fail: Exception | None = None

    def hear(self, pcm16k: bytes, state: HearState) -> Any:
        return self.later(pcm16k, state)

    async def later(self, pcm16k: bytes, state: HearState) -> Hearing:
        await asyncio.sleep(0)
        if self.fail:
            raise self.fail
        return super().hear(pcm16k, state)


async def test_a_listener_may_answer_later_and_every_event_keeps_its_place() -> None:
    loud, quiet = Heard(pcm(800, 9), 0), Heard(pcm(800, 0), 800)
    room, late = Room(), Room(listener=LateEars())
    for one in (room, late):
        await one.live(loud, Typed("hi"), quiet, Left())
    assert [event for event, _ in late.log] == [event for event, _ in room.log]
    assert [type(event) for event, _ in late.log[:5]] == [Heard, SpeechStarted, Typed, Heard, SpeechEnded]


async def test_a_listener_that_cannot_answer_ends_the_session_with_its_own_sentence() -> None:
    ears = LateEars()
    ears.fail = StageError("the listener gave no answer; connect again")
    with pytest.raises(StageError, match="the listener gave no answer; connect again"):
        await Room(listener=ears).live(Heard(pcm(800, 9), 0))


async def test_a_pressed_turn_is_transcribed_at_the_release() -> None:
    room = Room()
    await room.live(TalkPressed(0), Heard(pcm(320), 0), TalkReleased(320))
    assert room.kept[0].text == "Hello there"


async def test_the_journal_has_every_event_with_its_commands_in_order() -> None:
    room = Room(face=Mask())
    await room.live(Joined(), Typed("hi"))
    fresh = Conversation("room", Pace.file())
    assert [(event, fresh.on(event)) for event, _ in room.log] == room.log


async def test_a_voice_that_dies_is_asked_again_and_nothing_is_heard_twice() -> None:
    voice = Hum()
    voice.fail = StageLost("the replica died")
    room = Room(voice=voice, face=Mask())
    await room.live(Typed("hi"))
    assert b"".join(m.pcm for m in room.shown(Audio)) == b"".join(pcm(2400, k + 1) for k in range(5))
    phones = [p for o in room.log for c in o[1] if isinstance(c, Animate) for p in c.span.phones]
    assert sorted({p.start for p in phones}) == [k * 2400 for k in range(5)]
    assert room.shown(Failed) == []


async def test_a_face_that_dies_is_asked_again_and_nothing_is_shown_twice() -> None:
    face = Mask()
    face.fail = StageLost("the replica died")
    room = Room(face=face)
    await room.live(Typed("hi"))
    assert [p.pts for m in room.shown(Frames) for p in m.packets] == [k * FRAME for k in range(13)]


async def test_an_engine_that_refuses_gives_its_own_sentence() -> None:
    voice = Hum()
    voice.fail = StageError("the voice speaks English only")
    room = Room(voice=voice)
    await room.live(Typed("hi"))
    assert room.shown(Failed)[0] == Failed(1, "tts", "the voice speaks English only")


class Mute:
    """A responder that has nothing but an error."""

    async def reply(self, history: History, instructions: str, tools: Sequence[Tool]) -> AsyncIterator[TextDelta]:
        raise StageError("the key is refused; set another")
        yield TextDelta("")


@pytest.mark.parametrize(
    ("driving", "said"),
    [
        (Driving(), APOLOGIES["en"]),
        (Driving(language="es"), APOLOGIES["es"]),
        (Driving(language="zh"), APOLOGIES["zh"]),
        (Driving(language="fr"), APOLOGIES["en"]),
        (Driving(language="fr", apology="Pardon."), "Pardon."),
    ],
)
async def test_a_reply_that_cannot_be_written_is_apologised_for(driving: Driving, said: str) -> None:
    room = Room(responder=Mute(), face=Mask())
    room.session.drive(driving)
    await room.live(Typed("hi"))
    assert room.shown(Failed) == [Failed(1, "llm", "the key is refused; set another")]
    assert room.kept == [Said("user", "hi", 1), Said("assistant", said, 1)]
    assert room.shown(Audio)


async def test_an_engine_that_breaks_is_named_and_the_next_turn_works() -> None:
    voice = Hum()
    voice.fail = ZeroDivisionError("oops")
    room = Room(voice=voice, face=Mask())
    await room.live(Typed("hi"), then=[Typed("again")])
    assert room.shown(Failed)[0].reason == "tts broke: ZeroDivisionError: oops"
    assert Said("assistant", "You said: again", 2) in room.kept


async def test_an_engine_that_hangs_is_given_up_at_its_deadline() -> None:
    voice = Hum()
    voice.hang = True
    room = Room(voice=voice, face=Mask(), deadline=0.02)
    await room.live(Typed("hi"))
    assert room.shown(Failed)[0].reason.startswith("tts gave no answer in time")
    assert room.shown(Notice)[0].rung == "text"


async def test_without_a_face_the_voice_goes_on() -> None:
    room = Room(face=None)
    await room.live(Typed("hi"))
    assert room.shown(Failed)[0].stage == "face"
    assert len(b"".join(m.pcm for m in room.shown(Audio))) > 0


class Choir(Hum):
    """Notes what it was asked to say, and in which language."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        self.asked.append((text, language))
        async for piece in super().speak(text, voice, language, seed):
            yield piece


class German:
    async def reply(self, history: History, instructions: str, tools: Sequence[Tool]) -> AsyncIterator[TextDelta]:
        yield TextDelta("Das ist ein Zug. Er fährt nicht nach Berlin, und ich weiß auch nicht, warum das so ist.")


async def test_each_clip_is_spoken_in_its_language() -> None:
    voice = Choir()
    room = Room(voice=voice, responder=German(), languages=frozenset({"de", "en"}))
    await room.live(Joined(), Typed("Wohin?"))
    assert [language for _, language in voice.asked] == ["de", "de"]
    assert voice.asked[0][0] == "Das ist ein Zug."


async def test_a_reply_in_a_language_without_a_voice_is_written_and_one_sentence_says_so() -> None:
    voice = Choir()
    room = Room(face=Mask(), voice=voice, responder=German(), languages=frozenset({"en", "es"}))
    await room.live(Joined(), Typed("Wohin?"))
    assert voice.asked == [(UNVOICED["en"], "en")]
    assert "".join(m.text for m in room.shown(ReplyDelta)).startswith("Das ist ein Zug. Er fährt")
    assert b"".join(m.pcm for m in room.shown(Audio)) == b"".join(pcm(2400, k + 1) for k in range(5))
    assert [m.words for m in room.shown(Audio) if m.words] == [], "the captions light no word that is not heard"
    assert room.shown(Failed) == room.shown(Notice) == []
    assert room.kept[-1].text.startswith("Das ist ein Zug.") and not room.kept[-1].cut


async def test_an_interruption_stops_every_call_of_the_reply() -> None:
    voice = Hum()
    voice.hang = True
    room = Room(voice=voice, face=Mask())

    async def interrupt(order: ClientOrder) -> None:
        room.told.append(order)
        if isinstance(order, Show) and isinstance(order.message, Audio):
            await room.session.happen(TalkPressed(0))
        if isinstance(order, Show) and isinstance(order.message, Cut):
            await room.session.happen(Left())

    room.session._client = interrupt
    await room.live(Typed("hi"))
    assert Cancel(1) in room.told
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith(("tts", "face", "llm"))]


async def test_after_the_end_nothing_happens_any_more() -> None:
    room = Room()
    await room.live(Left())
    await room.session.happen(Typed("anybody there?"))
    assert room.told == [HangUp("the client left")]


async def test_ticks_reach_the_conversation() -> None:
    room = Room(face=Mask())
    await room.live(Joined(), Typed("hi"))
    assert any(isinstance(event, Tick) for event, _ in room.log)
    clock = ticking(1)
    first, second = await anext(clock), await anext(clock)
    assert first == 0 <= second
    await clock.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("skip", [0, 1, 2400, 2500, 4800, 99_999])
def test_the_part_of_a_repeated_clip_that_is_new(skip: int) -> None:
    from streaming.skipping import new_of

    piece = Spoken(pcm(2400), (Phone("a", 2400, 100), Phone("b", 2500, 100)), (Word("w", 2500, 10),))
    kept = new_of(skip, piece, 2400)
    left = max(min(4800 - skip, 2400), 0)
    assert (len(kept.pcm24k) // 2 if kept else 0) == left
    if skip == 2500 and kept:
        assert kept.phones == (Phone("b", 2500, 100),)


async def test_a_partial_transcript_is_shown_and_a_session_needs_no_journal_and_no_store() -> None:
    told: list[ClientOrder] = []

    async def tell(order: ClientOrder) -> None:
        told.append(order)
        if isinstance(order, Show) and isinstance(order.message, UserCaption) and not order.message.final:
            await session.happen(Typed("that is enough"))
        if isinstance(order, Show) and isinstance(order.message, Ended):
            await session.happen(Left())

    class Quick(Scribe):
        async def transcribe(
            self, pcm16k: bytes, language: str | None, final: bool, words: bool = False, hints: str = ""
        ) -> AsyncIterator[Transcript]:
            yield Transcript(hints, (), "en", final)

    stages = Stages(Ears(), Quick(), Echo(), Hum(), Mask(), AVATAR)
    session = Session(Conversation("bare", Pace.file()), stages, tell, driving=Driving(hints="Hel"))
    for k in range(50):
        await session.happen(Heard(pcm(320), k * 320))
    await session.run(still())
    assert Show(UserCaption("", final=False, guess="Hel")) in told


async def test_what_goes_with_every_call_may_change_in_mid_session() -> None:
    class Reader:
        def __init__(self) -> None:
            self.told: list[str] = []

        async def reply(self, history: object, instructions: str, tools: object) -> AsyncIterator[TextDelta]:
            self.told.append(instructions)
            yield TextDelta("Yes.")

    reader = Reader()
    room = Room(responder=reader)
    room.session.drive(Driving(instructions="Be brief."))
    await room.live(Typed("hi"), then=[Requested(instructions="Be kind.")])
    assert reader.told == ["Be brief.", "Be kind."]


class Sage:
    """A judge that says ``odds``, or breaks; asked a second time, it lets the first question be answered as well."""

    def __init__(self, odds: float | Exception) -> None:
        self.odds = odds
        self.threads: list[int] = []
        self.begun, self.again = threading.Event(), threading.Event()

    def judge(self, pcm16k: bytes) -> float:
        self.threads.append(threading.get_ident())
        self.begun.set()
        if len(self.threads) > 1:
            self.again.set()
        elif self.odds == 1:
            assert self.again.wait(10)
        if isinstance(self.odds, Exception):
            raise self.odds
        return self.odds


async def judgements(judge: Sage | None, pauses: int = 1) -> list[TurnJudged]:
    """What a conversation hears of its judge when somebody pauses."""
    heard: list[TurnJudged] = []
    paused = asyncio.Queue[int]()

    def journal(event: Event, commands: list[Command]) -> None:
        if isinstance(event, TurnJudged):
            heard.append(event)
        if isinstance(event, SpeechEnded):
            paused.put_nowait(event.at)

    async def tell(order: ClientOrder) -> None:
        return None

    stages = Stages(Ears(), Scribe(), Echo(), Hum(), None, AVATAR, judge)
    talk = Conversation("judged", Pace.file().with_eagerness("low"), codec=None)
    session = Session(talk, stages, tell, journal=journal)
    running = asyncio.create_task(session.run(still()))
    await session.happen(Heard(pcm(320), 0))
    for pause in range(1, pauses + 1):
        await session.happen(SpeechEnded(100 * pause))
        await paused.get()
        if judge:
            assert await asyncio.to_thread(judge.begun.wait, 10)
    assert session._judging is not None
    await asyncio.wait([session._judging])
    await session.happen(Left())
    await running
    return heard


@pytest.mark.parametrize(("odds", "complete"), [(0.5, True), (0.49, False)])
async def test_a_pause_is_judged_in_another_thread(odds: float, complete: bool) -> None:
    sage = Sage(odds)
    assert await judgements(sage) == [TurnJudged(complete, 100)]
    assert sage.threads and threading.get_ident() not in sage.threads


async def test_a_judge_that_breaks_is_logged_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    assert await judgements(Sage(StageError("half a sample"))) == []
    assert "the judge failed at sample 100" in caplog.text and "half a sample" in caplog.text


async def test_a_pace_without_its_judge_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert await judgements(None) == []
    assert "none is loaded" in caplog.text


async def test_a_newer_pause_makes_an_older_judgement_worthless() -> None:
    assert await judgements(Sage(1), pauses=2) == [TurnJudged(True, 200)]


class Counting:
    """A responder that writes ``pieces`` and then says what it counted; it notes whether it was let finish."""

    def __init__(self, *pieces: TextDelta | ToolCall | Usage) -> None:
        self.pieces = pieces
        self.given = 0

    async def reply(
        self, history: object, instructions: str, tools: object
    ) -> AsyncIterator[TextDelta | ToolCall | Usage]:
        for piece in self.pieces:
            self.given += 1
            yield piece


ONE_TWO = (TextDelta("One. "), TextDelta("Two."))


async def test_the_tokens_that_the_language_model_counted_come_with_the_end() -> None:
    room = Room(responder=Counting(*ONE_TWO, Usage(30, 4, 8)))
    await room.live(Typed("hi"))
    (ended,) = room.shown(Ended)
    assert (ended.usage, ended.limited) == (Usage(30, 4, 8), False)
    assert room.kept[-1] == Said("assistant", "One. Two.", 1)


@pytest.mark.parametrize(
    ("agreed", "asked", "text", "limited"),
    [(1, None, "One.", True), (None, 1, "One.", True), (1, 2, "One. Two.", False), (2, None, "One. Two.", False)],
)
async def test_a_reply_has_no_more_pieces_than_it_may_have(
    agreed: int | None, asked: int | None, text: str, limited: bool
) -> None:
    counting = Counting(*ONE_TWO)
    room = Room(responder=counting)
    room.session.drive(Driving(most=agreed))
    await room.live(Requested(most=asked))
    assert room.kept == [Said("assistant", text, 1)]
    assert [ended.limited for ended in room.shown(Ended)] == [limited]
    assert counting.given == 2  # that there is one more is known when it comes


async def test_the_listener_is_told_how_sure_it_must_be() -> None:
    class Wary(Ears):
        def __init__(self) -> None:
            self.told: list[float | None] = []

        def hear(self, pcm16k: bytes, state: HearState) -> tuple[list[Voicing], HearState]:
            self.told.append(state.threshold)
            news, after = super().hear(pcm16k, state)
            return news, replace(after, threshold=state.threshold)

    wary = Wary()
    told: list[ClientOrder] = []

    async def tell(order: ClientOrder) -> None:
        told.append(order)

    session = Session(Conversation("room"), Stages(wary, Scribe(), Echo(), Hum(), None, AVATAR), tell)
    await session.happen(Heard(pcm(320, 0), 0))
    running = asyncio.create_task(session.run(still()))
    while not wary.told:  # noqa: ASYNC110 - the driver tells nobody
        await asyncio.sleep(0)
    session.drive(Driving(threshold=0.8))
    for event in (Heard(pcm(320, 0), 320), Heard(pcm(320, 0), 640), Left()):
        await session.happen(event)
    await running
    assert wary.told == [None, 0.8, 0.8]
