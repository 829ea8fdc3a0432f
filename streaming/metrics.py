"""Every metric, declared once as data, and the meter that reads them off one conversation's events.

Dashboards, documents and exporters are checked against ``METRICS``. Nothing here counts or exports: the meter
calls ``record`` and serve_app/instruments.py binds that to a library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from streaming.commands import Ask, Audio, Cancel, Command, Cut, Ended, Frames, Show
from streaming.events import Event, ReplyText, SpeechEnded, StageFailed, TalkReleased, Tick, Typed
from streaming.media import FRAME, RATE, SAMPLE_BYTES

SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)


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
    """Upper bounds, in the unit that the name ends in."""


METRICS: tuple[Metric, ...] = (
    Metric(
        "avatar_voice_to_voice_seconds",
        "histogram",
        "From the end of the person's turn to the first sound of the reply that is sent",
        buckets=SECONDS,
    ),
    Metric(
        "avatar_asr_final_seconds",
        "histogram",
        "From the end of the person's speech to the accepted transcript",
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
    Metric("avatar_turns_total", "counter", "Replies by how they ended: completed or cut", ("outcome",)),
    Metric("avatar_barge_ins_total", "counter", "Replies that somebody interrupted"),
    Metric("avatar_speech_seconds_total", "counter", "Seconds of speech that were sent"),
    Metric("avatar_frames_total", "counter", "Pictures that were sent"),
    Metric("avatar_frames_missing_total", "counter", "Pictures of a reply that never came"),
    Metric("avatar_errors_total", "counter", "Calls that did not end well", ("stage", "lost")),
    Metric("avatar_sessions_active", "gauge", "Conversations that go on now"),
    Metric("avatar_sessions_total", "counter", "Conversations that began"),
)
"""All of them. A name that is not here is recorded nowhere."""

Record = Callable[[str, float, dict[str, str]], None]
"""Takes a metric's name, a value (a second, or how many more) and its labels."""


class Meter:
    """Watches one conversation. Time is the driver's ``Tick``, so latencies are as fine as ticks are frequent."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._now = 0
        self._marks: dict[str, int] = {}
        self._frames = 0

    def __call__(self, event: Event, commands: list[Command]) -> None:
        """An event and what it led to, in order; give it to Session as ``journal``."""
        match event:
            case Tick(now):
                self._now = now
            case SpeechEnded() | TalkReleased() | Typed():
                self._marks = {"asked": self._now}
            case ReplyText():
                self._mark("text", "avatar_llm_first_token_seconds", since="question")
            case StageFailed(_, stage, _, lost):
                self._record("avatar_errors_total", 1, {"stage": stage, "lost": str(lost).lower()})
            case _:
                pass
        for command in commands:
            self._saw(command)

    def _saw(self, command: Command) -> None:
        match command:
            case Ask():
                self._frames = 0
                self._mark("question", "avatar_asr_final_seconds", since="asked")
            case Cancel():
                self._record("avatar_barge_ins_total", 1, {})
            case Show(Audio(_, _, pcm)):
                self._record("avatar_speech_seconds_total", len(pcm) / (RATE * SAMPLE_BYTES), {})
                if "sound" not in self._marks:
                    self._mark("sound", "avatar_tts_first_audio_seconds", since="text")
                    self._since("avatar_voice_to_voice_seconds", "asked")
            case Show(Frames(_, packets)):
                self._frames += len(packets)
                self._record("avatar_frames_total", len(packets), {})
                self._mark("picture", "avatar_first_frame_seconds", since="sound")
            case Show(Ended(_, pts)):
                self._record("avatar_turns_total", 1, {"outcome": "completed"})
                self._missing(-(-pts // FRAME) - self._frames)
            case Show(Cut()):
                self._record("avatar_turns_total", 1, {"outcome": "cut"})
            case _:
                pass

    def _missing(self, count: int) -> None:
        if count > 0:
            self._record("avatar_frames_missing_total", count, {})

    def _mark(self, mark: str, metric: str, *, since: str) -> None:
        """Remember when something happened first in this turn, and how long after ``since``."""
        if mark not in self._marks:
            self._since(metric, since)
            self._marks[mark] = self._now

    def _since(self, metric: str, mark: str) -> None:
        if mark in self._marks:
            self._record(metric, (self._now - self._marks[mark]) / 1000, {})
