"""Every call of a session is sealed: whoever works for it knows for which conversation, reply and span."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from streaming.calls import ALONE, LEASES, Envelope, Order, current
from streaming.commands import Ended, Show
from streaming.conversation import Conversation
from streaming.events import Event, Heard, Joined, Left, TalkPressed, TalkReleased
from streaming.media import FRAME
from streaming.pace import Pace
from streaming.session import ClientOrder, Session, Stages, ticking
from streaming.stages import StageError
from tests.streaming.stories import pcm
from tests.stubs import AVATAR, Ears, Echo, Hum, Mask, Scribe


class Post:
    """Stages that note the envelope of each call."""

    def __init__(self) -> None:
        self.sealed: list[Envelope] = []

    def transcribe(self, *asked: Any, **named: Any) -> AsyncIterator[Any]:
        return self._noted(Scribe().transcribe(*asked, **named))

    def reply(self, *asked: Any) -> AsyncIterator[Any]:
        return self._noted(Echo().reply(*asked))

    def speak(self, *asked: Any) -> AsyncIterator[Any]:
        return self._noted(Hum().speak(*asked))

    def animate(self, *asked: Any) -> AsyncIterator[Any]:
        return self._noted(Mask().animate(*asked))

    async def _noted(self, stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
        mine = current()
        self.sealed.append(mine)
        async for item in stream:
            assert current() == mine
            yield item


@dataclass
class Call:
    trace: str
    seen: list[str] = field(default_factory=list[str])

    def saw(self, event: Event) -> None:
        self.seen.append(type(event).__name__)

    def end(self, failed: str) -> None:
        self.seen.append(failed or "well")


class Tracer:
    def __init__(self) -> None:
        self.calls: list[Call] = []

    def call(self, stage: str, order: Order) -> Call:
        self.calls.append(Call(f"{stage} of {type(order).__name__}"))
        return self.calls[-1]


async def one_turn(post: Any, tracing: Tracer | None = None) -> None:
    """A person says something, gets an answer and leaves."""

    async def tell(order: ClientOrder) -> None:
        if isinstance(order, Show) and isinstance(order.message, Ended):
            await session.happen(Left())

    stages = Stages(Ears(), post, post, post, post, AVATAR)
    session = Session(Conversation("films", Pace.file(), codec="h264"), stages, tell, tracing=tracing)
    for event in (Joined(), TalkPressed(0), Heard(pcm(1600), 0), TalkReleased(1600)):
        await session.happen(event)
    async with asyncio.timeout(10):
        await session.run(ticking())


async def test_a_call_says_whose_it_is_and_how_long_its_lease_lasts() -> None:
    post = Post()
    await one_turn(post)
    assert current() == ALONE, "outside of its calls nobody is in a conversation"
    assert post.sealed[:3] == [
        Envelope("films", 0, "asr", "", LEASES["asr"]),
        Envelope("films", 1, "llm", "", LEASES["llm"]),
        Envelope("films", 1, "tts", "", LEASES["tts"]),
    ]
    assert set(post.sealed[3:]) == {Envelope("films", 1, "face", "", LEASES["face"])}


async def test_a_tracer_gives_each_call_its_span_and_sees_how_it_goes() -> None:
    post, tracer = Post(), Tracer()
    await one_turn(post, tracer)
    assert [envelope.trace for envelope in post.sealed] == [call.trace for call in tracer.calls]
    asr, llm, tts, face = tracer.calls[:4]
    assert (asr.trace, asr.seen) == ("asr of Transcribe", ["UserSaid", "well"])
    assert (llm.trace, llm.seen) == ("llm of Ask", ["ReplyCalled", "ReplyText", "ReplyText", "ReplyEnded", "well"])
    assert (tts.trace, tts.seen) == ("tts of Speak", [*["SpeechReady"] * 5, "ClipEnded", "well"])
    assert (face.trace, face.seen[-2:]) == ("face of Animate", ["FaceEnded", "well"])
    assert sum(call.seen.count("FramesReady") for call in tracer.calls) * FRAME == 5 * 2400 + 480


async def test_a_tracer_is_told_why_a_call_failed() -> None:
    class Mute(Post):
        async def speak(self, *_: Any) -> AsyncIterator[Any]:
            raise StageError("the voice has no breath")
            yield

    tracer = Tracer()
    await one_turn(Mute(), tracer)
    assert [call.seen for call in tracer.calls if call.trace.startswith("tts")] == [["the voice has no breath"]]
