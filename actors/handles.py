"""Serve handles dressed as the Protocols of ``streaming.stages``: a stage elsewhere looks like one in this process.

What Ray and gRPC raise becomes StageLost (the replica is gone, the same call may be repeated) or StageError (it would
fail again; BadInput where whoever asked can ask for less). Deadlines are the session's. A handle belongs to the event
loop that first uses it: one loop a process.
"""

from __future__ import annotations

import actors.serving  # noqa: F401  # before ray

# isort: split

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

import grpc
from ray import serve
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.serve.exceptions import (
    BackPressureError,
    DeploymentUnavailableError,
    RayServeException,
    ReplicaUnavailableError,
    RequestCancelledError,
)
from ray.serve.handle import DeploymentHandle

from actors.metering import recorder
from actors.streams import Response, opened
from actors.tts.voices import VoiceAbsent, VoiceUnknown, find, here, may_be
from streaming.calls import Envelope
from streaming.media import MIC_RATE, RATE, SAMPLE_BYTES, FramePacket
from streaming.stages import (
    Avatar,
    BadInput,
    FaceState,
    History,
    Span,
    Spoken,
    StageError,
    StageLost,
    TextDelta,
    Tool,
    ToolCall,
    Transcript,
    Usage,
)

MOST = 4 * 2**20 - 2**16
"""Bytes of one call: gRPC refuses 4 MiB, and a message is a little more than what it carries."""


class RemoteTranscriber:
    """``Transcriber`` over the deployment ``asr``."""

    def __init__(self, handle: DeploymentHandle) -> None:
        self._call = _Call("asr", handle, "transcribe")

    def transcribe(
        self, pcm16k: bytes, language: str | None, final: bool, words: bool = False, hints: str = ""
    ) -> AsyncGenerator[Transcript]:
        """Raises BadInput for sound that does not fit into one message, about two minutes."""
        seconds = len(pcm16k) / SAMPLE_BYTES / MIC_RATE
        what = f"{seconds:.0f} s of sound; cut it into turns of at most 60 s"
        return self._call.stream(len(pcm16k), what, pcm16k, language, final, words, hints)


class RemoteResponder:
    """``Responder`` over the deployment ``llm``."""

    def __init__(self, handle: DeploymentHandle) -> None:
        self._call = _Call("llm", handle, "reply")

    def reply(
        self, history: History, instructions: str, tools: Sequence[Tool]
    ) -> AsyncGenerator[TextDelta | ToolCall | Usage]:
        """Raises BadInput for a conversation that does not fit into one message."""
        size = 4 * (len(instructions) + sum(len(said.text) for said in history))  # at most 4 bytes a character
        what = f"{len(history)} items of conversation; begin a new one"
        return self._call.stream(size, what, history, instructions, tools)


class RemoteVoice:
    """``Voice`` over the deployment ``tts``.

    A voice that somebody brought lies in this process's library, and the replica may be on another machine. If it does
    not have the recording it says so before its first sound, and the call is repeated with it (30 s are 1.4 MB).
    """

    def __init__(self, handle: DeploymentHandle) -> None:
        self._call = _Call("tts", handle, "speak")

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncGenerator[Spoken]:
        """Raises BadInput for a text that does not fit into one message, or a voice that was erased or never was."""
        if may_be(voice) and not await asyncio.to_thread(here, voice):  # elsewhere it may live on for a while
            raise BadInput(f"no voice is called {voice!r}; GET /voices lists those that there are")
        given = (text, voice, language, seed)
        try:
            async with aclosing(self._stream(*given)) as pieces:
                async for piece in pieces:
                    yield piece
            return
        except VoiceAbsent:
            recording = await asyncio.to_thread(_recording, voice)
        async with aclosing(self._stream(*given, recording)) as pieces:
            async for piece in pieces:
                yield piece

    def _stream(self, text: str, *rest: Any) -> AsyncGenerator[Spoken]:
        carried = sum(len(part) for part in rest if isinstance(part, bytes))
        return self._call.stream(
            4 * len(text) + carried, f"{len(text)} characters; cut the text into clips", text, *rest
        )


def _recording(voice: str) -> bytes:
    try:
        return find(voice).pcm24k()
    except VoiceUnknown as error:
        raise BadInput(f"{error}; GET /voices lists those that there are") from None


