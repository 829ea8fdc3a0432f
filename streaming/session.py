"""The driver: carries out what a conversation orders and tells it what came of that.

One asyncio task per call of a stage, one loop that feeds events to the conversation one after the other. It
decides nothing: no rule of turn-taking or pace stands here. Every call has a deadline, for a stage may be
dead, hung or without replicas, and a call to it would wait for ever.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar, assert_never

from streaming.calls import LEASES, Envelope, Order, Tracing, Untraced, enter
from streaming.channel import Channel, ChannelClosed
from streaming.commands import (
    Animate,
    Ask,
    Cancel,
    Command,
    Forget,
    HangUp,
    Hold,
    JudgeTurn,
    Remember,
    Resume,
    Show,
    Speak,
    Transcribe,
)
from streaming.conversation import Conversation
from streaming.driving import Driving
from streaming.events import (
    ClipEnded,
    Event,
    FaceEnded,
    FramesReady,
    Heard,
    ReplyCalled,
    ReplyEnded,
    ReplyText,
    SpeechEnded,
    SpeechReady,
    SpeechStarted,
    StageFailed,
    StageName,
    Tick,
    TurnJudged,
    UserSaid,
    UserSaying,
)
from streaming.media import samples
from streaming.recalling import checkpoint
from streaming.skipping import new_of
from streaming.stages import (
    Avatar,
    Face,
    FaceState,
    HearState,
    Judge,
    Planner,
    Responder,
    Said,
    SharedListener,
    StageError,
    StageLost,
    TextDelta,
    Transcriber,
    Transcript,
    Usage,
    Voice,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

ClientOrder = Show | Hold | Resume | Cancel | Remember | HangUp
"""What the client is told."""


@dataclass(frozen=True, slots=True)
class Stages:
    """Everything a session calls. A handle to a remote replica looks the same as an engine in this process."""

    listener: SharedListener
    transcriber: Transcriber
    responder: Responder
    voice: Voice
    face: Face | None
    avatar: Avatar
    judge: Judge | None = None
    """None: no pause is judged, and a conversation's pace should not ask for it."""
    planner: Planner | None = None
    """For the conversation, not for its driver; None where the face draws in one way only."""


INBOX = 512
"""Events that may wait: about 5 s of everything that one session can produce at once."""


class Memory(Protocol):
    """Where items are stored."""

    async def remember(self, item: Said, after: str | None) -> None:
        """Store an item behind the one called ``after``, as in Remember; when this returns, it is stored."""

    async def forget(self, name: str) -> None:
        """Erase an item."""


