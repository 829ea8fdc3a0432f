"""One reply, from the first word of text to the last picture: what to ask for next, and what may be sent now.

Two leads bound the run-ahead past the playhead: ``voice_lead`` what is synthesised, ``send_lead`` what is sent
and drawn. One clip is spoken at a time and one span drawn at a time. This file knows no clock but ``tick`` and
nothing of turns: conversation.py starts a reply, holds it and cuts it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never
from zlib import crc32

from streaming.clips import Clips
from streaming.commands import Ask, Audio, Called, Command, Ended, Failed, Notice, ReplyDelta, Show, Speak
from streaming.drawing import Drawing, Planning
from streaming.events import (
    ClipEnded,
    FaceEnded,
    FramesReady,
    OfReply,
    ReplyCalled,
    ReplyEnded,
    ReplyText,
    Requested,
    SpeechReady,
    StageFailed,
    StageName,
)
from streaming.media import RATE, SAMPLE_BYTES
from streaming.pace import Pace
from streaming.stages import Codec, History, Said, ToolCall, Usage
from streaming.timeline import Timeline
from streaming.written import Written


class Reply:
    """What is known of reply ``turn``, and what follows from it."""

    def __init__(
        self,
        session: str,
        turn: int,
        history: History,
        pace: Pace,
        *,
        seed: int,
        idle_frame: int,
        codec: Codec | None,
        wanted: Requested | None = None,
        silent: bool = False,
        planning: Planning | None = None,
        spoken: str = "",
    ) -> None:
        """``silent`` writes and does not speak; ``wanted`` is asked of this reply alone; ``spoken``: the person's."""
        self.turn = turn
        self.text = ""
        self.playhead = 0
        self.held = False
        self.late: Counter[str] = Counter()
        self.calls: list[Said] = []
        """Functions that it asked for."""
        self.usage: Usage | None = None
        """What it cost, once the language model said so."""
        self._limited = False
        self._wanted = wanted = wanted or Requested()
        self.apart = wanted.apart
        """True if it does not enter the conversation."""
        self._silent = silent
        self._history = history if wanted.history is None else wanted.history
        self._pace = pace
        self._seed = crc32(f"{session}/{turn}/{seed}".encode())
        shown: Codec | None = None if silent else codec
        self._drawing = Drawing(
            session, turn, pace, self.late, seed=self._seed, idle_frame=idle_frame, codec=shown, planning=planning
        )
        self._timeline = Timeline()
        # Text and voice.
        self._clips = Clips()
        self._written = Written(spoken)
        self._waiting: deque[str] = deque()
        self._text_done = False
        self._known: str = ""
        """The beginning of the text that a repeated call gives once more."""
        self._known_calls = 0
        self._clip = -1
        self._speaking: Speak | None = None
        self._mute = silent
        self._repeated: set[tuple[StageName, int]] = set()
        # What was sent.
        self._sent = 0
        self._ended = False
        self._clock: int | None = None
        self._now = 0

    # ---- a client that comes back ---------------------------------------------------------------------------

    def shown_from(self, idle_frame: int) -> None:
        """The frame of the idle loop at which the reply began."""
        self._drawing.shown_from(idle_frame)

    def regain(self, audio: int, video: int, *, ended: bool) -> list[Command]:
        """Make again what the client lacks: sound from sample ``audio`` on, pictures from ``video`` on.

        Every call that was under way is lost. Sound is made again from the beginning of its clip; the voice gives the
        same once more. A text that was not complete is asked for anew and goes on where it is the same.
        """
        self.held = False
        self._repeated.clear()
        known = max(self._sent, self._timeline.total)
        self._sent = min(audio, known)
        self._drawing.regain(video, known)
        self._ended = ended
        self.playhead = min(self.playhead, self._sent)
        if not self._mute:
            clip, texts = self._timeline.reopen(min(self._sent, video))
            self._speaking, self._clip = None, clip - 1
            self._waiting.extendleft(reversed(texts))
        if self._text_done:
            return self.proceed()
        self._known, self._known_calls = self.text, len(self.calls)
        return [*self.begin(), *self.proceed()]

    # ---- what can be asked ---------------------------------------------------------------------------------

    @property
    def audible(self) -> bool:
        """True once any of it was sent to be heard."""
        return self._sent > 0

    @property
    def ended(self) -> bool:
        """True once everything was sent, though some of it may not be heard yet."""
        return self._ended

    @property
    def sent(self) -> int:
        """Samples that were sent to be heard."""
        return self._sent

    @property
    def finished(self) -> bool:
        """True once everything was sent and has left the loudspeaker."""
        return self._ended and self.playhead >= max(self._timeline.total, self._sent)

    def heard(self) -> str:
        """The text that left the loudspeaker; all of it once the reply is finished."""
        whole = self.finished or self._silent
        return self.text.strip() if whole else self._timeline.heard(self.playhead)

    def heard_until(self, pts: int) -> None:
        """The client's own word for it, which counts more than a guess by the clock."""
        self.playhead = min(pts, self._sent)

    def close(self) -> Timeline:
        """What is kept of it: which words were spoken when."""
        return self._timeline

    def sound(self, start: int, stop: int) -> bytes:
        """PCM16 from sample ``start`` to ``stop`` as a loudspeaker plays it: silence where nothing was sent."""
        first, after = min(max(start, 0), stop), min(stop, self._sent)
        sound = self._timeline.sound(first, max(after, first))
        return bytes((first - start) * SAMPLE_BYTES) + sound + bytes((stop - first) * SAMPLE_BYTES - len(sound))

    def said(self, start: int, stop: int) -> list[str]:
        """Words that begin from sample ``start`` up to ``stop``; all of the text if the voice gives no word times."""
        return [word.text for word in self._timeline.words(start, stop)] or (
            [] if self._timeline.timed else [self.text]
        )

    # ---- what happens --------------------------------------------------------------------------------------

    def begin(self) -> list[Command]:
        """Ask for the text, unless it is known."""
        if self._wanted.says:
            return [*self.wrote(self._wanted.says), *self.wrote_all()]
        return [self._ask()]

    def on(self, event: OfReply) -> list[Command]:
        """A stage answered."""
        match event:
            case ReplyText(_, text):
                return self.wrote(text)
            case ReplyCalled(_, call):
                return self.called(call)
            case ReplyEnded(_, usage, limited):
                self.usage, self._limited = usage, limited
                return self.wrote_all()
            case SpeechReady():
                return self.spoke(event)
            case ClipEnded():
                return self.spoke_clip(event)
            case FramesReady():
                return self.drew(event)
            case FaceEnded():
                return self.drew_span(event)
            case _:  # pragma: no cover - the type checker refuses a forgotten event
                assert_never(event)

    def wrote(self, text: str) -> list[Command]:
        """The language model wrote on."""
        text = self._unknown(text)
        if not text:
            return self.proceed()
        self.text += text
        self._queue(self._clips.add(text))
        return [Show(ReplyDelta(self.turn, text)), *self.proceed()]

    def _unknown(self, text: str) -> str:
        """What of ``text`` is new where a text is asked for again; one that becomes another ends where it was."""
        known = self._known
        if self._text_done or not known:
            return "" if self._text_done else text
        if not (known.startswith(text) or text.startswith(known)):
            self._known: str = ""
            self._text_done = True
            self._queue(self._clips.end())
            return ""
        self._known = known[len(text) :]
        return text[len(known) :]

    def called(self, call: ToolCall) -> list[Command]:
        """The language model asks for a function."""
        if self._known_calls:
            self._known_calls -= 1
            return []
        name = f"call_{self.turn}_{len(self.calls)}"
        self.calls.append(Said("call", call.arguments, self.turn, id=name, call_id=call.call_id, function=call.name))
        return [Show(Called(self.turn, name, call))]

    def wrote_all(self) -> list[Command]:
        """The language model has nothing to add."""
        if not self._text_done:
            self._text_done = True
            self._queue(self._clips.end())
        return self.proceed()

    def spoke(self, event: SpeechReady) -> list[Command]:
        """A piece of the clip that is being spoken."""
        if self._speaking is None or event.clip != self._clip:
            self.late["SpeechReady"] += 1
            return []
        self._timeline.add(event.pcm, event.phones, event.words)
        return self.proceed()

    def spoke_clip(self, event: ClipEnded) -> list[Command]:
        """The clip that is being spoken is complete."""
        if self._speaking is None or event.clip != self._clip:
            self.late["ClipEnded"] += 1
            return []
        self._timeline.end_clip()
        self._speaking = None
        return self.proceed()

    def drew(self, event: FramesReady) -> list[Command]:
        """Pictures of the span that is being drawn."""
        self._drawing.drew(event)
        return self.proceed()

    def drew_span(self, event: FaceEnded) -> list[Command]:
        """The span that is being drawn is complete."""
        return self.proceed() if self._drawing.drew_span(event) else []

    def lost_picture(self) -> list[Command]:
        """The client can decode no picture until one stands alone."""
        self._drawing.refresh()
        return []

    def played(self, pts: int) -> list[Command]:
        """The client's playhead; it cannot be past what was sent, nor go back."""
        if self._pace.reports_playhead:
            self.playhead = max(self.playhead, min(pts, self._sent))
        return self.proceed()

    def tick(self, now: int) -> list[Command]:
        """The clock, in milliseconds: it moves the playhead of clients that report none."""
        step, self._now = max(now - self._now, 0), now
        if self._pace.reports_playhead or self._clock is None or self.held:
            return []
        self._clock += step * (RATE // 1000)
        self.playhead = min(self._clock, self._sent)
        return self.proceed()

    def hold(self) -> None:
        """Send nothing more until told otherwise."""
        self.held = True

    def resume(self) -> list[Command]:
        """Send on."""
        self.held = False
        return self.proceed()

    def failed(self, event: StageFailed) -> list[Command]:
        """A call failed: a lost replica's is repeated once, else the reply goes on with what is left."""
        if event.lost and (again := self._again(event.stage)):
            return [again]
        shown = Show(Failed(self.turn, event.stage, event.reason))
        if event.stage == "face":
            self._drawing.stop()
            return [shown, Show(Notice(self.turn, "voice", event.reason)), *self.proceed()]
        if event.stage == "tts":
            self._speaking, self._mute = None, True
            self._waiting.clear()
            return [shown, Show(Notice(self.turn, "text", event.reason)), *self.proceed()]
        return [shown, *self._apologised(event.instead), *self.wrote_all()]

    def _apologised(self, words: str) -> list[Command]:
        """A reply that is heard does not just stop: it says that it cannot go on, in a clip of its own."""
        if self._silent or self._text_done or not words:
            return []
        self._known = ""
        self._queue(self._clips.end())
        return self.wrote(f" {words}" if self.text else words)

    # ---- what follows --------------------------------------------------------------------------------------

    def proceed(self) -> list[Command]:
        """Everything that may be asked for or sent now."""
        orders: list[Command] = [*self._speak()]
        if not self.held:
            orders += self._send_sound()
            orders += self._send_pictures()
            orders += self._draw()
            orders += self._send_end()
        return orders

    @property
    def _horizon(self) -> int | None:
        """Sample up to which may be sent; None has no bound."""
        return None if self._pace.send_lead is None else self.playhead + self._pace.send_lead

    @property
    def _spoken(self) -> bool:
        """True once no more sound will come."""
        return self._mute or (self._text_done and not self._waiting and self._speaking is None)

    def _ask(self) -> Ask:
        wanted = self._wanted
        return Ask(self.turn, self._history, wanted.instructions, wanted.tools, wanted.most)

    def _queue(self, clips: list[str]) -> None:
        if not self._mute:
            self._waiting += clips

    def _speak(self) -> Iterator[Command]:
        waiting = self._timeline.total - self.playhead
        if self._speaking is None and self._waiting and waiting < self._pace.voice_lead:
            text = self._waiting.popleft()
            self._clip += 1
            self._timeline.begin(text)
            self._speaking = self._written.order(Speak(self.turn, self._clip, text, self._seed + self._clip))
            yield self._speaking

    def _send_sound(self) -> Iterator[Command]:
        total = self._timeline.total
        limit = total if self._horizon is None else min(total, self._horizon)
        block = self._pace.audio_block
        while limit - self._sent >= block or (self._spoken and self._sent < limit == total):
            stop = min(self._sent + block, limit)
            words = self._timeline.words(self._sent, stop)
            yield Show(Audio(self.turn, self._sent, self._timeline.sound(self._sent, stop), words))
            self._sent = stop
            self._clock = 0 if self._clock is None else self._clock
        if self._pace.send_lead is None:
            self.playhead = self._sent

    def _send_pictures(self) -> Iterator[Command]:
        yield from map(Show, self._drawing.take())

    def _draw(self) -> Iterator[Command]:
        if span := self._drawing.next(self._timeline, self.playhead, self._horizon, spoken=self._spoken):
            yield span

    def _send_end(self) -> Iterator[Command]:
        made, total = self._timeline.total, max(self._timeline.total, self._sent)  # if it is not made again
        sent = self._text_done and self._spoken and self._sent == total
        if sent and self._drawing.finished(made) and not self._ended:
            self._ended = True
            yield Show(Ended(self.turn, total, self._drawing.idle_frame(total), self.usage, self._limited))

    # ---- when something breaks -----------------------------------------------------------------------------

    def _again(self, stage: StageName) -> Command | None:
        """The repeated call, or None if it was a repeat itself or cannot be repeated without saying things twice."""
        order: Command | None = None
        call: tuple[StageName, int] = (stage, 0)
        if stage == "llm" and not self.text and not self.calls:
            order = self._ask()
        elif stage == "tts" and self._speaking is not None:
            call = (stage, self._clip)
            order = self._speaking = replace(self._speaking, skip=self._timeline.spoken_of_clip())
        elif stage == "face" and (again := self._drawing.again()):
            pts, order = again
            call = (stage, pts)
        if order is None or call in self._repeated:
            return None
        self._repeated.add(call)
        return order
