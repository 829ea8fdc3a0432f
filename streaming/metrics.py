"""Every metric, declared once as data, and the meter that reads them off one conversation's events.

Dashboards, documents and exporters are checked against ``METRICS``. Nothing here counts or exports: the meter
calls ``record`` and serve_app/instruments.py binds that to a library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from streaming.channel import ChannelStatistics
from streaming.commands import (
    Animate,
    Ask,
    Audio,
    Cancel,
    Command,
    Cut,
    Ended,
    Failed,
    Frames,
    HangUp,
    Show,
    Speak,
    Transcribe,
)
from streaming.events import (
    ClipEnded,
    Event,
    FaceEnded,
    Heard,
    Left,
    ReplyText,
    SpeechEnded,
    SpeechReady,
    StageFailed,
    TalkReleased,
    Tick,
    Typed,
    UserSaid,
    UserSaying,
)
from streaming.media import FRAME, MIC_RATE, RATE, frames_for, samples

SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
LENGTHS = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
RATIOS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Seconds of work for a second of sound; above 1 a stage falls behind."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One time series family."""

    name: str
    """As scraped from one process; counters end in ``_total``."""
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    """Never a session or a person."""
    buckets: tuple[float, ...] = ()
    """Upper bounds, in the unit that the name ends in; a ratio has none."""


METRICS: tuple[Metric, ...] = (
    Metric(
        "avatar_voice_to_voice_seconds",
        "histogram",
        "From the person's last voiced sample, released button or typed text to the reply's first sound that is sent",
        buckets=SECONDS,
    ),
    Metric(
        "avatar_voice_to_face_seconds",
        "histogram",
        "From the person's last voiced sample, released button or typed text to the reply's first picture that is sent",
        buckets=SECONDS,
    ),
    Metric(
        "avatar_asr_final_seconds",
        "histogram",
        "From the last voiced sample, or the button's release, to the accepted transcript",
        buckets=SECONDS,
    ),
    Metric(
        "avatar_llm_first_token_seconds",
        "histogram",
        "From the question to the language model's first text",
        buckets=SECONDS,
    ),
    Metric(
        "avatar_tts_first_audio_seconds",
        "histogram",
        "From the first text to the first sound of the reply that is sent",
        buckets=SECONDS,
    ),
    Metric(
        "avatar_first_frame_seconds",
        "histogram",
        "From the first sound of the reply to its first picture that is sent",
        buckets=SECONDS,
    ),
    Metric(
        "avatar_stage_real_time_factor",
        "histogram",
        "Time of a call that ended well, for each second of sound heard, spoken or drawn to",
        ("stage",),
        RATIOS,
    ),
    Metric("avatar_turns_total", "counter", "Replies by how they ended: completed, failed, cut or left", ("outcome",)),
    Metric("avatar_barge_ins_total", "counter", "Replies that somebody interrupted"),
    Metric("avatar_speech_seconds_total", "counter", "Seconds of speech that were sent"),
    Metric("avatar_frames_total", "counter", "Pictures that were sent"),
    Metric("avatar_frames_missing_total", "counter", "Pictures of a reply that were to be drawn and never came"),
    Metric(
        "avatar_events_late_total", "counter", "Events that came for a reply or utterance that was over", ("event",)
    ),
    Metric("avatar_errors_total", "counter", "Calls that did not end well", ("stage", "lost")),
    Metric("avatar_sessions_active", "gauge", "Conversations that go on now"),
    Metric("avatar_sessions_total", "counter", "Conversations that began"),
    Metric("avatar_resumes_total", "counter", "Clients that wanted a conversation back", ("outcome",)),
    Metric("avatar_session_duration_seconds", "histogram", "Length of conversations that are over", buckets=LENGTHS),
    Metric("avatar_queue_depth", "gauge", "Items that wait now, in all queues of that name", ("queue",)),
)
"""All of them. A name that is not here is recorded nowhere."""

Record = Callable[[str, float, dict[str, str]], None]
"""Takes a metric's name, a value (a second, or how many more; a gauge may fall) and its labels."""


@dataclass(slots=True)
class _Turn:
    """What is known of the newest reply; times in milliseconds."""

    number: int
    asked: int | None
    """When the person had finished; None if nobody saw it."""
    at: dict[str, int] = field(default_factory=dict[str, int])
    """When question, text, sound and picture came first."""
    frames: int = 0
    drawn: bool = False
    """True once the face was asked."""
    failed: bool = False


@dataclass(slots=True)
class _Call:
    """A call of a stage that is under way."""

    began: int
    """Milliseconds."""
    of: tuple[int, int]
    """What its answers name: turn and clip, turn and 0, or the last sample listened to and 0."""
    samples: int
    """Of sound heard, spoken or drawn to."""


