"""Several voices as one: who speaks what, with which voice, and what is said of it in the log."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from actors.models import needs
from actors.tts import ENGINES, polyglot
from actors.tts.polyglot import Polyglot
from streaming.stages import BadInput, Spoken, StageError


class Small:
    """English only, one voice."""

    voices: ClassVar[frozenset[str] | None] = frozenset({"default", "heart"})
    languages: ClassVar[frozenset[str]] = frozenset({"en"})

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        yield Spoken(f"{type(self).__name__}:{voice}:{language}:{seed}".encode())


class Large(Small):
    """Two languages, two voices."""

    voices = frozenset({"default", "dora"})
    languages = frozenset({"en", "es"})


class Copyist(Small):
    """Any voice that somebody brought, in German too."""

    voices = None
    languages = frozenset({"de", "en"})
    learned: ClassVar[list[bytes]] = []

    def learn(self, pcm24k: bytes) -> None:
        self.learned.append(pcm24k)


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Three engines; the copyist's weights are XTTS's."""
    for name in ("Small", "Large", "Copyist"):
        monkeypatch.setitem(ENGINES, name.lower(), f"{__name__}:{name}")
    monkeypatch.setitem(needs.ENGINES, "copyist", ("xtts-v2",))  # type: ignore[arg-type]
    monkeypatch.setattr(polyglot, "resolve", lambda stage, name: globals()[name.capitalize()])
    monkeypatch.setenv("AVATAR_MODELS", str(tmp_path))


def accept(monkeypatch: pytest.MonkeyPatch) -> None:
    """XTTS's weights were pulled."""
    monkeypatch.setattr(polyglot, "_unaccepted", lambda name: "")


async def said(voice: Any, language: str, name: str = "default") -> str:
    return b"".join([piece.pcm24k async for piece in voice.speak("Hi.", name, language, 3)]).decode()


async def test_each_language_is_spoken_by_the_first_that_has_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    voice = Polyglot("small, large", large={"threads": 4})
    assert await said(voice, "en") == "Small:default:en:3"
    assert await said(voice, "es-MX") == "Large:default:es-MX:3"
    assert caplog.messages == [
        "voice: en by small, because it comes before large",
        "voice: es by large, because no other engine has it",
    ]


async def test_a_voice_is_spoken_by_the_engine_that_has_it_in_every_language_that_it_speaks() -> None:
    voice = Polyglot("small,large")
    assert await said(voice, "en", "dora") == "Large:dora:en:3"
    assert await said(voice, "en", "heart") == "Small:heart:en:3"
    assert await said(voice, "es", "heart") == "Large:default:es:3", "whoever has Heart speaks no Spanish"
    with pytest.raises(BadInput, match="unknown voice 'nobody'; there are default, dora, heart"):
        await said(voice, "en", "nobody")


async def test_weights_with_terms_count_only_where_somebody_accepted_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert Polyglot.known("copyist,small")["languages"] == {"en"}
    with pytest.raises(StageError, match="no voice here speaks 'de'; choose one of en"):
        await said(Polyglot("copyist,small"), "de")
    assert "not copyist, because its weights are not here, whose terms (https://coqui.ai/cpml)" in caplog.text
    accept(monkeypatch)
    assert Polyglot.known("copyist,small") == {"voices": None, "languages": {"de", "en"}}
    voice = Polyglot("copyist,small")
    assert await said(voice, "de", "voice-1") == "Copyist:voice-1:de:3"
    voice.learn(b"ab")
    assert Copyist.learned == [b"ab"]


def test_what_it_speaks_is_known_without_loading_it() -> None:
    assert Polyglot.known("small,large") == {"voices": {"default", "heart", "dora"}, "languages": {"en", "es"}}


@pytest.mark.parametrize("engines", ["", " , ", "polyglot,small"])
def test_an_order_without_engines_or_with_itself_in_it_is_refused(engines: str) -> None:
    with pytest.raises(StageError, match="names the voice engines in order"):
        Polyglot(engines)


def test_arguments_for_an_engine_that_is_not_named_are_refused() -> None:
    with pytest.raises(StageError, match="arguments are given for large"):
        Polyglot("small", large={})


def test_an_unknown_engine_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with pytest.raises(StageError, match="tts has no engine 'parrot'"):
        Polyglot("parrot")


def test_its_models_are_those_of_all_its_engines() -> None:
    assert needs.needed("polyglot", {"engines": "hibari, kokoro"}) == ("hibari", "kokoro")
    assert needs.needed("polyglot", {}) == ("hibari", "kokoro")
