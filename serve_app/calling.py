"""`avatar talk --url`: a question from a file, asked over the socket of a running service.

The same question, replies and report as in talk.py, and the same recorder; only the conversation is elsewhere. What
the service has sent counts as heard, so that a reply comes as fast as it is made. Where the voice in the question
ends is found here, with a listener of our own, for the service does not tell. This file writes no file.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from serve_app.client import Avatar, AvatarError, connect
from serve_app.errors import UserError
from serve_app.progress import Progress
from serve_app.recording import Recorder, Take
from serve_app.talk import PATIENCE, TAIL, Manner, answered, report
from serve_app.units import Caption, Cut, End, Hold, Picture, Sound, State, Text, Told, Trouble
from streaming import commands
from streaming.events import Heard, SpeechEnded, SpeechStarted
from streaming.media import MIC_RATE, RATE, SAMPLE_BYTES, FramePacket, samples
from streaming.stages import HearState, Listener

BLOCK = MIC_RATE // 50
"""Microphone samples of one message: 20 ms, as a page sends them."""

FAST_BLOCK = MIC_RATE // 5
"""The same with ``fast``: a service counts messages."""

REPORT = RATE * 2 // 5
"""Samples at 24 kHz between two reports of what counts as heard: a third of what the service sends ahead."""

SILENCE_S = 60.0
"""Longest wait for the next word of the service once the question is asked, in seconds."""


@dataclass(frozen=True, slots=True)
class Line:
    """Where the service is, and how it knows us."""

    url: str
    key: str | None = None
    persona: str = ""
    """Who shall answer; empty: whoever does there."""


async def ask(
    line: Line, pcm: bytes, manner: Manner, listener: Listener, progress: Progress
) -> tuple[list[Take], dict[str, Any]]:
    """Ask the question in ``pcm`` (PCM16 mono at 16 kHz); return the replies and the report.

    Raises UserError if the service cannot be reached or refuses, with its own sentence if a stage failed, or if
    there were no words in the sound.
    """
    try:
        async with connect(line.url, api_key=line.key, playhead=False, persona=line.persona) as avatar:
            call = _Call(avatar, pcm, manner, listener, progress)
            await call.held()
    except AvatarError as error:
        raise UserError(str(error)) from None
    takes = answered(call.recorder, "reply", "no words were understood; speak closer to the microphone")
    return takes, report(takes, call.spoken_at, paced=not manner.fast)


class _Call:
    """One question, fed while the answers are recorded."""

    def __init__(self, avatar: Avatar, pcm: bytes, manner: Manner, listener: Listener, progress: Progress) -> None:
        self.recorder = Recorder()
        self._avatar = avatar
        self._block = FAST_BLOCK if manner.fast else BLOCK
        self._pcm = pcm + bytes(-len(pcm) % (self._block * SAMPLE_BYTES))
        self._manner = manner
        self._listener = listener
        self._hearing = HearState()
        self._progress = progress
        self._begun = 0.0
        self._given: list[float] = []
        self._state = "idle" if manner.vad else ""
        """What the service says it does; empty until it listens to a pressed turn."""
        self._reported = 0
        self._news = asyncio.Event()

    def spoken_at(self, sample: int) -> float:
        """When ``sample`` was spoken, in seconds of the monotonic clock."""
        if self._manner.fast:
            return self._given[min(max(sample - 1, 0) // self._block, len(self._given) - 1)]
        return self._begun + sample / MIC_RATE

    async def held(self) -> None:
        """Ask, and listen until the answer is complete. Raises AvatarError, or UserError if it never is."""
        try:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read(), name="answers")
                await self._feed()
                await self._until_idle()
                reading.cancel()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    # ---- the question --------------------------------------------------------------------------------------

    async def _feed(self) -> None:
        self._begun = time.monotonic()
        total = samples(self._pcm)
        quiet = {"greeting": False}  # a file does not wait until it was greeted
        if self._manner.vad:
            await self._avatar.configure(avatar=quiet)
        else:
            await self._avatar.configure(avatar=quiet, audio={"input": {"turn_detection": None}})
            await self._avatar.press()
        for at in range(0, total, self._block):
            await self._give(self._pcm[at * SAMPLE_BYTES : (at + self._block) * SAMPLE_BYTES])
            self._progress.show("listening", at, total, f"{at / MIC_RATE:.1f} of {total / MIC_RATE:.1f} s")
        if self._manner.vad:
            await self._silence()
        else:
            await self._avatar.release()

    async def _give(self, pcm: bytes) -> None:
        at = self._block * len(self._given)
        if not self._manner.fast:  # a block of sound is there when its last sample was spoken
            due = self._begun + (at + self._block) / MIC_RATE
            await asyncio.sleep(max(due - time.monotonic(), 0.0))
        self._given.append(time.monotonic())
        self._note(pcm, at)
        await self._avatar.hear(pcm)

    def _note(self, pcm: bytes, at: int) -> None:
        self.recorder.note(Heard(pcm, at), ())
        voicings, self._hearing = self._listener.hear(pcm, self._hearing)
        for voicing in voicings:
            self.recorder.note(SpeechStarted(voicing.at) if voicing.speaking else SpeechEnded(voicing.at), ())

    async def _silence(self) -> None:
        given = 0
        while given < TAIL or (self._state in ("listening", "held") and given < PATIENCE):
            await self._give(bytes(self._block * SAMPLE_BYTES))
            given += self._block

    # ---- the answer ----------------------------------------------------------------------------------------

    async def _read(self) -> None:
        async for unit in self._avatar:
            await self._took(unit)
            self._news.set()
        raise UserError("the service ended the conversation before it had answered; its log says why")

    async def _until_idle(self) -> None:
        while self._state != "idle":
            self._news.clear()
            try:
                async with asyncio.timeout(SILENCE_S):
                    await self._news.wait()
            except TimeoutError:
                raise UserError(f"the service has said nothing for {SILENCE_S:g} s; look at its log") from None
            if self.recorder.takes:
                take = self.recorder.takes[-1]
                self._progress.show("answering", note=f"{take.seconds:.1f} s, {len(take.packets)} pictures")

    async def _took(self, unit: Told) -> None:
        match unit:
            case State(state):
                # Before a pressed turn is listened to, idle means nothing yet.
                self._state = state if self._state or state == "listening" else ""
            case Trouble(error, ours=True):
                raise UserError(error)
            case Trouble(error):
                self.recorder.failures.append(error)
            case Hold(turn):
                await self._avatar.report_playhead(turn, self._reported)
            case _:
                await self._report(unit)
                if (message := _shown(unit)) is not None:
                    await self.recorder.show(commands.Show(message))

    async def _report(self, unit: Told) -> None:
        """What was sent counts as heard."""
        match unit:
            case Caption(final=True):
                self._reported = 0
            case Sound(turn, pts, pcm) if pts + samples(pcm) >= self._reported + REPORT:
                self._reported = pts + samples(pcm)
                await self._avatar.report_playhead(turn, self._reported)
            case End(turn, pts):
                await self._avatar.report_playhead(turn, pts)
            case _:
                pass


def _shown(unit: Told) -> commands.Message | None:
    """The message of the conversation that became this unit; None for what a recorder does not keep."""
    match unit:
        case Caption(text, final):
            return commands.UserCaption(text, final)
        case Text(turn, delta):
            return commands.ReplyDelta(turn, delta)
        case Sound(turn, pts, pcm):
            return commands.Audio(turn, pts, pcm)
        case Picture(turn, pts, data, key):
            return commands.Frames(turn, (FramePacket(pts, data, key),))
        case Cut(turn, pts, text):
            return commands.Cut(turn, pts, text)
        case End(turn, pts, idle_frame):
            return commands.Ended(turn, pts, idle_frame)
        case _:
            return None
