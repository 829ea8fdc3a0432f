"""The whole composed from its settings: the stages in this process, or the same stages over Ray Serve.

Each engine is chosen aloud: one line in the log says which, and because of what. This file knows no engine by name
and no Ray; ``cluster.py`` starts that.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from actors.asr.together import shared
from actors.engines import UnknownEngine, resolve
from actors.face.avatars import AvatarUnknown, find
from actors.replica import unrecorded
from serve_app.groups import Choice
from serve_app.settings import Settings, SettingsError
from serve_app.warming import Meanwhile, Presence
from streaming.metrics import Record
from streaming.session import Stages
from streaming.stages import Avatar

log = logging.getLogger(__name__)

NO_FACE = "none"
"""The face engine of a service that shows no pictures."""

Tell = Callable[[str, str], None]
"""Told how far the start is: name of a part (``ray``, ``tts``...) and its state (``starting``, ``ready``)."""


def silent(name: str, state: str) -> None:
    """Tells nobody."""


def choices(settings: Settings) -> dict[str, Choice]:
    """The engine of each stage that is served; without ``face`` if no pictures are shown."""
    chosen = {stage: getattr(settings, stage).choice() for stage in ("asr", "llm", "tts", "face")}
    if chosen["face"].engine == NO_FACE:
        del chosen["face"]
    return chosen


def hearing(settings: Settings) -> dict[str, Choice]:
    """The engines that listen in the gateway's own process; without ``turn`` if no pause is judged."""
    chosen = {"listener": settings.listener.choice(), "turn": settings.turn.choice()}
    if not chosen["turn"].engine:
        del chosen["turn"]
    return chosen


def checked(stage: str, choice: Choice) -> Callable[..., Any]:
    """The engine's class, its arguments looked at but no model loaded. Raises SettingsError."""
    try:
        engine = resolve(stage, choice.engine)
    except UnknownEngine as error:
        raise SettingsError(str(error)) from None
    except ImportError as error:
        raise SettingsError(
            f"{stage} engine {choice.engine!r} is not installed here: {error}; `avatar doctor` says what installs it"
        ) from error
    try:
        inspect.signature(engine).bind(**choice.arguments)
    except TypeError as error:
        raise SettingsError(f"the arguments of {stage} engine {choice.engine!r} do not fit: {error}") from None
    return engine


def avatar_of(settings: Settings) -> Avatar:
    """The avatar that is shown. Raises SettingsError if there is none of that name."""
    try:
        return find(settings.face.avatar).avatar
    except AvatarUnknown as error:
        raise SettingsError(str(error)) from None


def build_stages(settings: Settings, tell: Tell = silent, record: Record = unrecorded) -> Stages:
    """All stages in this process, their models loaded side by side; ``record`` is given how long each took.

    Raises SettingsError for an engine that there is not, and what an engine raises that cannot load.
    """
    near = hearing(settings)
    wanted = {**choices(settings), **near}
    engines = {name: checked("asr" if name in near else name, choice) for name, choice in wanted.items()}

    def load(name: str) -> Any:
        tell(name, "starting")
        begun = time.monotonic()
        engine = engines[name](**wanted[name].arguments)
        took = time.monotonic() - begun
        log.info("%s: %s, because %s (%.1f s)", name, wanted[name].engine, wanted[name].why, took)
        record("avatar_model_load_seconds", took, {"stage": name})
        tell(name, "ready")
        return engine

    with ThreadPoolExecutor(len(wanted), thread_name_prefix="loading") as pool:
        loaded = dict(zip(wanted, pool.map(load, wanted), strict=True))
    return Stages(
        listener=shared(loaded["listener"]),
        transcriber=loaded["asr"],
        responder=loaded["llm"],
        voice=loaded["tts"],
        face=loaded.get("face"),
        avatar=avatar_of(settings),
        judge=loaded.get("turn"),
        planner=settings.planner(),
    )


def remote_stages(settings: Settings) -> Stages:
    """The stages as handles to the deployments of a running cluster; only what hears raw sound is in this process.

    Ray must be initialised. A handle belongs to the event loop that first uses it: one loop a process.
    """
    from actors.handles import RemoteFace, RemoteResponder, RemoteTranscriber, RemoteVoice, connect, running, woken

    served = choices(settings)
    near = {name: checked("asr", choice)(**choice.arguments) for name, choice in hearing(settings).items()}

    def stage(name: str, dressed: Callable[[Any], Any]) -> Any:
        application = "gpu" if name in settings.ray.together else name
        handle = connect(application)
        small = settings.ray.share(name).meanwhile
        if not small:
            return dressed(handle)
        log.info("%s: %s in this process while it has no replica, because ray.%s.meanwhile says so", name, small, name)
        engine = None if small == NO_FACE else checked(name, Choice(small, {}, "it serves meanwhile"))()
        presence = Presence(lambda: running(application), lambda: woken(handle))
        return Meanwhile(name, dressed(handle), small, engine, presence)

    return Stages(
        listener=shared(near["listener"]),
        transcriber=stage("asr", RemoteTranscriber),
        responder=stage("llm", RemoteResponder),
        voice=stage("tts", RemoteVoice),
        face=stage("face", RemoteFace) if "face" in served else None,
        avatar=avatar_of(settings),
        judge=near.get("turn"),
        planner=settings.planner(),
    )


@asynccontextmanager
async def serve_stages(settings: Settings, tell: Tell = silent) -> AsyncIterator[Stages]:
    """The stages over Ray Serve, for as long as the block lasts; what was started is stopped after it.

    Raises SettingsError for settings that cannot work, cluster.NotStarted if a deployment does not become ready.
    """
    from serve_app import cluster

    async with cluster.deploy(settings, gateway=False, tell=tell):
        yield remote_stages(settings)
