"""What a clip is written in, what is made of that, and what a conversation tells the voice."""

from __future__ import annotations

import pytest

from streaming.commands import Speak
from streaming.conversation import Conversation
from streaming.driving import UNVOICED, Driving
from streaming.events import ClipEnded, ReplyEnded, ReplyText, SpeechReady, Typed
from streaming.media import SAMPLE_BYTES
from streaming.pace import Pace
from streaming.written import Written, written_in


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("I can tell you what it is.", "en"),
        ("¿Qué quieres?", "es"),
        ("El tren sale de la estación.", "es"),
        ("Das ist nicht mein Fehler.", "de"),
        ("Je ne suis pas là.", "fr"),
        ("Non è la mia casa.", "it"),
        ("Você não tem razão.", "pt"),
        ("火车明天出发。", "zh"),
        ("我用 iPhone 打开 YouTube。", "zh"),
        ("電車は明日出ます。", "ja"),
        ("기차가 떠나요.", "ko"),
        ("Поезд уходит завтра.", "ru"),
        ("The word 你好 means hello, and that is all.", "en"),
        ("Sure.", ""),
        ("Claro.", ""),
        ("Die Hard.", ""),
        ("12:30", ""),
        ("", ""),
        ("☃ ✓", ""),
    ],
)
def test_a_text_tells_its_language_or_says_that_it_does_not(text: str, language: str) -> None:
    assert written_in(text) == language


def test_one_small_word_is_enough_in_the_language_that_the_person_speaks() -> None:
    assert written_in("Madrid que canta.") == ""
    assert written_in("Madrid que canta.", likely="es") == "es"
    assert written_in("Madrid que canta.", likely="pt") == "pt", "que is Portuguese too"


def test_what_could_be_two_languages_tells_neither() -> None:
    assert written_in("Do me a favor.") == "", "Portuguese has do, me and a as well"
    assert written_in("Do me a favor, will you?") == "en"


def test_many_unknown_words_are_in_the_language_that_the_person_speaks() -> None:
    text = "Juna lähtee huomenna aamulla kello yhdeksän."
    assert (written_in(text), written_in(text, "fi"), written_in("Hyvä juttu.", "fi")) == ("", "fi", "")
    assert written_in("Sunshine breakfast window table garden.", "es") == "", "Spanish would show"


def test_a_clip_that_does_not_tell_is_as_the_one_before_and_a_change_is_told() -> None:
    written = Written("es")
    texts = ["Madrid.", "El tren sale a las nueve.", "Madrid.", "In English it is a train.", "Madrid."]
    told = [written.order(Speak(1, number, text, 7)) for number, text in enumerate(texts)]
    assert [order.language for order in told] == ["", "es", "es", "en", "en"]
    assert [order.turned for order in told] == [True, True, False, True, False]
    assert {order.likely for order in told} == {"es"}
    assert written.order(Speak(1, 2, "Madrid.", 7)) == told[2], "asked for again, it is what it was"


# ---- what the voice is asked for ---------------------------------------------------------------------------


def clip(text: str = "Bien.", language: str = "", likely: str = "", turned: bool = True) -> Speak:
    return Speak(1, 0, text, 7, language=language, likely=likely, turned=turned)


def test_a_voice_of_unknown_languages_speaks_everything_in_its_own() -> None:
    assert Driving(language="fr").voiced(clip(language="es")) == ("Bien.", "fr")


def test_a_clip_is_spoken_in_its_language_else_the_persons_else_the_usual_one() -> None:
    driving = Driving(languages=frozenset({"en", "es"}))
    assert driving.voiced(clip(language="es", likely="en")) == ("Bien.", "es")
    assert driving.voiced(clip(likely="es")) == ("Bien.", "es")
    assert driving.voiced(clip(likely="de")) == ("Bien.", "en")
    assert driving.voiced(clip()) == ("Bien.", "en")
    assert Driving(language="de", languages=frozenset({"es"})).voiced(clip()) == ("Bien.", "es"), "German is not there"


def test_a_language_without_a_voice_is_told_once_in_one_that_there_is() -> None:
    for usual in ("en", "es", "zh"):
        driving = Driving(language=usual, languages=frozenset({"en", "es", "zh"}))
        assert driving.voiced(clip(language="de")) == (UNVOICED[usual], usual)
        assert driving.voiced(clip(language="de", turned=False)) == ("", usual)
    french = Driving(language="fr", languages=frozenset({"fr", "zh"}))
    assert french.voiced(clip(language="de")) == (UNVOICED["zh"], "zh")
    assert Driving(language="fr", languages=frozenset({"fr"})).voiced(clip(language="de")) == ("", "fr")
    assert Driving(language="fr", languages=frozenset()).voiced(clip(language="de")) == ("", "fr")


# ---- in a conversation -------------------------------------------------------------------------------------


def spoken(talk: Conversation, *texts: str) -> list[Speak]:
    """Every order to speak of reply 1, each answered with half a second of sound."""
    orders = [*talk.on(Typed("hallo"))]
    for text in texts:
        orders += talk.on(ReplyText(1, text))
    orders += talk.on(ReplyEnded(1))
    told = list[Speak]()
    while clips := [order for order in orders if isinstance(order, Speak)]:
        told += clips
        orders = [
            *talk.on(SpeechReady(1, clips[0].clip, bytes(12_000 * SAMPLE_BYTES))),
            *talk.on(ClipEnded(1, clips[0].clip)),
        ]
    return told


def test_each_clip_of_a_reply_says_what_it_is_written_in() -> None:
    talk = Conversation("story", Pace.file(), codec=None)
    told = spoken(talk, "Das ist ein Zug. ", "Er fährt nicht nach Berlin, und ich weiß auch nicht, warum das so ist. ")
    assert [(order.language, order.turned) for order in told] == [("de", True), ("de", False)]


def test_what_the_client_said_it_speaks_goes_with_each_clip() -> None:
    talk = Conversation("story", Pace.file(), codec=None)
    talk._ears.tongue.choose("es")
    assert [(order.language, order.likely) for order in spoken(talk, "Madrid.")] == [("", "es")]
