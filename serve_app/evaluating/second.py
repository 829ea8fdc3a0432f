"""A second recogniser, so that what the first one mishears is not laid at the voice's door.

It is another Whisper than the profile's: the best of those that are on this machine already. Nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from actors import models
from actors.models import needs
from serve_app import app
from serve_app.errors import UserError
from serve_app.groups import Choice
from serve_app.settings import Settings
from streaming.stages import StageError, Transcriber

ENGINE = "whisper"
NONE = "none"
CANDIDATES = ("base", "tiny.en")
"""In the order in which they are wanted: small enough to run beside the profile's own on two cores."""


@dataclass(frozen=True, slots=True)
class Second:
    """The second recogniser, or why there is none."""

    name: str
    """Empty: there is none."""
    engine: Transcriber | None = None
    english: bool = False
    """It understands English only."""
    why: str = ""

    def hears(self, language: str) -> bool:
        """Can it be asked about a case of this language?"""
        return self.engine is not None and (language == "en" or not self.english)


def first_name(settings: Settings) -> str:
    """What the profile's own recogniser is called."""
    choice = settings.asr.choice()
    return f"{choice.engine} {choice.arguments.get('model') or 'tiny.en'}" if choice.engine == ENGINE else choice.engine


def second(settings: Settings, languages: Sequence[str], wished: str | None = None) -> Second:
    """Load it. Raises UserError if the one that was wished for is not here, or is the profile's own."""
    if wished == NONE:
        return Second("", why="--second none leaves it out")
    own = first_name(settings)
    missing: list[str] = []
    for model in (wished,) if wished else CANDIDATES:
        if f"{ENGINE} {model}" == own:
            if wished:
                raise UserError(f"--second {model} is the profile's own recogniser; name another, or {NONE}")
            continue
        english = model.endswith(".en")
        if english and "en" not in languages and not wished:
            continue
        if reason := _absent(model):
            missing.append(reason)
            continue
        try:
            engine = app.checked("asr", Choice(ENGINE, {}, ""))(model=model)
        except StageError as error:
            missing.append(str(error))
            continue
        return Second(f"{ENGINE} {model}", engine, english)
    if wished:
        raise UserError(f"--second {wished}: {missing[0]}")
    return Second("", why=missing[0] if missing else "there is no second recogniser for these languages")


def _absent(model: str) -> str:
    """Why it is not at hand; empty if it is."""
    if model not in needs.WHISPER:
        return f"there is no Whisper model {model!r}; choose one of {', '.join(needs.WHISPER)}, or {NONE}"
    try:
        models.folder(needs.WHISPER[model])
    except StageError as error:
        return str(error)
    return ""
