"""Spanish spelling to sounds: what the rules say of stress, glides, stops and letters."""

from __future__ import annotations

import pytest

from actors.tts.kokoro.spanish import joined, signs


@pytest.mark.parametrize(
    ("word", "sounds"),
    [
        # stress
        ("casa", "kˈasa"),
        ("canción", "kanθjˈon"),
        ("hablar", "aβlˈaɾ"),
        ("hablan", "ˈaβlan"),
        ("rápidamente", "rˈapiðamˈente"),
        ("ayudarte", "ˌaʝuðˈaɾte"),
        # vowels side by side
        ("ciudad", "θjuðˈad"),
        ("país", "paˈis"),
        ("maíz", "maˈiθ"),
        ("rey", "rˈeɪ"),
        ("baúl", "baˈul"),
        ("ahí", "aˈi"),
        ("poeta", "poˈeta"),
        ("agua", "ˈaɣwa"),
        ("muy", "mˈuj"),
        # letters
        ("guitarra", "ɡitˈara"),
        ("pingüino", "piŋɡwˈino"),
        ("quiosco", "kjˈosko"),
        ("gente", "xˈɛnte"),
        ("llover", "ʎoβˈeɾ"),
        ("yo", "ʝˈo"),
        ("chico", "ʧˈiko"),
        ("niño", "nˈiɲo"),
        ("alrededor", "ˌalreðeðˈoɾ"),
        ("perro", "pˈero"),
        ("caro", "kˈaɾo"),
        ("huevo", "wˈeβo"),
        ("examen", "eksˈamen"),
        ("xilófono", "silˈofono"),
        ("psicología", "sˌikoloxˈia"),
        ("México", "mˈɛxiko"),
        ("enviar", "embjˈaɾ"),
        ("lengua", "lˈɛŋɡwa"),
        ("acción", "akθjˈon"),
        # words without a stress of their own, and what is spelled
        ("de", "de"),
        ("para", "pˌaɾa"),
        ("ONU", "ˈo ˈene ˈu"),
        ("DVD", "dˈe ˈuβe dˈe"),
        ("...", ""),
    ],
)
def test_a_word_sounds_as_it_is_spelled(word: str, sounds: str) -> None:
    assert " ".join(joined("", part) for part in signs(word).split()) == sounds


def test_stops_are_soft_within_a_phrase_and_hard_after_a_pause_or_a_nasal() -> None:
    assert [joined("", signs("vaca")), joined("a", signs("vaca")), joined("n", signs("vaca"))] == [
        "bˈaka",
        "βˈaka",
        "bˈaka",
    ]
    assert joined("l", signs("día")) == "ðˈia"


def test_an_n_takes_the_place_of_the_sound_after_it_also_of_the_next_word() -> None:
    assert joined("", signs("un"), signs("beso")) == "ˈum"
    assert joined("", signs("un"), signs("gato")) == "ˈuŋ"
    assert joined("", signs("un"), signs("día")) == "ˈun"
