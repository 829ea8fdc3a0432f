"""Which language recognition is asked for: found out once, kept, moved by somebody else, or said by the client."""

from __future__ import annotations

from dataclasses import replace

from streaming.commands import Command, Remember, Transcribe
from streaming.conversation import Conversation
from streaming.ears import Ears
from streaming.events import Agreed, SpeechEnded, SpeechStarted, StageFailed, UserSaid
from streaming.floor import Floor
from streaming.pace import Pace
from streaming.tongue import Tongue
from tests.streaming.stories import MS, silence_until

SECOND = 16_000


def asked(commands: list[Command]) -> list[tuple[bool, str | None]]:
    """Of each order to recognise: whether it is a final, and the language."""
    return [(order.final, order.language) for order in commands if isinstance(order, Transcribe)]


class Story:
    """A person who speaks and falls silent, again and again."""

    def __init__(self, talk: Conversation | None = None) -> None:
        self.talk = talk or Conversation("story", Pace(end_of_turn=200 * MS))
        self.at = 0

    def speaks(self, seconds: float) -> tuple[list[Command], Transcribe]:
        """All that is ordered while somebody speaks, and the order for the final at the pause."""
        begin, end = self.at, self.at + int(seconds * SECOND)
        orders = [*silence_until(self.talk, begin, begin + 1600), *self.talk.on(SpeechStarted(begin))]
        orders += silence_until(self.talk, begin + 1600, end)
        at_pause = self.talk.on(SpeechEnded(end))
        self.at = end
        (final,) = [order for order in at_pause if isinstance(order, Transcribe)]
        return [*orders, *at_pause], final

    def understood(self, final: Transcribe, text: str, detected: str, certainty: float) -> list[Command]:
        """The final's answer, and silence until the turn is over."""
        told = self.talk.on(UserSaid(text, detected, final.until, detected, certainty))
        if not asked(told):
            told += silence_until(self.talk, self.at, self.at + SECOND, SECOND)
            self.at += SECOND
        return told

    def says(self, seconds: float, text: str, detected: str, certainty: float) -> list[Command]:
        """A whole turn."""
        orders, final = self.speaks(seconds)
        return [*orders, *self.understood(final, text, detected, certainty)]


def test_a_long_and_sure_utterance_pins_its_language_for_partials_and_finals() -> None:
    story = Story()
    assert asked(story.says(1.5, "Buenos días, ¿qué tal?", "es", 0.93)) == [(False, None), (True, None)]
    assert asked(story.says(1.5, "Sí", "es", 0.5)) == [(False, "es"), (True, "es")]


def test_neither_a_short_utterance_nor_an_unsure_one_pins_anything() -> None:
    story = Story()
    story.says(0.6, "See.", "en", 0.99)
    assert asked(story.says(2, "hm, ja", "de", 0.79))[-1] == (True, None)
    assert asked(story.says(2, "Hello there", "en", 0.8))[-1] == (True, None)
    assert asked(story.speaks(1)[0])[-1] == (True, "en")


def test_an_engine_that_does_not_look_is_asked_without_a_language_for_ever() -> None:
    story = Story()
    story.says(3, "Hello there, can you hear me?", "", 0)
    assert asked(story.speaks(1)[0])[-1] == (True, None)


def test_a_long_and_sure_utterance_in_another_language_moves_the_pin_and_is_heard_once_more() -> None:
    story = Story()
    story.says(2, "Good morning to you", "en", 0.95)
    _, final = story.speaks(3.5)
    assert final.language == "en"
    again = story.understood(final, "I would like to know", "es", 0.96)
    assert asked(again) == [(True, "es")] and len(again) == 1
    assert story.talk.history[-1].text == "Good morning to you"
    told = story.understood(replace(final, until=again[0].until), "Me gustaría saber quién eres", "es", 0.97)  # type: ignore[union-attr]
    assert [order.item.text for order in told if isinstance(order, Remember)][-1] == "Me gustaría saber quién eres"


def test_a_quotation_or_a_doubt_moves_nothing() -> None:
    story = Story()
    story.says(2, "Good morning to you", "en", 0.95)
    assert asked(story.says(2.5, "Buenos días means good morning", "es", 0.99))[-1] == (True, "en")
    assert asked(story.says(4, "It is a rather noisy place", "cy", 0.89))[-1] == (True, "en")
    assert asked(story.speaks(1)[0])[-1] == (True, "en")


def test_where_speech_goes_on_the_text_is_not_asked_for_again_but_the_pin_moves() -> None:
    story = Story()
    story.says(2, "Good morning to you", "en", 0.95)
    _, final = story.speaks(3.5)
    story.talk.on(SpeechStarted(story.at + 100 * MS))
    assert asked(story.talk.on(UserSaid("I would like", "en", final.until, "es", 0.96))) == []
    orders = silence_until(story.talk, story.at, story.at + SECOND)
    assert asked([*orders, *story.talk.on(SpeechEnded(story.at + SECOND))])[-1] == (True, "es")


def test_a_replica_that_dies_with_the_repeated_final_is_told_as_a_failure() -> None:
    story = Story()
    story.says(2, "Good morning to you", "en", 0.95)
    _, final = story.speaks(3.5)
    story.understood(final, "I would like to know", "es", 0.96)
    assert asked(story.talk.on(StageFailed(0, "asr", "gone", lost=True))) == []


def test_the_language_that_the_client_says_holds_whatever_is_heard_until_it_is_taken_back() -> None:
    story = Story()
    story.says(2, "Good morning to you", "en", 0.95)
    story.talk.on(Agreed(language="zh"))
    assert asked(story.says(4, "Good morning to you", "en", 0.99))[-1] == (True, "zh")
    story.talk.on(Agreed(language="zh"))
    story.talk.on(Agreed())
    assert asked(story.says(2, "Buenos días a todos", "es", 0.9))[-1] == (True, None)
    story.talk.on(Agreed())
    assert asked(story.speaks(1)[0])[-1] == (True, "es")


def test_a_conversation_that_is_taken_up_elsewhere_knows_what_the_client_said() -> None:
    floor = Floor("story", Agreed(language="es"), seed=0, codec=None)
    assert asked(Story(Conversation("story", floor=floor)).speaks(1)[0])[-1] == (True, "es")


def test_an_answer_for_an_utterance_that_is_over_tells_nothing() -> None:
    ears = Ears(Pace())
    assert ears.misheard(UserSaid("late", "es", 100, "es", 0.99)) == [] and ears.tongue.language is None


def test_other_limits_hold_from_now_on() -> None:
    tongue = Tongue(Pace())
    assert not tongue.heard("es", 0.6, 2 * SECOND) and tongue.language is None
    tongue.at_pace(Pace(language_sure=0.5))
    assert not tongue.heard("es", 0.6, 2 * SECOND) and tongue.language == "es"
