"""What nobody said: a film's subtitles over near-silence, and texts that run in circles."""

from __future__ import annotations

import pytest

from actors.asr.phantoms import LITTLE, circles, phantom

UNSURE, SURE = -0.7, -0.2
SECOND = 16_000


@pytest.mark.parametrize(
    "text",
    [
        "Thank you for watching!",
        " you",
        "¡Suscríbete!",
        "Subtítulos realizados por la comunidad de Amara.org",
        "谢谢观看",
    ],
)
def test_a_films_words_over_near_silence_are_nobodys(text: str) -> None:
    assert phantom(text, UNSURE, 0.1, 0)
    assert phantom(text, SURE, 0.4, LITTLE - 1)


def test_with_a_voice_or_without_a_doubt_they_count_as_said() -> None:
    assert not phantom("Thank you.", UNSURE, 0.9, SECOND)
    assert not phantom("Thank you.", SURE, 0.1, 0)


@pytest.mark.parametrize("text", ["Who are you?", "Thank you for the music", "看", ""])
def test_other_words_are_never_dropped_for_being_unsure(text: str) -> None:
    assert not phantom(text, -3.0, 0.99, 0)


def test_marks_spaces_and_accents_do_not_hide_a_phantom() -> None:
    assert phantom("请不吝点赞 订阅 转发 打赏支持明镜与点点栏目", UNSURE, 0.1, 0)
    assert phantom("GRACIAS, por ver el vídeo...", UNSURE, 0.1, 0)


def test_a_text_that_runs_in_circles_is_told_from_speech() -> None:
    assert circles("and so on and so forth " * 8)
    assert not circles("I would like to know how the lips follow the sound so closely, and what that costs.")
    assert not circles("no, no, no") and not circles("")
