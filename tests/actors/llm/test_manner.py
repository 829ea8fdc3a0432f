"""In which language a model is asked to talk."""

from __future__ import annotations

import pytest

from actors.llm.manner import PROMPTS, language_of, manner
from streaming.stages import Said


@pytest.mark.parametrize(
    ("said", "language"),
    [
        (["What time is it?"], "en"),
        (["¿Qué hora es?"], "es"),
        (["Hola, buenos días"], "es"),
        (["quiero una mesa para dos"], "es"),
        (["现在几点？"], "zh"),
        (["你好", "OK"], "zh"),
        (["¿Cómo estás?", "OK", "Madrid"], "es"),
        (["What is this?", "¿Qué es esto?"], "es"),
        (["¿Qué es esto?", "Please answer me in English"], "en"),
        (["今何時ですか"], ""),
        (["OK"], ""),
        ([], ""),
        (["Hola", "x", "y", "z"], ""),
    ],
)
def test_the_newest_words_that_tell_a_language_count(said: list[str], language: str) -> None:
    history = tuple(Said("user", text, n + 1) for n, text in enumerate(said))
    assert language_of((*history, Said("assistant", "¿Qué?", 9))) == language
    assert manner(history) == PROMPTS[language or "en"]