class RemoteFace:
    """``Face`` over the deployment ``face``."""

    def __init__(self, handle: DeploymentHandle) -> None:
        self._call = _Call("face", handle, "animate")
        self._handle = handle

    async def animate(
        self, span: Span, avatar: Avatar, state: FaceState | None
    ) -> AsyncGenerator[FramePacket | FaceState]:
        """Raises BadInput for a span that does not fit into one message, about 80 s of sound."""
        size = len(span.pcm24k) + (len(state.data) if state else 0)
        what = f"{len(span.pcm24k) / SAMPLE_BYTES / RATE:.0f} s of sound and state; ask for a shorter span"
        async with aclosing(self._call.stream(size, what, span, avatar, state)) as groups:
            async for group in groups:
                for item in group:
                    yield item

    async def idle(self, avatar: Avatar) -> bytes:
        """The idle loop that the face draws, an MP4; nothing if its engine draws none. Raises StageError, StageLost."""
        response = self._handle.idle.remote(avatar)
        try:
            return await response
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise StageLost("face stopped in the middle of a call") from None
        except Exception as error:
            told = _told("face", error)
            if told is error:
                raise
            raise told from error
        finally:
            response.cancel()


def connect(application: str, deployment: str | None = None) -> DeploymentHandle:
    """The handle of a stage's application. Ray must be initialised; nothing is called yet.

    The application need not be there yet: applications start in any order, and a call waits for its deployment.
    """
    return serve.get_deployment_handle(deployment or application, application, _check_exists=False)


def replicas() -> dict[str, int] | None:
    """Replicas that run, by application; None if nobody knows. Asks the controller, so it blocks."""
    try:
        found = serve.status().applications
    except (RayError, RayServeException, TimeoutError):  # the controller itself is starting anew
        return None
    states = {
        name: [state for one in told.deployments.values() for state in one.replica_states.items()]
        for name, told in found.items()
    }
    return {name: sum(count for state, count in both if state == "RUNNING") for name, both in states.items()}


def running(application: str) -> int | None:
    """Replicas of one application that run; None if nobody knows. Asks the controller, so it blocks."""
    return (replicas() or {}).get(application)


async def woken(handle: DeploymentHandle) -> None:
    """Return when a replica answers: a call that waits is what makes Serve start one."""
    await handle.check_health.remote()


class _Call:
    """A streaming method of a deployment; calls of one session meet the same replica where its router looks at that."""

    def __init__(self, stage: str, handle: DeploymentHandle, method: str) -> None:
        self._stage = stage
        self._method = getattr(handle.options(stream=True), method)

    def stream(self, size: int, what: str, *arguments: Any) -> AsyncGenerator[Any]:
        """The answers to ``arguments``, of ``size`` bytes; ``what`` they are is said if that is too much."""

        def call(envelope: Envelope) -> Response:
            if size > MOST:
                raise BadInput(f"{self._stage} takes {MOST / 1e6:.1f} MB at once, not {what}")
            method = self._method.options(session_id=envelope.session) if envelope.session else self._method
            return method.remote(*arguments, call=envelope)

        return opened(self._stage, call, partial(_told, self._stage), recorder().record)


def _told(stage: str, error: Exception) -> Exception:
    """What ``error`` means to a session; an engine's own bug comes back as it was."""
    cause = error.cause if isinstance(error, RayTaskError) and isinstance(error.cause, Exception) else error
    match cause:
        case RayActorError() | ReplicaUnavailableError() | RequestCancelledError():
            return StageLost(f"the replica of {stage} is gone")
        case BackPressureError():
            return StageError(f"{stage} is busy: too many calls wait already; try again in a moment")
        case DeploymentUnavailableError():
            return StageError(f"{stage} could not be started; `serve status` and its log say why")
        case grpc.aio.AioRpcError():
            return _told_by_grpc(stage, cause)
        case RayServeException():
            return StageError(f"{stage} cannot be called: {cause}")
        case _:
            return cause


def _told_by_grpc(stage: str, error: grpc.aio.AioRpcError) -> Exception:
    if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
        return StageError(f"a message of {stage} is larger than 4 MiB; ask for less at once")
    return StageLost(f"the connection to {stage} broke ({error.code().name})")
