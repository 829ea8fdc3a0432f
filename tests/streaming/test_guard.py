"""Our own voice in the microphone, told as events and the orders they lead to."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.commands import Ask, Cancel, Command, Cut, Hold, Resume, Show, Speak, StateChanged, Transcribe
from streaming.conversation import Conversation
from streaming.events import (
    ClipEnded,
    Heard,
    Played,
    ReplyEnded,
    ReplyText,
    SpeechEnded,
    SpeechReady,
    SpeechStarted,
    TalkPressed,
    TalkReleased,
    Tick,
    Typed,
    UserSaid,
    UserSaying,
)
from streaming.media import MIC_RATE, RATE
from streaming.pace import Pace
from streaming.stages import Said, Word
from tests.streaming.stories import MS
from tests.streaming.voices import Sound, pcm16, room, voice

US, SOMEBODY = 1, 2
QUARTER = 10 ** (-12 / 20)
LATE_S = 0.2
LENGTH_S = 4.0
TEXT = "I fall silent at once."
WORDS = tuple(Word(text, k * RATE // 2, RATE // 2) for k, text in enumerate(TEXT.split()))
ECHO = voice(US, MIC_RATE, 6.0, late=LATE_S, gain=QUARTER)
ECHO[round((LATE_S + LENGTH_S) * MIC_RATE) :] = 0
PERSON = voice(SOMEBODY, MIC_RATE, 6.0, gain=2 * QUARTER)


class Story:
    """A reply that is heard through a loudspeaker; time is what the microphone heard since it began."""

    def __init__(self, pace: Pace | None = None, words: tuple[Word, ...] = WORDS) -> None:
        self.talk = Conversation("story", pace, codec=None)
        self.told: list[Command] = []
        self.at = 0
        self.playing = True
        self.pts = 0
        self.do(Tick(0), Typed("Hello"), ReplyText(1, TEXT), ReplyEnded(1))
        (speak,) = [c for c in self.told if isinstance(c, Speak)]
        self.do(SpeechReady(1, speak.clip, pcm16(voice(US, RATE, LENGTH_S)), (), words), ClipEnded(1, speak.clip))

    def do(self, *events: object) -> list[Command]:
        told: list[Command] = []
        for event in events:
            told += self.talk.on(event)  # type: ignore[arg-type]  # every caller gives events
        self.told += told
        if any(isinstance(c, Hold | Cancel) for c in told):
            self.playing = False
        self.playing = self.playing or any(isinstance(c, Resume) for c in told)
        return told

    def hear(self, sound: Sound, until_ms: int, quiet: int = 0) -> list[Command]:
        """Blocks of 20 ms of ``sound``, with the playhead four times a second."""
        told: list[Command] = []
        while self.at < until_ms * MS:
            block = sound[self.at : self.at + 20 * MS] + room(0.02, MIC_RATE)
            told += self.do(Heard(pcm16(block), self.at, quiet))
            self.at += 20 * MS
            self.pts += 480 * self.playing
            if self.at % (240 * MS) == 0:
                told += self.do(Played(1, self.pts))
            told += self.do(Tick(self.at // MS))
        return told

    def orders(self) -> list[str]:
        return [type(c).__name__ for c in self.told if isinstance(c, Hold | Resume | Cancel)]


def test_our_own_voice_holds_nothing_from_the_first_word_to_the_last() -> None:
    story = Story()
    story.hear(ECHO, 340)
    assert story.do(SpeechStarted(210 * MS)) == []
    story.hear(ECHO, 2000)
    story.do(SpeechEnded(1800 * MS))
    story.hear(ECHO, 2100, quiet=300 * MS)
    assert story.do(SpeechStarted(1960 * MS)) == []
    story.hear(ECHO, 4260)
    story.hear(ECHO, 4400, quiet=100 * MS)
    assert story.do(SpeechEnded(4200 * MS)) == []
    story.hear(ECHO, 5500, quiet=1300 * MS)
    assert story.orders() == []
    assert (story.talk.state, story.talk.turn) == ("idle", 1)


def test_a_client_that_reports_no_playhead_is_guarded_by_the_clock() -> None:
    story = Story(Pace.blind())
    story.hear(ECHO, 340)
    assert story.do(SpeechStarted(210 * MS)) == []
    story.hear(ECHO, 3000)
    assert story.orders() == []


def test_the_last_word_in_an_empty_room_is_not_listened_to() -> None:
    story = Story()
    story.hear(ECHO, 4020)
    story.do(Played(1, round(LENGTH_S * RATE)))
    assert story.talk.state == "idle"
    story.hear(ECHO, 4120)
    assert story.do(SpeechStarted(3990 * MS)) == []
    assert story.talk.state == "idle"


def test_a_person_without_a_loudspeaker_holds_at_once() -> None:
    story = Story()
    story.hear(np.concatenate([np.zeros(1500 * MS), PERSON]), 1620)
    assert story.do(SpeechStarted(1500 * MS)) == [Hold(1), Show(StateChanged("held", 1))]


@pytest.mark.parametrize(("reaches", "held"), [(False, ["Hold"]), (True, [])])
def test_a_voice_like_ours_is_a_persons_where_ours_was_never_heard(reaches: bool, held: list[str]) -> None:
    """With headphones the microphone is silent while we speak: what it hears then is not us, however alike."""
    story = Story()
    sound = ECHO.copy()
    sound[: 2000 * MS] *= reaches
    story.hear(sound, 2140)
    story.do(SpeechStarted(2010 * MS))
    assert story.orders() == held


def power(pcm: bytes) -> float:
    return float(np.square(np.frombuffer(pcm, "<i2").astype(float)).mean())


def over(person_ms: int, pace: Pace | None = None) -> tuple[Story, int]:
    """A person speaks over our echo from ``person_ms`` on; the story, and when it was held."""
    story = Story(pace)
    person = PERSON.copy()
    person[: person_ms * MS] = 0
    story.hear(ECHO, 340)
    story.do(SpeechStarted(210 * MS))
    while "Hold" not in story.orders() and story.at < 4000 * MS:
        story.hear(ECHO + person, story.at // MS + 20)
    return story, story.at // MS


@pytest.mark.parametrize("person_ms", [700, 1500, 1900])
def test_a_person_who_speaks_over_our_voice_holds_soon(person_ms: int) -> None:
    story, held_ms = over(person_ms)
    assert story.orders() == ["Hold"]
    assert person_ms < held_ms <= person_ms + 400


def test_words_over_our_voice_cancel_and_our_voice_is_not_their_beginning() -> None:
    story, held_ms = over(1900)
    told = story.hear(PERSON, held_ms + 700)
    (partial,) = [c for c in told if isinstance(c, Transcribe)]
    begun = partial.until - len(partial.audio) // 2
    assert begun == held_ms * MS - Pace().echo_found
    assert 0 <= len(partial.audio) // 2 - Pace().echo_brief < 20 * MS
    both = pcm16((ECHO + PERSON)[begun : held_ms * MS])
    assert power(partial.audio[: len(both)]) < power(both)
    assert Cancel(1) in story.do(UserSaying("what I really want to know", partial.until))


@pytest.mark.parametrize(("text", "then"), [("See you next time.", ["Hold", "Resume"]), ("Stop!", ["Hold", "Cancel"])])
def test_a_short_sound_over_our_voice_is_no_word_but_stop_is(text: str, then: list[str]) -> None:
    story, held_ms = over(1900)
    story.hear(PERSON, held_ms + 100)
    (final,) = [c for c in story.do(SpeechEnded((held_ms + 60) * MS)) if isinstance(c, Transcribe)]
    story.do(UserSaid(text, "en", final.until))
    story.hear(np.zeros(8 * MIC_RATE), held_ms + 700, quiet=500 * MS)
    assert story.orders() == then


def test_after_a_cough_our_voice_is_known_again() -> None:
    story, held_ms = over(1900)
    story.hear(PERSON, held_ms + 100)
    story.do(SpeechEnded((held_ms + 60) * MS))
    story.do(UserSaid("", "en", story.at))
    story.hear(np.zeros(8 * MIC_RATE), held_ms + 700, quiet=500 * MS)
    resumed = story.at - held_ms * MS
    echo = np.concatenate([np.zeros(resumed), voice(US, MIC_RATE, 6.0, late=LATE_S, gain=QUARTER)])
    echo[: story.at + round(LATE_S * MIC_RATE)] = 0
    story.hear(echo, story.at // MS + 340)
    story.do(SpeechStarted(story.at - 120 * MS))
    story.hear(echo, story.at // MS + 600)
    assert story.orders() == ["Hold", "Resume"]


@pytest.mark.parametrize("words", [WORDS, ()])
def test_a_transcript_of_our_own_words_is_nothing_said(words: tuple[Word, ...]) -> None:
    story = Story(words=words)
    story.hear(np.zeros(8 * MIC_RATE), 1000)
    story.do(SpeechStarted(800 * MS))
    assert story.orders() == ["Hold"]
    story.hear(np.zeros(8 * MIC_RATE), 1100, quiet=80 * MS)
    assert story.do(UserSaying("fall silent", 1000 * MS)) == []
    story.do(SpeechEnded(1020 * MS))
    story.do(UserSaid("I fall silent", "en", 1100 * MS))
    story.hear(np.zeros(8 * MIC_RATE), 1700, quiet=600 * MS)
    assert story.orders() == ["Hold", "Resume"]


def test_after_the_first_seconds_fewer_of_our_words_are_a_persons() -> None:
    story = Story()
    story.hear(np.zeros(8 * MIC_RATE), 2600)
    story.do(SpeechStarted(2400 * MS))
    assert Cancel(1) in story.do(UserSaying("at once now please", 2600 * MS))


def test_who_repeats_our_words_after_us_is_answered() -> None:
    story = Story()
    story.hear(np.zeros(8 * MIC_RATE), 4500)
    assert story.talk.state == "idle"
    story.do(SpeechStarted(4700 * MS))
    story.hear(np.zeros(8 * MIC_RATE), 5200)
    story.do(SpeechEnded(5100 * MS), UserSaid("Silent at once?", "en", 5200 * MS))
    told = story.hear(np.zeros(8 * MIC_RATE), 5800, quiet=700 * MS)
    assert any(isinstance(c, Ask) and c.history[-1] == Said("user", "Silent at once?", 2) for c in told)


def test_push_to_talk_is_never_guarded() -> None:
    story = Story()
    story.hear(ECHO, 340)
    story.do(SpeechStarted(210 * MS))
    told = story.do(TalkPressed(story.at))
    assert Cancel(1) in told and any(isinstance(c, Show) and isinstance(c.message, Cut) for c in told)
    pressed = story.at
    assert story.do(SpeechStarted(story.at)) == []
    story.hear(ECHO, 700)
    (final,) = [c for c in story.do(TalkReleased(story.at)) if isinstance(c, Transcribe)]
    assert final.audio == b"".join(
        pcm16(ECHO[at : at + 20 * MS] + room(0.02, MIC_RATE)) for at in range(pressed, story.at, 20 * MS)
    )
    told = story.do(UserSaid("fall silent", "en", final.until))
    assert any(isinstance(c, Ask) for c in told)


def test_what_is_said_after_a_cut_is_not_touched() -> None:
    story, held_ms = over(1900)
    story.hear(PERSON, held_ms + 700)
    assert Cancel(1) in story.do(UserSaying("what I really want to know", story.at))
    told = story.hear(PERSON, held_ms + 2500)
    later = [c for c in told if isinstance(c, Transcribe)][-1]
    assert later.audio[-2 * 320 :] == pcm16(PERSON[later.until - 320 : later.until] + room(0.02, MIC_RATE))


def test_files_have_no_loudspeaker() -> None:
    story = Story(Pace(guards_echo=False))
    story.hear(ECHO, 340)
    assert story.do(SpeechStarted(210 * MS))[:1] == [Hold(1)]
    assert not Pace.file().guards_echo
