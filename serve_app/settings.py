"""Every setting, once: one frozen tree, filled from defaults, a profile, the environment and explicit wishes.

Later wins: defaults < profile (TOML) < OPENAI_BASE_URL and OPENAI_API_KEY < AVATAR_* (``AVATAR_TTS__ENGINE=hibari``)
< what the caller says. A key that nobody knows is an error. This file loads no engine and starts nothing.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from actors.models import addresses, places
from serve_app.credential import VARIABLE
from serve_app.errors import UserError
from serve_app.groups import (
    Characters,
    Cluster,
    Doorway,
    Gateway,
    Language,
    Log,
    Picture,
    Recognition,
    Speech,
    Stage,
    Storage,
    Timing,
    Tracing,
    Turn,
)
from serve_app.planning import paced, planner_of
from streaming.media import MIC_RATE, RATE
from streaming.pace import Pace
from streaming.session import Driving
from streaming.stages import Planner

PREFIX = "AVATAR_"
NESTED = "__"
DEFAULT = "cpu"
OUTSIDE = (VARIABLE, places.VARIABLE, addresses.MIRROR)
"""Variables with our prefix that are no settings: processes without settings read them too."""


class SettingsError(UserError):
    """A setting cannot be used; the message names it and what to do."""


class Settings(BaseSettings):
    """Everything that can be chosen. Make it with ``load``."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter=NESTED, env_ignore_empty=True
    )

    profile: str = DEFAULT
    asr: Recognition = Recognition()
    listener: Stage = Stage(engine="silero")
    turn: Turn = Turn()
    llm: Language = Language()
    tts: Speech = Speech()
    face: Picture = Picture()
    pace: Timing = Timing()
    gateway: Gateway = Gateway()
    door: Doorway = Doorway()
    persona: Characters = Characters()
    store: Storage = Storage()
    log: Annotated[Log, NoDecode] = Log()
    tracing: Tracing = Tracing()
    ray: Cluster = Cluster()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The order of this module's first lines. ``load`` hands the lower two over in ``_under``."""
        assert isinstance(init_settings, InitSettingsSource)
        wishes = dict(init_settings.init_kwargs)
        lower, environment = wishes.pop("_under", ()), EnvSettingsSource(settings_cls)
        fitting = [_fitting(source, (wishes, environment())) for source in lower]
        under = [InitSettingsSource(settings_cls, source) for source in fitting]
        return InitSettingsSource(settings_cls, wishes), environment, *under

    @model_validator(mode="after")
    def _one_node_or_postgres(self) -> Self:
        replicas = self.ray.gateway.largest
        if self.store.keep != "none" and self.store.one_node and replicas > 1:
            raise ValueError(
                f"SQLite serves one node; a gateway of {replicas} replicas needs PostgreSQL: set store.url"
                " (AVATAR_STORE__URL) to postgresql://..., or store.keep to none"
            )
        return self

    def driving(self) -> Driving:
        """What a session adds to each call of a stage."""
        return Driving(
            voice=self.tts.voice,
            language=self.tts.language,
            instructions=self.llm.instructions,
            hints=self.asr.hints,
            first_s=self.pace.first_answer_s,
            next_s=self.pace.next_answer_s,
        )

    def about(self) -> dict[str, Any]:
        """What whoever talks to it may know of how it is set up: no address, no key."""
        stages = {"asr": self.asr, "llm": self.llm, "tts": self.tts, "face": self.face, "turn": self.turn}
        return {
            "profile": Path(self.profile).stem,
            "engines": {name: stage.choice().engine or None for name, stage in stages.items()},
            "kept": {"keep": self.store.keep, "days": self.store.days},
        }

    def reporting_pace(self) -> Pace:
        """The pace for clients that report their playhead, with a judge at every pause if an engine is named."""
        timing = self.pace
        pace = Pace(
            voice_lead=round(timing.voice_lead_s * RATE),
            send_lead=round(timing.send_lead_s * RATE),
            look_ahead=timing.look_ahead_ms * RATE // 1000,
            end_of_turn=timing.end_of_turn_ms * MIC_RATE // 1000,
            utterance_most=round(timing.utterance_s * MIC_RATE),
        )
        pace = paced(pace, self.planner())
        return pace.with_eagerness(self.turn.eagerness) if self.turn.engine else pace

    def planner(self) -> Planner | None:
        """What chooses the face's plans; None if the engine has none. Raises SettingsError."""
        try:
            return planner_of(self.face.engine, self.face.plan)
        except UserError as error:
            raise SettingsError(str(error)) from None


