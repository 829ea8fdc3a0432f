"""How far ahead, how often, how long to wait: every limit of a conversation, each with its unit and reason.

This file decides nothing; ears.py, reply.py and conversation.py do, by these numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from streaming.media import MIC_RATE, RATE

Eagerness = Literal["low", "medium", "high", "auto"]
"""How soon a turn is taken that sounds unfinished; ``auto`` is ``medium``."""

PATIENCE: dict[Eagerness, int] = {
    "low": 8 * MIC_RATE,
    "medium": 4 * MIC_RATE,
    "auto": 4 * MIC_RATE,
    "high": 2 * MIC_RATE,
}
"""Silence in samples at 16 kHz that ends a turn judged incomplete."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The limits of one conversation. ``Pace()`` is for a client that reports its playhead."""

    # Run-ahead of the reply, in samples at 24 kHz.
    voice_lead: int = 8 * RATE
    """No clip is begun while this much speech waits unheard: what is synthesised past it is wasted if cut off."""
    send_lead: int | None = RATE * 6 // 5
    """Sound and pictures sent past the playhead; None has no bound (files)."""
    reports_playhead: bool = True
    """False: the playhead is guessed from the clock since the first sound was sent."""

    # The face, in samples at 24 kHz and in frames.
    look_ahead: int = RATE * 7 // 25
    """Sound that the face must know past a frame, or past the last of a grain of them, before it can draw it: lips move
    before they are heard."""
    span_grain: int = 1
    """Frames whose sound is known at once, counted from the reply's first: for a face that hears it in chunks."""
    span_frames: int = 25
    """Most frames of one call: a lost replica costs at most this much to repeat."""
    span_least: int = 5
    """Fewest frames of one call in mid-reply: fewer would spend more on the call than on the pictures."""
    span_sound: int = 3 * RATE
    """Most sound sent beyond the last wanted frame."""
    audio_block: int = RATE // 10
    """One audio message: 100 ms, 4.8 kB."""
    start_frames: int = 5
    """Idle frames that a client still shows between our asking the face and its first picture being due."""

    # The microphone, in samples at 16 kHz.
    pre_roll: int = MIC_RATE * 3 // 10
    """Kept from before the first voiced sample: soft beginnings of words are heard late by the listener."""
    partial_every: int = MIC_RATE * 8 // 10
    """New sound between two partial transcripts."""
    partial_first_held: int = MIC_RATE * 3 // 10
    """New sound before the first partial while a reply is held: words must be known soon to cancel it."""
    partial_quiet: int = MIC_RATE // 10
    """No partial is begun after this much silence: the final would have to wait for it."""
    end_of_turn: int = MIC_RATE // 2
    """Silence that ends a turn when nothing has judged it, or not yet."""
    end_complete: int = MIC_RATE * 3 // 10
    """Silence that ends a turn judged complete."""
    end_incomplete: int = MIC_RATE * 2
    """Silence that ends a turn judged incomplete."""
    judging: bool = False
    """True: a judge is asked at every pause of a turn, unless a reply is held or the button is down."""
    judged_most: int = 8 * MIC_RATE
    """Most sound that a judge is given: what Smart Turn's window holds."""
    complete_from: float = 0.5
    """Least probability, in [0, 1], of a turn that counts as complete."""
    idle_timeout: int | None = None
    """Milliseconds without a word since a reply was heard, after which the avatar speaks again; None waits for ever."""
    language_sure: float = 0.8
    """Least probability, in [0, 1], at which an utterance tells which language is spoken from then on."""
    language_after: int = MIC_RATE
    """Least sound of such an utterance, in samples at 16 kHz: of "yes" or "sí" recognisers guess the language."""
    language_moved: float = 0.9
    """Least probability, in [0, 1], at which an utterance tells that another language is spoken now."""
    language_moved_after: int = 3 * MIC_RATE
    """Least sound of such an utterance, in samples at 16 kHz: a name or a quotation is shorter."""
    utterance_most: int = 60 * MIC_RATE
    """Longest turn: 60 s are 1.9 MB, under the 4 MiB that one message between replicas may have."""

    # Our own voice in the microphone. Shares are of the microphone's energy, or of a transcript's words.
    guards_echo: bool = True
    """False: whatever is heard is a person (files, where nothing comes out of a loudspeaker)."""
    echo_delay: int = MIC_RATE * 6 // 10
    """Longest way from the reported playhead through the room to the microphone, in samples at 16 kHz."""
    echo_window: int = MIC_RATE * 4 // 10
    """Sound that is compared at once, in samples at 16 kHz: less is alike by chance, more notices a person later."""
    echo_before: int = MIC_RATE // 2
    """Sound before a beginning that tells whether our voice comes to the microphone at all, or there are headphones."""
    echo_every: int = MIC_RATE // 10
    """New sound between two comparisons while we hear only ourselves, in samples at 16 kHz; each costs about 2 ms."""
    echo_found: int = MIC_RATE // 4
    """What a person has said over our voice by the time it is noticed, in samples at 16 kHz: the utterance begins this
    much earlier, without pre-roll, for what is before it is our own."""
    echo_brief: int = MIC_RATE * 9 // 10
    """Over our own voice, anything shorter is a cough or "mhm" whatever it sounds like, except words that stop us: what
    is left of a short sound makes recognisers guess. In samples at 16 kHz, from the utterance's beginning."""
    echo_left: float = 0.4
    """Share of energy that our voice does not explain, from which on somebody else speaks. Measured in 400 ms: 0.0 for
    19 of 20 echoes (0.25 in a room that reverberates), 0.6 for half of what a person says 6 dB above it."""
    echo_left_early: float = 0.6
    """The same in the first seconds, where a false stop would cut every answer short."""
    echo_words: float = 0.75
    """Share of words that we said around that time, from which on a transcript is our own."""
    echo_words_early: float = 0.5
    """The same in the first seconds."""
    echo_early: int = RATE * 3 // 2
    """The first seconds of a reply, in samples at 24 kHz."""

    @classmethod
    def blind(cls) -> Pace:
        """For clients that do not: less is sent ahead, because it cannot be taken back; echo may come later than the
        clock says, because nobody knows when they began to play."""
        return cls(send_lead=RATE * 2 // 5, reports_playhead=False, echo_delay=MIC_RATE)

    @classmethod
    def file(cls) -> Pace:
        """For files: whatever was sent counts as heard, and nothing waits."""
        return cls(send_lead=None, guards_echo=False)

    def with_chunks(self, grain: int, look_ahead: int, sound: int) -> Pace:
        """The same for a face that hears ``grain`` frames at once and needs ``look_ahead`` samples past the last of
        them; ``sound`` is the most that is of use to it past a span."""
        most = max(self.span_sound, sound)
        return replace(self, span_grain=grain, look_ahead=max(self.look_ahead, look_ahead), span_sound=most)

    def with_eagerness(self, eagerness: Eagerness = "auto") -> Pace:
        """The same with a judge at every pause, and as much patience for unfinished turns as ``eagerness`` says."""
        return replace(self, judging=True, end_incomplete=PATIENCE[eagerness])

    def with_silence(self, milliseconds: int) -> Pace:
        """The same without a judge: this much silence ends every turn."""
        return replace(self, judging=False, end_of_turn=milliseconds * MIC_RATE // 1000)

    def with_idle_timeout(self, milliseconds: int | None) -> Pace:
        """The same with a silence after which the avatar speaks by itself; None: it never does."""
        return replace(self, idle_timeout=milliseconds)

    def with_pre_roll(self, milliseconds: int) -> Pace:
        """The same with this much sound kept from before the first voiced sample."""
        return replace(self, pre_roll=milliseconds * MIC_RATE // 1000)