class Meter:
    """Watches one conversation. Time is the driver's ``Tick``, so latencies are as fine as ticks are frequent."""

    def __init__(self, record: Record, late: Mapping[str, int] | None = None) -> None:
        """``late`` is the conversation's own count, ``Conversation.late``: it is read after every event."""
        self._record = record
        self._late: Mapping[str, int] = {} if late is None else late
        self._late_told: dict[str, int] = {}
        self._now = 0
        self._microphone = 0
        self._finished: int | None = None
        self._turn = _Turn(0, None)
        self._calls: dict[str, _Call] = {}
        self._depths: dict[str, int] = {}

    def __call__(self, event: Event, commands: list[Command]) -> None:
        """An event and what it led to, in order; give it to Session as ``journal``."""
        self._happened(event)
        for command in commands:
            if not _of_aside(command):
                self._ordered(command, event)
        for name, count in self._late.items():
            if more := count - self._late_told.get(name, 0):
                self._late_told[name] = count
                self._record("avatar_events_late_total", more, {"event": name})

    def waiting(self, queue: ChannelStatistics) -> None:
        """How full a queue is now. Call it again when that changed, at last with the queue empty."""
        if change := queue.used - self._depths.get(queue.name, 0):
            self._depths[queue.name] = queue.used
            self._record("avatar_queue_depth", change, {"queue": queue.name})

    # ---- what happens --------------------------------------------------------------------------------------

    def _happened(self, event: Event) -> None:
        match event:
            case Tick(now):
                self._now = now
            case Heard(pcm, at):
                self._microphone = at + samples(pcm)
            case SpeechEnded(at) | TalkReleased(at):
                # The listener tells of a pause when it has lasted a while: count from its beginning.
                self._finished = self._now - max(self._microphone - at, 0) * 1000 // MIC_RATE
            case ReplyText(turn):
                if turn == self._turn.number:
                    self._first("text", "avatar_llm_first_token_seconds", since="question")
            case StageFailed(_, stage, _, lost):
                self._record("avatar_errors_total", 1, {"stage": stage, "lost": str(lost).lower()})
            case UserSaying(_, until) | UserSaid(_, _, until):
                self._ended("asr", (until, 0), MIC_RATE)
            case SpeechReady(turn, clip, pcm):
                call = self._calls.get("tts")
                if call and call.of == (turn, clip):
                    call.samples += samples(pcm)
            case ClipEnded(turn, clip):
                self._ended("tts", (turn, clip), RATE)
            case FaceEnded(turn):
                self._ended("face", (turn, 0), RATE)
            case _:
                pass

    def _ended(self, stage: str, of: tuple[int, int], rate: int) -> None:
        call = self._calls.get(stage)
        if call is None or call.of != of:
            return
        del self._calls[stage]
        if call.samples:
            took = (self._now - call.began) / 1000
            self._record("avatar_stage_real_time_factor", took * rate / call.samples, {"stage": stage})

    # ---- what is ordered -----------------------------------------------------------------------------------

    def _ordered(self, command: Command, event: Event) -> None:
        match command:
            case Ask(turn):
                self._asked(turn, typed=isinstance(event, Typed))
            case Transcribe(audio, until):
                self._calls["asr"] = _Call(self._now, (until, 0), samples(audio))
            case Speak(turn, clip, skip=skip):
                self._calls["tts"] = _Call(self._now, (turn, clip), skip)
            case Animate(turn, span):
                self._turn.drawn = True
                self._calls["face"] = _Call(self._now, (turn, 0), span.want_frames * FRAME)
            case Cancel():
                self._calls.pop("tts", None)
                self._calls.pop("face", None)
                if not isinstance(event, Left):
                    self._record("avatar_barge_ins_total", 1, {})
            case Show(message):
                self._shown(message, event)
            case HangUp():
                self._record("avatar_session_duration_seconds", self._now / 1000, {})
            case _:
                pass

    def _asked(self, turn: int, *, typed: bool) -> None:
        if turn == self._turn.number:
            return  # a repeated call
        self._turn = _Turn(turn, self._now if typed else self._finished, {"question": self._now})
        self._finished = None
        if not typed:
            self._since("avatar_asr_final_seconds", self._turn.asked)

    def _shown(self, message: object, event: Event) -> None:
        turn = self._turn
        match message:
            case Audio(_, _, pcm):
                self._record("avatar_speech_seconds_total", samples(pcm) / RATE, {})
                if self._first("sound", "avatar_tts_first_audio_seconds", since="text"):
                    self._since("avatar_voice_to_voice_seconds", turn.asked)
            case Frames(_, packets):
                turn.frames += len(packets)
                self._record("avatar_frames_total", len(packets), {})
                if self._first("picture", "avatar_first_frame_seconds", since="sound"):
                    self._since("avatar_voice_to_face_seconds", turn.asked)
            case Failed(number, stage):
                turn.failed |= number == turn.number and stage != "face"
            case Ended(_, pts):
                self._record("avatar_turns_total", 1, {"outcome": "failed" if turn.failed else "completed"})
                missing = frames_for(pts) - turn.frames if turn.drawn else 0
                if missing > 0:
                    self._record("avatar_frames_missing_total", missing, {})
            case Cut():
                self._record("avatar_turns_total", 1, {"outcome": "left" if isinstance(event, Left) else "cut"})
            case _:
                pass

    def _first(self, what: str, metric: str, *, since: str) -> bool:
        """Remember when something came first in this turn, and how long after ``since``; False if it came before."""
        if what in self._turn.at:
            return False
        self._since(metric, self._turn.at.get(since))
        self._turn.at[what] = self._now
        return True

    def _since(self, metric: str, began: int | None) -> None:
        if began is not None:
            self._record(metric, (self._now - began) / 1000, {})


def _of_aside(command: Command) -> bool:
    """True for what is said beside the conversation: it has no latency that anybody waits for."""
    subject = command.message if isinstance(command, Show) else command
    return getattr(subject, "turn", 0) < 0
