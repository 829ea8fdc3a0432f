"""From microphone to what was said: one utterance at a time, and when the turn is over.

While somebody speaks, a partial transcript is asked for every 0.8 s, one in flight. At a pause the *final* is
asked for at once, before it is known that the turn is over; if the pause lasts to the end-of-turn limit, the
text is already there. If speech goes on, the text was a partial. A judge may be asked about the pause as well; until
it answers, the plain limit holds. This file does not know what a reply is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from streaming.commands import JudgeTurn, Transcribe
from streaming.events import UserSaid
from streaming.media import MIC_RATE, SAMPLE_BYTES, samples
from streaming.pace import Pace
from streaming.saying import Saying
from streaming.tongue import Tongue


@dataclass(frozen=True, slots=True)
class Understood:
    """What was said, as far as ``until``."""

    text: str
    until: int
    """Sample at 16 kHz after the last one that was listened to."""


class Ears:
    """The utterance that is being spoken, if any."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._sound = bytearray()
        self._sound_from = 0
        self._next: int | None = None
        self.tongue = Tongue(pace)
        """Which language is spoken."""
        self.first: int | None = None
        """Samples of an utterance before its first partial, while a reply is held for it; None: as before any other."""
        self.discard()

    def discard(self) -> None:
        """Forget the utterance. Speech that went on after its end begins the next one."""
        self._begun: int | None = None
        self._listened = 0
        self._pause: int | None = None
        self._pause_ms: int | None = None
        self._asked: int | None = None
        self._limit = self._pace.end_of_turn
        self._partial: int | None = None
        self._final: Transcribe | None = None
        self._repeated = False
        self._known: Understood | None = None
        self.saying = Saying()
        """What is shown of the utterance."""
        self.pressed = False
        self._released = False
        self._waited = False
        if self._next is not None:
            self._begin(self._next)
            self._next = None

    @property
    def open(self) -> bool:
        """True while somebody speaks, or has spoken and the turn is not over."""
        return self._begun is not None

    @property
    def begun(self) -> int:
        """First sample at 16 kHz of the utterance; the next one if nobody speaks."""
        return self.now if self._begun is None else self._begun

    def voiced(self, until: int) -> int:
        """Samples of the utterance up to ``until``, or up to its pause."""
        return (until if self._pause is None else min(until, self._pause)) - self.begun

    @property
    def now(self) -> int:
        """Sample at 16 kHz after the last one that came in."""
        return self._sound_from + len(self._sound) // SAMPLE_BYTES

    def last(self, count: int) -> bytes:
        """The newest ``count`` samples at 16 kHz, as far as they are kept."""
        return bytes(self._sound[-count * SAMPLE_BYTES :])

    # ---- what comes in -------------------------------------------------------------------------------------

    def heard(self, pcm: bytes, at: int, quiet: int) -> list[Transcribe]:
        """Keep a block of sound. A gap in the numbering is filled with silence; a repeat is dropped."""
        start = at - self.now
        if not self._sound and (self._begun is None or start > 0):
            # What nobody sent is no silence: whoever presses a button on a conversation that was taken up sends none
            # of what came before.
            self._sound_from, start = at, 0
            if self._begun is not None:
                self._begin(at)
        if start > 0:
            self._sound += bytes(min(start, self._pace.utterance_most) * SAMPLE_BYTES)
        self._sound += pcm[max(-start, 0) * SAMPLE_BYTES :]
        self._trim()
        if self._begun is None:
            return []
        if self.now - self._begun >= self._pace.utterance_most and not self._released:
            self._next = None if self._pause is not None else self.now
            return self._close()
        return self._ask_partial(quiet)

    def started(self, at: int) -> None:
        """Somebody speaks; or speaks on after a pause."""
        if self._released:
            self._next = at
            return
        if self._begun is None:
            self._begin(at - self._pace.pre_roll)
        self._pause = self._pause_ms = None
        self._waited = False
        self._limit = self._pace.end_of_turn

    def paused(self, at: int) -> list[Transcribe]:
        """A pause began at ``at``: ask for the final at once, unless something covers every voiced sample."""
        if self._begun is None or self._released:
            self._next = None
            return []
        if at != self._pause:
            self._limit = self._pace.end_of_turn
        self._pause, self._pause_ms = at, None
        return self._ask_final(at)

    def ask_judge(self) -> list[JudgeTurn]:
        """Let the pause be judged, once, if the pace wants it; a button needs no judge."""
        if not self._pace.judging or self.pressed or self._released:
            return []
        if self._pause is None or self._pause == self._asked:
            return []
        self._asked = self._pause
        _, sound = self._utterance()
        return [JudgeTurn(sound[-self._pace.judged_most * SAMPLE_BYTES :], self._pause, self._pace.complete_from)]

    def judged(self, complete: bool, at: int) -> None:
        """A model judged the pause at ``at``; an older pause's judgement says nothing about this one."""
        if self._pause == at:
            self._limit = self._pace.end_complete if complete else self._pace.end_incomplete
            self._waited = self._waited and complete

    def press(self, at: int) -> None:
        """Push-to-talk: the utterance begins here, whatever was heard before."""
        self._next = None
        self.discard()
        self._begin(at)
        self.pressed = True

    def release(self) -> list[Transcribe]:
        """Push-to-talk came up, or the client says that the turn is complete: it ends here."""
        if self._begun is None or self._released:
            return []
        return self._close()

    @property
    def awaited(self) -> bool:
        """True while a turn is over that is not understood yet."""
        return self._released

    def at_pace(self, pace: Pace) -> None:
        """Other limits from now on."""
        self._pace = pace
        self.tongue.at_pace(pace)
        self._limit = pace.end_of_turn

    def tick(self, now_ms: int) -> None:
        """The clock, for a microphone that fell silent by sending nothing."""
        if self._pause is not None and self._pause_ms is None:
            self._pause_ms = now_ms
        if self._pause is not None and self._pause_ms is not None:
            waited = (now_ms - self._pause_ms) * MIC_RATE // 1000
            self._waited = waited >= self._limit

    def took(self, text: str, until: int, *, final: bool = False) -> bool:
        """Take a transcript. False if it belongs to an utterance that is over."""
        if self._late(until):
            return False
        if self._partial is not None and until >= self._partial:
            self._partial = None
        self._known = Understood(text, until)
        self.saying.took(text, sure=final)
        return True

    def misheard(self, said: UserSaid) -> list[Transcribe]:
        """The final once more, if it tells that another language is spoken than the one that it was asked for in."""
        if self._late(said.until) or not self.tongue.heard(said.detected, said.certainty, self.voiced(said.until)):
            return []
        return [] if self._pause is None else self._repeat()

    def failed(self, *, lost: bool) -> list[Transcribe] | None:
        """Recognition failed; ``lost``: its replica is gone, and what the turn waits for is asked for once more.

        None: nobody will understand it. A partial that failed costs nothing: the next one covers it, or the final.
        """
        self._partial = None
        if self._begun is not None and (self._pause is None or self._covered(self._pause)):
            return []
        return (self._repeat() if lost else []) or None

    def turn_over(self) -> Understood | None:
        """What was said, once the turn is over and all of it is understood."""
        if self._pause is None or self._known is None or not self._covered(self._pause):
            return None
        if self.pressed:
            return None
        over = self._released or self._waited or self.now - self._pause >= self._limit
        return self._known if over else None

    # ---- what is asked for ---------------------------------------------------------------------------------

    def _begin(self, at: int) -> None:
        self._begun = max(at, self._sound_from)
        self._listened = max(self._begun, self.now if self.pressed else self._begun)

    def _close(self) -> list[Transcribe]:
        self.pressed, self._released = False, True
        if self._pause is None:
            self._pause = self.now
        return self._ask_final(self._pause)

    def _late(self, until: int) -> bool:
        return self._begun is None or until <= self._begun or until <= (self._known.until if self._known else 0)

    def _repeat(self) -> list[Transcribe]:
        """Ask for the final again, once an utterance."""
        if self._repeated:
            return []
        self._repeated = True
        self._final = self._order(final=True)
        return [self._final]

    def _covered(self, voiced_until: int) -> bool:
        return self._known is not None and self._known.until >= voiced_until

    def _ask_partial(self, quiet: int) -> list[Transcribe]:
        begun = self.begun
        wanted = self._pace.partial_every if self.first is None or self._listened != begun else self.first
        if self._pause is not None or self._partial is not None or quiet >= self._pace.partial_quiet:
            return []
        if self.now - self._listened < wanted:
            return []
        self._partial = self._listened = self.now
        return [self._order(final=False)]

    def _ask_final(self, voiced_until: int) -> list[Transcribe]:
        if self._covered(voiced_until):
            return []
        if self._partial is not None and self._partial >= voiced_until:
            return []
        if self._final is not None and self._final.until >= voiced_until:
            return []
        self._partial = None
        self._final = self._order(final=True)
        return [self._final]

    def _order(self, *, final: bool) -> Transcribe:
        begun, sound = self._utterance()
        return Transcribe(sound, begun + samples(sound), final, self.tongue.language)

    def _utterance(self) -> tuple[int, bytes]:
        """Its first sample, and all that was heard since."""
        begun = self._begun if self._begun is not None else self.now
        return begun, bytes(self._sound[(begun - self._sound_from) * SAMPLE_BYTES :])

    def _trim(self) -> None:
        """Outside an utterance the pre-roll, the listener's own delay (0.5 s) and what the guard compares are kept."""
        if self._begun is None:
            keep = max(self._pace.pre_roll + MIC_RATE // 2, self._pace.echo_before + self._pace.echo_window)
            drop = len(self._sound) // SAMPLE_BYTES - keep
        else:
            drop = self._begun - self._sound_from
        if drop > 0:
            del self._sound[: drop * SAMPLE_BYTES]
            self._sound_from += drop


_NOISE = re.compile(r"\[.*?\]|\(.*?\)|\*.*?\*")
"""What recognisers write for sounds that are no words: "[coughs]", "(clears throat)", "*sighs*"."""

_BACKCHANNELS = frozenset(
    "ah aha eh er erm hm hmm huh mhm mm mmm oh ok okay right uh uhhuh um yeah yep yes mmhmm uhuh sure".split()
)

_STOPS = frozenset("stop wait no hey hold pause quiet enough sorry".split())


def says_stop(text: str) -> bool:
    """True if the text holds a word that is said to interrupt and hardly for anything else."""
    return any("".join(c for c in word if c.isalnum()).lower() in _STOPS for word in text.split())


def says_something(text: str) -> bool:
    """True if the text holds words that mean to interrupt: not silence, a cough, or "mhm", "yeah", "okay"."""
    spoken = _NOISE.sub(" ", text).replace("-", "")
    words = ["".join(c for c in word if c.isalnum()).lower() for word in spoken.split()]
    return any(word and word not in _BACKCHANNELS for word in words)
