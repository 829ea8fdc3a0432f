"""The meter: reads a conversation's latencies, counts and leads off its events and orders.

It keeps no history and exports nothing: each number goes to ``record`` as it is known, under a name of
streaming/metrics.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

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
    Hold,
    Kept,
    Resume,
    Show,
    Speak,
    StateChanged,
    Transcribe,
)
from streaming.events import (
    ClipEnded,
    Event,
    FaceEnded,
    Heard,
    Left,
    Played,
    ReplyEnded,
    ReplyText,
    Requested,
    SpeechEnded,
    SpeechReady,
    StageFailed,
    TalkReleased,
    Tick,
    Truncated,
    Typed,
    UserSaid,
    UserSaying,
)
from streaming.leads import Leads
from streaming.media import FRAME, MIC_RATE, RATE, frames_for, samples
from streaming.metrics import Record


@dataclass(slots=True)
class _Turn:
    """What is known of the newest reply; times in milliseconds."""

    number: int
    asked: int | None
    """When the person had finished; None if nobody saw it."""
    at: dict[str, int] = field(default_factory=dict[str, int])
    """When question, text, sound and picture came first."""
    shown_to: int = 0
    """Sample up to which pictures were sent, or left out on purpose."""
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

    def __init__(
        self,
        record: Record,
        late: Mapping[str, int] | None = None,
        queues: Mapping[str, Callable[[], int]] | None = None,
    ) -> None:
        """``late`` is the conversation's own count, ``Conversation.late``: it is read after every event.
        ``queues``: how many items wait in each, by its name; asked with every ``Tick``.
        """
        self._record = record
        self._late: Mapping[str, int] = {} if late is None else late
        self._late_told: dict[str, int] = {}
        self._now = 0
        self._microphone = 0
        self._finished: int | None = None
        self._turn = _Turn(0, None)
        self._leads = Leads(record)
        self._stopped: tuple[int, int] | None = None
        """A reply that was cut while somebody may have been hearing it, and when; None once its client is silent."""
        self._calls: dict[str, _Call] = {}
        self._queues: Mapping[str, Callable[[], int]] = {} if queues is None else queues
        self._depths = dict.fromkeys(self._queues, 0)
        self._speaking = False

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

    def close(self) -> None:
        """The conversation is over, or goes on elsewhere: nothing waits here any more."""
        for name, depth in self._depths.items():
            self._record("avatar_queue_depth", -depth, {"queue": name})
            self._depths[name] = 0
        self._speaks(False)

    def _speaks(self, speaking: bool) -> None:
        if speaking != self._speaking:
            self._speaking = speaking
            self._record("avatar_sessions_speaking", 1 if speaking else -1, {})

    # ---- what happens --------------------------------------------------------------------------------------

    def _happened(self, event: Event) -> None:
        match event:
            case Tick(now):
                self._now = now
                for name, waiting in self._queues.items():
                    if change := waiting() - self._depths[name]:
                        self._depths[name] += change
                        self._record("avatar_queue_depth", change, {"queue": name})
            case Heard(pcm, at):
                self._microphone = at + samples(pcm)
            case SpeechEnded(at) | TalkReleased(at):
                # The listener tells of a pause when it has lasted a while: count from its beginning.
                self._finished = self._now - max(self._microphone - at, 0) * 1000 // MIC_RATE
            case ReplyText(turn):
                if turn == self._turn.number:
                    self._first("text", "avatar_llm_first_token_seconds", since="question")
            case ReplyEnded(usage=usage) if usage is not None:
                # What came too late was paid for as well.
                kinds = {"read": usage.read, "written": usage.written, "cached": usage.cached}
                for kind, count in kinds.items():
                    self._record("avatar_llm_tokens_total", count, {"kind": kind})
            case Played(turn, pts):
                self._silent(turn)
                self._leads.played(self._now, turn, pts)
            case Truncated(turn):
                self._silent(turn)
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

    def _silent(self, turn: int) -> None:
        if self._stopped and self._stopped[0] == turn:
            self._record("avatar_barge_in_flush_seconds", (self._now - self._stopped[1]) / 1000, {})
            self._stopped = None

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
                self._asked(turn, written=isinstance(event, Typed | Requested))
            case Transcribe(audio, until):
                self._calls["asr"] = _Call(self._now, (until, 0), samples(audio))
            case Speak(turn, clip, skip=skip):
                self._calls["tts"] = _Call(self._now, (turn, clip), skip)
            case Animate(turn, span):
                self._turn.drawn = True
                self._calls["face"] = _Call(self._now, (turn, 0), span.want_frames * FRAME)
            case Cancel(turn):
                self._calls.pop("tts", None)
                self._calls.pop("face", None)
                if not isinstance(event, Left):
                    self._record("avatar_barge_ins_total", 1, {})
                    self._stopped = (turn, self._now) if "sound" in self._turn.at else None
            case Hold() | Resume():
                self._leads.pause(self._now, paused=isinstance(command, Hold))
            case Show(message):
                self._shown(message, event)
            case HangUp():
                self._record("avatar_session_duration_seconds", self._now / 1000, {})
            case _:
                pass

    def _asked(self, turn: int, *, written: bool) -> None:
        if turn == self._turn.number:
            return  # a repeated call
        # Who ends a turn by asking for its answer has spoken as well: then the voice's end counts.
        asked = self._now if written and self._finished is None else self._finished
        self._turn = _Turn(turn, asked, {"question": self._now})
        self._leads = Leads(self._record, turn)
        if self._finished is not None:
            self._since("avatar_asr_final_seconds", asked)
        self._finished = None

    def _shown(self, message: object, event: Event) -> None:
        turn = self._turn
        match message:
            case StateChanged(state):
                self._speaks(state == "speaking")
            case Audio(_, pts, pcm):
                self._leads.sound(self._now, pts + samples(pcm))
                self._record("avatar_speech_seconds_total", samples(pcm) / RATE, {})
                if self._first("sound", "avatar_tts_first_audio_seconds", since="text"):
                    self._since("avatar_voice_to_voice_seconds", turn.asked)
            case Frames(_, packets):
                turn.shown_to = max(turn.shown_to, packets[-1].pts + FRAME)
                self._leads.pictures(self._now, packets)
                self._record("avatar_frames_total", len(packets), {})
                if self._first("picture", "avatar_first_frame_seconds", since="sound"):
                    self._since("avatar_voice_to_face_seconds", turn.asked)
            case Kept(_, pts):
                turn.shown_to = max(turn.shown_to, pts)
                self._leads.kept(pts)
            case Failed(number, stage):
                turn.failed |= number == turn.number and stage != "face"
            case Ended(_, pts):
                self._leads.complete()
                self._record("avatar_turns_total", 1, {"outcome": "failed" if turn.failed else "completed"})
                missing = frames_for(pts) - frames_for(turn.shown_to) if turn.drawn else 0
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