class Session:
    """One conversation, driven until the client leaves."""

    def __init__(
        self,
        conversation: Conversation,
        stages: Stages,
        client: Callable[[ClientOrder], Awaitable[None]],
        *,
        driving: Driving | None = None,
        memory: Memory | None = None,
        journal: Callable[[Event, list[Command]], None] | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """``client`` must not wait for the network: the whole conversation would wait with it.

        ``memory`` has an item stored before anything that follows it is done. ``journal`` gets every event
        with the commands that it led to, before they are carried out.
        """
        self._conversation = conversation
        self._stages = stages
        self._client = client
        self._hear_state = HearState()
        self._driving = driving or Driving()
        self._memory = memory
        self._journal = journal
        self._tracing = tracing or Untraced()
        self._inbox: Channel[Event] = Channel("session inbox", INBOX)
        self._calls: dict[int, set[asyncio.Task[None]]] = defaultdict(set)
        self._partial: asyncio.Task[None] | None = None
        self._judging: asyncio.Task[None] | None = None
        self._acting = False
        self._over = False

    @property
    def waiting(self) -> int:
        """Events that wait now."""
        return self._inbox.statistics().used

    @property
    def settled(self) -> bool:
        """True if everything that happened was decided on, and what was decided is stored, begun or handed out."""
        return not self._acting and not self.waiting

    @property
    def resting(self) -> bool:
        """True if nobody has the turn, and everything is settled."""
        return self._conversation.state == "idle" and self.settled

    def checkpoint(self) -> dict[str, Any] | None:
        """All that counts of the conversation, if everything is settled and nobody has the turn (recalling.py)."""
        return checkpoint(self._conversation) if self.settled else None

    async def happen(self, event: Event) -> None:
        """Something happened at the client. Waits while too much else waits; after the end it does nothing."""
        with suppress(ChannelClosed):
            await self._inbox.put(event)

    async def run(self, ticks: AsyncIterator[int]) -> None:
        """Drive until the conversation hangs up. ``ticks`` yields milliseconds since the session began."""
        clock = asyncio.create_task(self._tick(ticks), name="ticks")
        try:
            while not self._over:
                self._acting = False
                event = await self._inbox.get()
                self._acting = True
                await self._take(event)
        finally:
            self._over, self._acting = True, False
            self._inbox.close()
            judging = [self._judging] if self._judging else []
            await _stop([clock, *judging, *(call for calls in self._calls.values() for call in calls)])

    async def _tick(self, ticks: AsyncIterator[int]) -> None:
        async for now in ticks:
            await self._inbox.put(Tick(now))

    async def _take(self, event: Event) -> None:
        if not isinstance(event, Heard):
            await self._decide(event)
            return
        if self._hear_state == HearState():  # a conversation that was taken up again does not begin at 0
            self._hear_state = HearState(event.at, voiced_from=event.at, voiced_until=event.at)
        answer = self._stages.listener.hear(event.pcm, replace(self._hear_state, threshold=self._driving.threshold))
        voicings, state = answer if isinstance(answer, tuple) else await answer
        self._hear_state = replace(state, threshold=None)
        quiet = state.at - state.voiced_until if state.speaking else 0
        await self._decide(replace(event, quiet=max(quiet, 0)))
        for voicing in voicings:
            await self._decide(SpeechStarted(voicing.at) if voicing.speaking else SpeechEnded(voicing.at))

    async def _decide(self, event: Event) -> None:
        commands = self._conversation.on(event)
        if self._journal:
            self._journal(event, commands)
        for command in commands:
            await self._carry_out(command)

    async def _carry_out(self, command: Command) -> None:
        match command:
            case Transcribe():
                self._transcribe(command)
            case JudgeTurn():
                if self._judging:  # a newer pause makes an older one's judgement worthless
                    self._judging.cancel()
                self._judging = asyncio.create_task(self._judge(command), name="judge")
            case Ask():
                self._call(command, command.turn, "llm", self._ask(command))
            case Speak():
                self._call(command, command.turn, "tts", self._speak(command))
            case Animate():
                self._call(command, command.turn, "face", self._animate(command))
            case Remember(item, after):
                if self._memory:
                    await self._memory.remember(item, after)
                await self._client(command)
            case Forget(name):
                if self._memory:
                    await self._memory.forget(name)
            case Cancel(turn):
                for call in self._calls.pop(turn, set()):
                    call.cancel()
                await self._client(command)
            case HangUp():
                self._over = True
                await self._client(command)
            case Show() | Hold() | Resume():
                await self._client(command)
            case _:  # pragma: no cover - the type checker refuses a forgotten command
                assert_never(command)

    # ---- calls ---------------------------------------------------------------------------------------------

    def _call(self, order: Order, turn: int, stage: StageName, work: AsyncGenerator[Event]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._report(order, turn, stage, work), name=f"{stage} {turn}")
        self._calls[turn].add(task)
        task.add_done_callback(lambda done: self._forget(turn, done))
        return task

    def _forget(self, turn: int, call: asyncio.Task[None]) -> None:
        calls = self._calls.get(turn, set())
        calls.discard(call)
        if not calls:
            self._calls.pop(turn, None)

    async def _report(self, order: Order, turn: int, stage: StageName, work: AsyncGenerator[Event]) -> None:
        """Tell the conversation what a call answers, and how it failed if it did."""
        failed: StageFailed | None = None
        traced = self._tracing.call(stage, order)
        enter(Envelope(self._conversation.session, turn, stage, traced.trace, LEASES[stage]))
        try:
            async for event in work:
                traced.saw(event)
                await self._inbox.put(event)
        except TimeoutError:
            failed = StageFailed(turn, stage, f"{stage} gave no answer in time; try again, or look at its log")
        except StageLost as error:
            failed = StageFailed(turn, stage, str(error), lost=True)
        except StageError as error:
            failed = StageFailed(turn, stage, str(error))
        except Exception as error:  # an engine's bug ends its own call and nothing else
            log.exception("%s failed in reply %d", stage, turn)
            failed = StageFailed(turn, stage, f"{stage} broke: {type(error).__name__}: {error}")
        finally:
            await work.aclose()
            traced.end(failed.reason if failed else "")
        if failed:
            await self._inbox.put(replace(failed, instead=self._driving.excuse()) if stage == "llm" else failed)

    def drive(self, driving: Driving) -> None:
        """Add something else to each call from now on."""
        self._driving = driving

    def _transcribe(self, order: Transcribe) -> None:
        """A final makes a partial that is still being worked on worthless."""
        if order.final and self._partial:
            self._partial.cancel()
        task = self._call(order, 0, "asr", self._listen(order))
        self._partial = None if order.final else task

    async def _listen(self, order: Transcribe) -> AsyncGenerator[Event]:
        last = Transcript("", (), order.language or "", order.final)
        hints = self._driving.hints
        stream = self._stages.transcriber.transcribe(order.audio, order.language, order.final, hints=hints)
        async with aclosing(self._driving.timely(stream)) as answers:
            async for transcript in answers:
                last = transcript
        if order.final:
            yield UserSaid(last.text, last.language, order.until, last.detected, last.certainty)
        else:
            yield UserSaying(last.text, order.until)

    async def _judge(self, order: JudgeTurn) -> None:
        """Judge a pause in a thread. Without an answer the turn ends as if nobody had been asked."""
        judge = self._stages.judge
        if judge is None:
            log.warning("the pace asks for a judge of turns, but none is loaded; the plain limit ends the turn")
            return
        try:
            odds = await asyncio.to_thread(judge.judge, order.audio)
        except Exception:  # the judge's bug, or a refusal: it must not end a conversation
            log.exception("the judge failed at sample %d; the plain limit ends the turn", order.at)
            return
        await self.happen(TurnJudged(odds >= order.complete_from, order.at))

    async def _ask(self, order: Ask) -> AsyncGenerator[Event]:
        driving = self._driving
        instructions = driving.instructions if order.instructions is None else order.instructions
        tools = driving.tools if order.tools is None else order.tools
        most = driving.most if order.most is None else order.most
        taken, limited = 0, False
        usage: Usage | None = None
        stream = self._stages.responder.reply(driving.informed(order.history), instructions, tools)
        async with aclosing(self._driving.timely(stream)) as answers:
            async for one in answers:
                if isinstance(one, Usage):
                    usage = one
                    continue
                if limited := taken == most:
                    break
                taken += 1
                yield ReplyText(order.turn, one.text) if isinstance(one, TextDelta) else ReplyCalled(order.turn, one)
        yield ReplyEnded(order.turn, usage, limited)

    async def _speak(self, order: Speak) -> AsyncGenerator[Event]:
        (text, language), at = self._driving.voiced(order), 0
        if text:
            stream = self._stages.voice.speak(text, self._driving.voice, language, order.seed)
            async with aclosing(self._driving.timely(stream)) as answers:
                async for piece in answers:
                    kept = new_of(order.skip, piece, at)
                    at += samples(piece.pcm24k)
                    if kept:
                        words = kept.words if text == order.text else ()  # those of the reply are not heard
                        yield SpeechReady(order.turn, order.clip, kept.pcm24k, kept.phones, words)
        yield ClipEnded(order.turn, order.clip)

    async def _animate(self, order: Animate) -> AsyncGenerator[Event]:
        face = self._stages.face
        if face is None:
            raise StageError("this service shows no face; start it with one, or ask for sound only")
        stream = face.animate(order.span, self._stages.avatar, order.state)
        async with aclosing(self._driving.timely(stream)) as answers:
            async for item in answers:
                if isinstance(item, FaceState):
                    yield FaceEnded(order.turn, item)
                    return  # whatever becomes of the replica now, this call ended well
                yield FramesReady(order.turn, item.pts, (item,))


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def ticking(period_ms: int = 20) -> AsyncIterator[int]:
    """Milliseconds since the first tick, by the wall clock, about every ``period_ms``."""
    begun = time.monotonic()
    while True:
        yield round((time.monotonic() - begun) * 1000)
        await asyncio.sleep(period_ms / 1000)
