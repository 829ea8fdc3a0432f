"""Personas: who the face is. One TOML file each, out of the package's folder and the one that the settings name.

A persona's file NAME.toml gives it a name to be shown, a greeting, instructions, a voice, a language, an avatar and
what it knows; whatever it leaves out is as the settings have it. Files are read once, at the start, and strictly: a
mistake is one sentence that names the file and the key. This file knows no session.
"""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from actors.engines import UnknownEngine, resolve
from actors.face.avatars import AvatarUnknown, find
from actors.llm.knowledge import PROSE_MOST, KnowledgeWrong, known
from serve_app.errors import UserError
from serve_app.settings import Settings, SettingsError
from streaming.session import Driving, Stages
from streaming.stages import Avatar, StageError

log = logging.getLogger(__name__)

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Persona:
    """Who the face is. What is empty is as the settings have it."""

    id: str = "default"
    """The file's name, by which it is chosen."""
    name: str = "Guide"
    """To be shown to people."""
    greeting: str = ""
    """Spoken when somebody joins; empty: nothing is."""
    instructions: str = ""
    voice: str = ""
    language: str = ""
    """Of the voice; ISO 639-1."""
    avatar: Avatar | None = None
    knowledge: str = ""
    """In the form of actors/llm/knowledge.toml."""
    apology: str = ""
    """Said when the language model fails; empty: that of the language."""
    hints: str = ""
    """Names and terms that people will say to it, as they shall be written."""

    def driving(self, usual: Driving) -> Driving:
        """What goes with every call of a stage, when this persona speaks."""
        return replace(
            usual,
            voice=self.voice or usual.voice,
            language=self.language or usual.language,
            instructions=self.instructions or usual.instructions,
            knowledge=self.knowledge,
            apology=self.apology,
            hints=self.hints or usual.hints,
        )

    def shown(self, stages: Stages) -> Stages:
        """The stages, with this persona's face."""
        return replace(stages, avatar=self.avatar or stages.avatar)

    def listed(self, usual: Driving, avatar: Avatar) -> dict[str, Any]:
        """What everybody may know of it."""
        driving = self.driving(usual)
        return {
            "id": self.id,
            "name": self.name,
            "greeting": self.greeting,
            "language": driving.language,
            "voice": driving.voice,
            "avatar": (self.avatar or avatar).id,
        }


class PersonaUnknown(LookupError):
    """There is no persona of that name; the message lists those there are."""


@dataclass(frozen=True, slots=True)
class Cast:
    """All personas of a service."""

    usual: Persona = field(default_factory=Persona)
    """Who speaks where nobody asks for another one."""
    by_id: Mapping[str, Persona] = field(default_factory=dict[str, Persona])
    voices: frozenset[str] | None = frozenset()
    """Names that the voice engine knows; None if it does not tell."""
    languages: frozenset[str] | None = None
    """What the voice engine speaks; None if it does not tell."""

    def find(self, name: str) -> Persona:
        """The persona of that name; empty is the usual one. Raises PersonaUnknown."""
        if name in ("", self.usual.id):
            return self.usual
        if name not in self.by_id:
            there = ", ".join(sorted({self.usual.id, *self.by_id}))
            raise PersonaUnknown(f"there is no persona {name!r:.80}; there are: {there}")
        return self.by_id[name]

    def face(self, name: str) -> Avatar:
        """The avatar of that name, built in or one's own. Raises AvatarUnknown."""
        return find(name).avatar

    def listed(self, usual: Driving, avatar: Avatar) -> list[dict[str, Any]]:
        """All of them, the usual one first."""
        others = (self.by_id[name] for name in sorted(self.by_id) if name != self.usual.id)
        return [persona.listed(usual, avatar) for persona in (self.usual, *others)]


def cast_of(settings: Settings) -> Cast:
    """All personas, read and checked. Raises UserError for the first one that is wrong, or if the usual one is none."""
    by_id = {path.stem: read(path, settings) for path in persona_files(settings)}
    wanted = settings.persona.default
    if wanted not in by_id:
        raise SettingsError(
            f"the setting persona.default (AVATAR_PERSONA__DEFAULT) is {wanted!r}, and there is no such persona;"
            f" there are: {', '.join(sorted(by_id))}"
        )
    log.info("persona: %s of %d, because the settings name it", wanted, len(by_id))
    return Cast(by_id[wanted], by_id, _voices(settings), _told_by_voice(settings, "languages"))


