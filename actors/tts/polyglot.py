"""The voice polyglot: several voice engines as one, each language spoken by the first that has it.

``engines`` is an order: "hibari,kokoro" lets hibari, which costs a sixtieth, speak English and Kokoro the rest. Named
first, xtts speaks whatever it can, but only where its weights are, which nobody has who did not accept their licence.
Every choice is a line in the log. This file loads engines by their names and knows nothing else of them.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from actors.engines import UnknownEngine, resolve
from actors.models import MODELS
from actors.models.needs import needed
from actors.models.places import stored
from actors.tts.asked import language_code
from streaming.stages import BadInput, Spoken, StageError, Voice

log = logging.getLogger(__name__)

USUAL = "hibari,kokoro"


class Polyglot:
    """One voice of many tongues. The engine that has a named voice speaks with it in every language that it can."""

    def __init__(self, engines: str = USUAL, **own: Mapping[str, Any]) -> None:
        """``engines``: names in the order of preference, commas between; ``own``: arguments of an engine, by its name.

        Raises StageError if one of them cannot be loaded, but for those whose weights have terms: they are passed over
        where the weights are not.
        """
        names = _order(engines)
        if strangers := sorted(set(own) - set(names)):
            raise StageError(f"arguments are given for {', '.join(strangers)}, which engines ({engines}) does not name")
        self._engines: dict[str, Any] = {}
        for name in names:
            if absent := _unaccepted(name):
                log.info("voice: not %s, because %s", name, absent)
                continue
            self._engines[name] = _class(name)(**own.get(name, {}))
        self._first = _first(self._engines.items())
        self.languages = frozenset(self._first)
        for language, name in self._first.items():
            others = [
                other for other, engine in self._engines.items() if language in engine.languages and other != name
            ]
            why = f"it comes before {', '.join(others)}" if others else "no other engine has it"
            log.info("voice: %s by %s, because %s", language, name, why)

    @staticmethod
    def known(engines: str = USUAL, **own: Mapping[str, Any]) -> dict[str, frozenset[str] | None]:
        """``voices`` and ``languages`` of such a composition, told without loading it; None: it takes any voice."""
        classes = {name: _class(name) for name in _order(engines) if not _unaccepted(name)}
        voices = [getattr(one, "voices", None) for one in classes.values()]
        told = None if None in voices else frozenset().union(*(known for known in voices if known is not None))
        return {"voices": told, "languages": frozenset(_first(classes.items()))}

    def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        """As the engine that is chosen speaks it. Raises what that raises; StageError if no engine has the language."""
        code = language_code(language)
        if code not in self._first:
            raise StageError(f"no voice here speaks {language!r}; choose one of {', '.join(self._first)}")
        name, voice = self._chosen(voice, code)
        engine: Voice = self._engines[name]
        return engine.speak(text, voice, language, seed)

    def learn(self, pcm24k: bytes) -> None:
        """Let those engines know a recording that can copy it."""
        for engine in self._engines.values():
            if hasattr(engine, "learn"):
                engine.learn(pcm24k)

    def _chosen(self, voice: str, code: str) -> tuple[str, str]:
        """Engine and voice: whoever has the voice, if it speaks the language, else the first with its usual voice."""
        first = self._first[code]
        if voice == "default":
            return first, voice
        having = [
            name
            for name, engine in self._engines.items()
            if (known := getattr(engine, "voices", None)) is None or voice in known
        ]
        if not having:
            there = sorted(set().union(*(getattr(engine, "voices", ()) for engine in self._engines.values())))
            raise BadInput(f"unknown voice {voice!r}; there are {', '.join(there)}")
        speaking = [name for name in having if code in self._engines[name].languages]
        return (speaking[0], voice) if speaking else (first, "default")


def _order(engines: str) -> list[str]:
    """The names, once each. Raises StageError."""
    names = list(dict.fromkeys(name.strip() for name in engines.split(",") if name.strip()))
    if not names or "polyglot" in names:
        raise StageError(f"engines names the voice engines in order, like {USUAL!r}, not {engines!r}")
    return names


def _class(name: str) -> Any:
    try:
        return resolve("tts", name)
    except UnknownEngine as error:
        raise StageError(str(error)) from error


def _first(engines: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Language -> the first engine that speaks it."""
    found: dict[str, str] = {}
    for name, engine in engines:
        for language in sorted(engine.languages):
            found.setdefault(language, name)
    return found


def _unaccepted(name: str) -> str:
    """Why an engine may not be used: its weights have terms and are not here. Empty if it may."""
    for model in needed(name, {}):
        terms = MODELS[model].terms
        if terms and not all(stored(file).is_file() for file in MODELS[model].files):
            return f"its weights are not here, whose terms ({terms}) somebody has to accept first"
    return ""
