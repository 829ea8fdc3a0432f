"""The groups of settings: each setting with its default, its limits and its unit.

Where their values come from is told in ``settings.py``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from actors.data import data_folder
from actors.lines import Format

Together = Literal["asr", "tts", "face"]

MESSAGE_S = 60.0
"""Longest turn in seconds of microphone sound: what fits with room to spare into one message between replicas."""

_STRICT = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


def _plain(arguments: Any) -> Any:
    """The environment knows only text: there ``2`` and ``true`` mean a number and a truth value."""
    if not isinstance(arguments, Mapping):
        return arguments
    return {name: _scalar(value) if isinstance(value, str) else value for name, value in arguments.items()}


def _scalar(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text


Arguments = Annotated[dict[str, Any], BeforeValidator(_plain)]
"""Arguments of an engine's constructor."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which engine serves a stage, with what arguments, and why."""

    engine: str
    arguments: Mapping[str, Any]
    why: str


class Stage(BaseModel):
    """An engine by its name in ``actors/<stage>/__init__.py`` and the arguments of its constructor."""

    model_config = _STRICT

    engine: str = Field(min_length=1)
    arguments: Arguments = {}

    def choice(self) -> Choice:
        """The engine as it was asked for."""
        return Choice(self.engine, self.arguments, "the settings name it")


class Recognition(Stage):
    """What writes down what is said."""

    engine: str = "whisper"
    hints: str = Field(default="", max_length=2_000)
    """Names and terms that people are likely to say, as they shall be written. A persona may have its own, and a client
    too: these then count instead."""


class Turn(Stage):
    """What judges whether a turn sounds complete; without an engine, silence alone ends it."""

    engine: str = ""
    """``smart_turn``, or empty for none."""
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    """A turn that sounds unfinished ends after 8, 4, 2 or 4 s of silence."""


class Speech(Stage):
    """The voice."""

    engine: str = "hibari"
    voice: str = "default"
    language: str = "en"
    """ISO 639-1."""


class Picture(Stage):
    """The face; engine ``none`` shows no pictures."""

    engine: str = "portrait"
    avatar: str = "default"
    plan: Arguments = {}
    """What plans may be chosen, for an engine that has any: of ditto ``steps`` (10) and ``strides`` (5, 10, 70)."""


class Language(BaseModel):
    """What writes the replies."""

    model_config = _STRICT

    engine: str = ""
    """Empty: ``chat`` as soon as a base URL or a key is given, else ``guide``."""
    arguments: Arguments = {}
    base_url: str = ""
    api_key: SecretStr = SecretStr("")
    model: str = ""
    """Empty: the engine's own default."""
    server: Literal["", "openai", "azure", "vllm", "ollama", "llamacpp", "compatible"] = ""
    """Kind of server, where the base URL does not tell it."""
    api_version: str = ""
    """Azure's; empty: the one that actors/llm/servers.py names."""
    deployment: str = ""
    """Azure's name for the model; empty: the model's own."""
    context: int | None = Field(default=None, ge=2_048)
    """Tokens of a request and its reply; None goes by the kind of server."""
    instructions: str = ""
    """What the model is told before every conversation."""

    def choice(self) -> Choice:
        """The engine, its arguments (a key among them), and the reason, which never holds the key."""
        key = self.api_key.get_secret_value()
        if self.engine:
            engine, why = self.engine, "the settings name it"
        elif self.base_url:
            engine, why = "chat", f"a base URL is given ({urlsplit(self.base_url).hostname})"
        elif key:
            engine, why = "chat", "an API key is given"
        else:
            engine, why = "guide", "neither OPENAI_BASE_URL nor OPENAI_API_KEY is given"
        names = ("base_url", "model", "server", "api_version", "deployment", "context")
        given = {"api_key": key, **{name: getattr(self, name) for name in names}} if engine == "chat" else {}
        return Choice(engine, {**{name: value for name, value in given.items() if value}, **self.arguments}, why)