def persona_files(settings: Settings) -> list[Path]:
    """The file of every persona: the built-in ones, then one's own, which may replace them. Raises UserError."""
    found = {path.stem: path for path in _built_in().glob("*.toml")}
    if settings.persona.folder:
        own = Path(settings.persona.folder).expanduser()
        if not own.is_dir():
            raise SettingsError(f"the setting persona.folder (AVATAR_PERSONA__FOLDER) is wrong: {own} is no folder")
        found |= {path.stem: path for path in own.glob("*.toml")}
    return [found[name] for name in sorted(found)]


def checked(settings: Settings) -> Iterator[tuple[Path, UserError | None]]:
    """Every file and what is wrong with it, for `avatar doctor`. Raises UserError if the folder is wrong."""
    for path in persona_files(settings):
        try:
            read(path, settings)
        except UserError as error:
            yield path, error
        else:
            yield path, None


def _built_in() -> Path:
    return Path(str(files("serve_app") / "personas"))


# ---- one file ----------------------------------------------------------------------------------------------


class _File(BaseModel):
    """What a persona's file may hold."""

    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=80)
    greeting: str = Field(default="", max_length=600)
    instructions: str = Field(default="", max_length=32_000)
    voice: str = ""
    language: str = Field(default="", pattern=r"^([a-z]{2})?$")
    avatar: str = ""
    knowledge: str = ""
    apology: str = Field(default="", max_length=300)
    hints: str = Field(default="", max_length=2_000)


def read(path: Path, settings: Settings) -> Persona:
    """The persona of a file. Raises UserError naming the file and the key."""
    if not _ID.fullmatch(path.stem):
        raise UserError(f"{path}: {path.stem!r} cannot name a persona; use a-z, 0-9, - and _")
    try:
        given = _File.model_validate(tomllib.loads(_text(path)))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not TOML: {error}") from None
    except ValidationError as error:
        raise UserError(f"{path}: {_mistake(error)}") from None
    _check_voice(path, given, settings)
    return Persona(
        path.stem,
        given.name,
        given.greeting,
        given.instructions,
        given.voice,
        given.language,
        _avatar(path, given.avatar),
        _knowledge(path, given.knowledge),
        given.apology,
        given.hints,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8"
        raise UserError(f"{path} cannot be read: {reason}") from None


def _mistake(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"there is no key {key!r}; a persona has {', '.join(_File.model_fields)}"
    if first["type"] == "missing":
        return f"the key {key!r} is missing"
    return f"the key {key!r} is wrong: {first['msg']}"


def _avatar(path: Path, name: str) -> Avatar | None:
    try:
        return find(name).avatar if name else None
    except AvatarUnknown as error:
        raise UserError(f"{path}: the key 'avatar' is wrong: {error}") from None


def _knowledge(path: Path, given: str) -> str:
    """The text itself, or that of the file which is named, beside the persona."""
    if not given:
        return ""
    text, where = given, path
    if "\n" not in given:
        where = path.parent / given
        if not where.is_file():
            raise UserError(f"{path}: the key 'knowledge' names {where}, and there is no such file")
        text = _text(where)
    try:
        length = len(known(text).prose())
    except KnowledgeWrong as error:
        raise UserError(f"{path}: the key 'knowledge' is wrong ({where.name}): {error}") from None
    if length > PROSE_MOST:
        raise UserError(
            f"{path}: the key 'knowledge' is wrong ({where.name}): its {length:,} characters are more than the"
            f" {PROSE_MOST:,} that fit beside a conversation; shorten it"
        )
    return text


def _check_voice(path: Path, given: _File, settings: Settings) -> None:
    voices, languages = _voices(settings), _told_by_voice(settings, "languages")
    if given.voice and voices is not None and given.voice not in voices:
        raise UserError(
            f"{path}: the key 'voice' is wrong: {settings.tts.engine} has no voice {given.voice!r};"
            f" it has {', '.join(sorted(voices))}"
        )
    if given.language and languages is not None and given.language not in languages:
        raise UserError(
            f"{path}: the key 'language' is wrong: {settings.tts.engine} does not speak {given.language!r};"
            f" it speaks {', '.join(sorted(languages))}"
        )


def _voices(settings: Settings) -> frozenset[str] | None:
    return _told_by_voice(settings, "voices")


def _told_by_voice(settings: Settings, what: str) -> frozenset[str] | None:
    """What the voice engine says of itself without being loaded; None if it says nothing, or is not installed here."""
    try:
        engine = resolve("tts", settings.tts.engine)
        if known := getattr(engine, "known", None):
            return known(**settings.tts.arguments)[what]
        return getattr(engine, what, None)
    except (UnknownEngine, ImportError, StageError, TypeError):  # whoever builds the stages says so
        return None