def load(profile: str | Path | None = None, **overrides: Any) -> Settings:
    """The settings of a profile: a name out of ``profiles()`` or a TOML file; None is AVATAR_PROFILE, else ``cpu``.

    ``overrides`` win over everything: ``load(gateway={"port": 9000})``. Raises SettingsError, one sentence.
    """
    chosen = profile or os.environ.get(f"{PREFIX}PROFILE") or DEFAULT
    _refuse_unknown_variables()
    try:
        return Settings(**{**overrides, "profile": str(chosen), "_under": (_openai(), _read(chosen))})
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None


def profiles() -> list[str]:
    """Names of the profiles that ship with the program."""
    return sorted(Path(entry.name).stem for entry in _folder().iterdir() if entry.name.endswith(".toml"))


def _folder() -> Any:
    return files("serve_app") / "profiles"


def _read(profile: str | Path) -> dict[str, Any]:
    named = isinstance(profile, str) and profile in profiles()
    path = _folder() / f"{profile}.toml" if named else Path(profile)
    if not named and path.suffix != ".toml":
        raise SettingsError(f"there is no profile {str(profile)!r}; choose {' or '.join(profiles())}, or a .toml file")
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"the profile {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the profile {path} is not TOML: {error}") from None


def _openai() -> dict[str, Any]:
    """The two variables that every OpenAI client knows."""
    names = {"base_url": "OPENAI_BASE_URL", "api_key": "OPENAI_API_KEY"}
    given = {key: value for key, name in names.items() if (value := os.environ.get(name, "").strip())}
    return {"llm": given} if given else {}


def _fitting(source: Mapping[str, Any], above: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A source without what is meant for engines that one above it replaces: arguments, and the plans of a face."""
    left = dict(source)
    for name, group in source.items():
        wishes = [wish[name] for wish in above if isinstance(wish.get(name), Mapping)]
        over = [wish["engine"] for wish in wishes if "engine" in wish]
        usual = getattr(getattr(Settings.model_fields.get(name), "default", None), "engine", "")
        if over and isinstance(group, Mapping) and over[0] != group.get("engine", usual):
            left[name] = {key: value for key, value in group.items() if key not in ("arguments", "plan")}
    return left


def _refuse_unknown_variables() -> None:
    """pydantic-settings sees unknown names below a group, not beside them."""
    known = sorted(f"{PREFIX}{name.upper()}" for name in Settings.model_fields)
    for name in os.environ:
        if name.startswith(PREFIX) and name not in OUTSIDE and name.split(NESTED)[0] not in known:
            raise SettingsError(
                f"the environment variable {name} is no setting; they begin with one of {', '.join(known)}"
            )


def _sentence(error: ValidationError) -> str:
    """The first mistake, as one sentence that names the setting and its environment variable."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = [str(part) for part in first["loc"]]
    name = ".".join(where)
    if first["type"] == "extra_forbidden":
        return f"there is no setting {name!r}; {'.'.join(where[:-1]) or 'the top'} has {', '.join(_names(where[:-1]))}"
    reason = first["msg"].removeprefix("Value error, ")
    if not where:  # no setting alone is wrong, but two together
        return reason
    variable = PREFIX + NESTED.join(where).upper()
    return f"the setting {name} ({variable}) is wrong: {reason}"


def _names(path: list[str]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in path:
        annotation = model.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ["no settings below it"]
        model = annotation
    return list(model.model_fields)