class Timing(BaseModel):
    """Pace of a conversation, for people; ``streaming.pace`` says what each limit is for."""

    model_config = _STRICT

    voice_lead_s: float = Field(default=8.0, gt=0, le=60)
    send_lead_s: float = Field(default=1.2, gt=0.1, le=10)
    look_ahead_ms: int = Field(default=280, ge=0, le=2000)
    """Sound that the face engine needs past a frame."""
    end_of_turn_ms: int = Field(default=500, ge=200, le=5000)
    utterance_s: float = Field(default=MESSAGE_S, gt=1, le=MESSAGE_S)
    first_answer_s: float = Field(default=10.0, gt=0)
    """Longest wait for a stage's first answer, a replica that starts anew included."""
    next_answer_s: float = Field(default=5.0, gt=0)


class Gateway(BaseModel):
    """Where clients come in."""

    model_config = _STRICT

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    """0 takes a free one; only without Ray."""
    drain_s: float = Field(default=8.0, ge=0)
    """How long clients have to go elsewhere when a replica of the gateway stops."""
    sessions: int = Field(default=0, ge=0)
    """Most conversations at once at each gateway; 0 is no limit. Whoever comes then is told when to try again."""
    speaking: int = Field(default=0, ge=0)
    """The same for avatars that speak at one moment."""
    late: float = Field(default=0.02, ge=0, le=1)
    """Share of the pictures of the last 10 s that may come after their sound before nobody is let in; 1 is no limit."""
    counts: bool = False
    """True: ``GET /debug/counts`` tells how many tasks, threads and conversations the process holds."""


class Doorway(BaseModel):
    """Who may come in; docs/protocol.md says how they show it."""

    model_config = _STRICT

    keys: str = ""
    """File with the keys that `avatar key add` made; empty: ``keys.toml`` in the data folder of this program."""
    origins: tuple[str, ...] = ()
    """Pages of other hosts that may speak to the service: ``https://example.org``."""
    messages: float = Field(default=400.0, gt=0)
    """Messages a second from a connection without a key; twice as many may come in one burst. A key has its own."""


class Log(BaseModel):
    """How lines of the log are written; AVATAR_LOG=json alone says the format too."""

    model_config = _STRICT

    format: Format = "text"
    """``json``: an object a line, with session, turn and stage."""

    @model_validator(mode="before")
    @classmethod
    def _format_alone(cls, given: Any) -> Any:
        return {"format": given} if isinstance(given, str) else given


class Tracing(BaseModel):
    """Where a trace of each turn goes."""

    model_config = _STRICT

    endpoint: str = Field(default="", pattern="^$|^https?://.|^file:///.")
    """``http://HOST:4318/v1/traces`` (a collector; extra ``otlp``) or ``file:///FILE``; empty: nowhere."""


class Storage(BaseModel):
    """What is kept of conversations, where, and how long."""

    model_config = _STRICT

    keep: Literal["none", "text", "full"] = "text"
    """``text``: what was said; ``full``: sound, pictures and the journal of events too."""
    url: SecretStr = SecretStr("")
    """``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST/NAME``; empty: avatar.db in ``data_folder()``."""
    days: float = Field(default=30.0, gt=0, le=36_500)
    """A conversation is erased when nothing was written to it for so long."""

    def address(self) -> str:
        """The database's URL. It may hold a password."""
        return self.url.get_secret_value() or f"sqlite:///{data_folder() / 'avatar.db'}"

    @property
    def one_node(self) -> bool:
        """True if only one node can write to it."""
        return self.address().startswith("sqlite")

    @model_validator(mode="after")
    def _known(self) -> Self:
        if not self.address().startswith(("sqlite:///", "postgresql://")):
            raise ValueError("store.url begins with sqlite:/// or postgresql://; choose one of these")
        return self


class Characters(BaseModel):
    """Who the face is; ``serve_app/personas/default.toml`` says what a persona's file may hold."""

    model_config = _STRICT

    folder: str = ""
    """Personas of one's own, a file NAME.toml each; they may replace the built-in ones. Every gateway needs it."""
    default: str = "default"
    """Who speaks where a client asks for nobody."""


class Caps(BaseModel):
    """Most that one replica takes of a GPU's memory, by who allocates it; 0 leaves it to the engine."""

    model_config = _STRICT

    torch: float = Field(default=0.0, ge=0, le=1)
    """Share of the GPU's memory for torch's allocator."""
    tensorrt_mb: int = Field(default=0, ge=0)
    """Workspace of TensorRT engines, in MiB."""
    vllm: float = Field(default=0.0, ge=0, le=1)
    """Share of the GPU's memory for vLLM."""


class Share(BaseModel):
    """What one deployment gets of the cluster."""

    model_config = _STRICT

    replicas: int = Field(default=1, ge=0, le=64)
    """How many there are, or the fewest if ``most`` lets their number follow the load; then 0 is allowed."""
    most: int = Field(default=0, ge=0, le=64)
    """The most replicas, as serve_app/scaling.py wants them; 0: their number is fixed."""
    gpus: float = Field(default=0.0, ge=0)
    """Of one GPU, for each replica. Bookkeeping only: it limits nothing."""
    cpus: float = Field(default=0.0, ge=0)
    sessions: int = Field(default=0, ge=0)
    """Conversations that one replica carries; 0: nobody knows, and it limits nothing. By this number, and no other,
    the gateways let people in and the stage grows."""
    ongoing: int = Field(default=8, ge=1)
    """Calls at once on a replica: a bound on what waits there, no measure of what it carries."""
    queued: int = Field(default=32, ge=1)
    """Calls that wait at a caller before it is told that the stage is busy."""
    meanwhile: str = ""
    """Engine that serves in the gateway's process while there is no replica; empty: calls wait for one."""
    caps: Caps = Caps()

    @property
    def largest(self) -> int:
        """Replicas when all of them are there."""
        return max(self.replicas, self.most)

    @model_validator(mode="after")
    def _fewest_below_most(self) -> Self:
        if 0 < self.most < self.replicas:
            raise ValueError(f"most is {self.most} and replicas {self.replicas}; let most be the larger, or 0")
        if not self.largest:
            raise ValueError("replicas is 0 and would stay so; let most be 1 or more")
        return self


class Cluster(BaseModel):
    """Ray: which cluster, and who gets what of it."""

    model_config = _STRICT

    address: str = ""
    """Empty: start a cluster on this machine and stop it again; else attach to this one and leave it running."""
    num_gpus: int = Field(default=0, ge=0)
    """GPUs of the cluster that is started."""
    temp_dir: str = ""
    """Ray's own files; empty: a new folder, removed at the end. Keep it short: socket names have 107 bytes."""
    dashboard: bool = True
    dashboard_port: int = Field(default=8265, ge=0, le=65535)
    """Another free one is taken if it is not free."""
    mps: bool = False
    """True: replicas with a share of a GPU are clients of NVIDIA MPS, whose daemon the machine must run."""
    apart: bool = False
    """True: each deployment only on nodes that carry a resource with its name (`ray start --resources`)."""
    together: tuple[Together, ...] = ()
    """Stages that share one process, the deployment ``gpu``: one CUDA context for all of them."""
    asr: Share = Share()
    llm: Share = Share(ongoing=64)
    tts: Share = Share()
    face: Share = Share()
    gpu: Share = Share(ongoing=32)
    """Of the process that the stages in ``together`` share; their own shares do not count then."""
    gateway: Share = Share(ongoing=64)

    def deployed(self) -> tuple[str, ...]:
        """Names of our deployments: the stages with a process of their own, the shared process, the gateway."""
        alone = [stage for stage in ("asr", "llm", "tts", "face") if stage not in self.together]
        return (*alone, *(["gpu"] if self.together else []), "gateway")

    def share(self, name: str) -> Share:
        """The share of a deployment."""
        return getattr(self, name)

    @model_validator(mode="after")
    def _fractions_fit(self) -> Self:
        """Ray waits for ever, and says nothing, when more is booked than there is."""
        if self.gateway.sessions:
            raise ValueError("ray.gateway.sessions limits nothing; write gateway.sessions")
        shares = {name: self.share(name) for name in self.deployed()}
        booked = sum(share.gpus * share.largest for share in shares.values())
        if not self.address and booked > self.num_gpus + 1e-9:
            raise ValueError(
                f"{booked:g} GPUs are booked and num_gpus is {self.num_gpus}; lower the gpus of"
                f" {', '.join(name for name, share in shares.items() if share.gpus)}"
            )
        return self
