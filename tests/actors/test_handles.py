"""Handles: the same stream as in this process, every way of failing told in two words, nothing left running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, cast

import grpc
import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayTaskError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, RequestCancelledError
from ray.serve.handle import DeploymentHandle

import actors.asr.deployment
import actors.face.deployment
import actors.llm.deployment
import actors.replica
import actors.tts.deployment
from actors.handles import RemoteFace, RemoteResponder, RemoteTranscriber, RemoteVoice
from actors.tts import voices
from streaming.calls import Envelope, enter
from streaming.media import FRAME, MIC_RATE
from streaming.stages import Avatar, BadInput, FaceState, Said, Span, Spoken, StageError, StageLost, TextDelta
from tests.actors.serve_local import local
from tests.stubs import AVATAR, Echo, Hum, Mask, Scribe

MINUTE = bytes(2 * 60 * MIC_RATE)


class Response:
    """What a streaming call answers: some items, then an end, an error, or nothing at all."""

    def __init__(self, items: list[Any], error: BaseException | None = None, *, hang: bool = False) -> None:
        self.items, self.error, self.hang = items, error, hang
        self.cancelled = 0

    async def __aiter__(self) -> AsyncIterator[Any]:
        for item in self.items:
            yield item
        if self.hang:
            await asyncio.Event().wait()
        if self.error:
            raise self.error

    def __await__(self) -> Generator[Any, None, Any]:
        """The answer of a call that does not stream: its only item."""

        async def whole() -> Any:
            [item] = [item async for item in self]
            return item

        return whole().__await__()

    def cancel(self) -> None:
        self.cancelled += 1


class Handle:
    """A DeploymentHandle whose every call gets ``response``."""

    def __init__(self, response: Response) -> None:
        self.response = response
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.sealed: list[tuple[str, Envelope | None]] = []
        """Session by which each was routed, and its envelope."""

    def options(self, *, stream: bool) -> Handle:
        assert stream
        return self

    def __getattr__(self, method: str) -> Any:
        return Method(self, method)

    def called(self, method: str, given: tuple[Any, ...]) -> Response:
        self.calls.append((method, given))
        return self.response


@dataclass
class Method:
    """One of its methods."""

    handle: Handle
    name: str
    session: str = ""

    def options(self, *, session_id: str) -> Method:
        return replace(self, session=session_id)

    def remote(self, *given: Any, call: Envelope | None = None) -> Response:
        self.handle.sealed.append((self.session, call))
        return self.handle.called(self.name, given)


def voice(response: Response) -> RemoteVoice:
    return RemoteVoice(cast(DeploymentHandle, Handle(response)))


def span(pcm: bytes = b"", frames: int = 6) -> Span:
    return Span("s", 1, 0, pcm, frames, (), True, 0, "", "h264", 0, 0)


def of_task(cause: Exception) -> RayTaskError:
    """The error as Ray wraps what a deployment raised."""
    return RayTaskError("speak", "a traceback", cause)


def of_grpc(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata())


# ---- what goes wrong ---------------------------------------------------------------------------------------

FAILURES = [
    (ActorDiedError(), StageLost, "the replica of tts is gone"),
    (ActorUnavailableError("gone", None), StageLost, "the replica of tts is gone"),
    (RequestCancelledError("7"), StageLost, "the replica of tts is gone"),
    (asyncio.CancelledError(), StageLost, "tts stopped in the middle of a call"),
    (of_grpc(grpc.StatusCode.UNKNOWN), StageLost, "the connection to tts broke (UNKNOWN)"),
    (of_grpc(grpc.StatusCode.RESOURCE_EXHAUSTED), StageError, "larger than 4 MiB"),
    (BackPressureError(num_queued_requests=9, max_queued_requests=8), StageError, "tts is busy"),
    (DeploymentUnavailableError(cast(Any, "tts")), StageError, "tts could not be started"),
    (of_task(StageError("the text is empty")), StageError, "the text is empty"),
    (of_task(StageError("the text is empty")).as_instanceof_cause(), StageError, "the text is empty"),
    (StageError("the text is empty"), StageError, "the text is empty"),
    (of_task(ZeroDivisionError("a bug")), ZeroDivisionError, "a bug"),
]


@pytest.mark.parametrize(("raised", "kind", "words"), FAILURES)
async def test_every_failure_is_told_as_lost_or_refused(
    raised: BaseException, kind: type[Exception], words: str
) -> None:
    response = Response(["one"], raised)
    heard: list[Any] = []
    with pytest.raises(kind) as told:
        async for piece in voice(response).speak("Hello", "default", "en", 1):
            heard.append(piece)
    assert (type(told.value), heard, response.cancelled) == (kind, ["one"], 1)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


# ---- leaving -----------------------------------------------------------------------------------------------


async def test_a_stream_that_came_to_its_end_is_cancelled_too_for_that_is_free() -> None:
    response = Response(["one", "two"])
    assert [piece async for piece in voice(response).speak("Hello", "default", "en", 1)] == ["one", "two"]
    assert response.cancelled == 1


async def test_leaving_early_cancels_the_producer() -> None:
    response = Response(["one", "two"])
    async with aclosing(cast(Any, voice(response).speak("Hello", "default", "en", 1))) as stream:
        await anext(stream)
    assert response.cancelled == 1


async def test_a_cancelled_task_cancels_the_producer_and_stays_cancelled() -> None:
    response = Response([], hang=True)
    stream = cast(Any, voice(response).speak("Hello", "default", "en", 1))
    waiting = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert response.cancelled == 1


async def test_a_deadline_cancels_the_producer_and_stays_a_deadline() -> None:
    response = Response([], hang=True)
    stream = cast(Any, voice(response).speak("Hello", "default", "en", 1))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await anext(stream)
    assert response.cancelled == 1


async def test_a_call_that_is_not_over_when_its_lease_is_is_given_up() -> None:
    response = Response(["one"], hang=True)
    enter(Envelope(lease_s=0.0))
    with pytest.raises(StageError, match="a call of tts was not over after 0 s, its lease"):
        assert [_ async for _ in voice(response).speak("Hello", "default", "en", 1)]
    assert response.cancelled == 1


async def test_a_call_takes_its_envelope_along_and_is_routed_by_its_session() -> None:
    handle = Handle(Response(["one"]))
    speaks = RemoteVoice(cast(DeploymentHandle, handle))
    assert [_ async for _ in speaks.speak("Hello", "default", "en", 1)] == ["one"]
    ours = Envelope("films", 7, "tts", "00-1-2-01", 9.0)
    enter(ours)
    assert [_ async for _ in speaks.speak("Hello", "default", "en", 1)] == ["one"]
    assert handle.sealed == [("", Envelope()), ("films", ours)]


# ---- what does not fit -------------------------------------------------------------------------------------


async def test_a_minute_of_sound_is_sent_and_more_than_two_are_refused_before_anything_is_called() -> None:
    handle = Handle(Response([]))
    transcriber = RemoteTranscriber(cast(DeploymentHandle, handle))
    assert [_ async for _ in transcriber.transcribe(MINUTE, "en", True)] == []
    with pytest.raises(
        StageError, match=r"asr takes 4\.1 MB at once, not 180 s of sound; cut it into turns of at most 60"
    ):
        assert [_ async for _ in transcriber.transcribe(3 * MINUTE, "en", True)]
    assert [method for method, _ in handle.calls] == ["transcribe"]


async def test_a_span_a_text_and_a_conversation_may_be_too_large_as_well() -> None:
    face = RemoteFace(cast(DeploymentHandle, Handle(Response([]))))
    state = FaceState("mask", 0, bytes(3_000_000))
    with pytest.raises(StageError, match=r"face takes 4\.1 MB at once, not 40 s of sound and state"):
        assert [_ async for _ in face.animate(span(MINUTE), AVATAR, state)]
    with pytest.raises(BadInput, match="not 2000000 characters; cut the text into clips"):
        assert [_ async for _ in voice(Response([])).speak("a" * 2_000_000, "default", "en", 1)]
    responder = RemoteResponder(cast(DeploymentHandle, Handle(Response([]))))
    with pytest.raises(BadInput, match="not 1 items of conversation; begin a new one"):
        assert [_ async for _ in responder.reply((Said("user", "a" * 2_000_000, 1),), "", ())]


# ---- the same stream, through the deployments of the tree --------------------------------------------------


def deployed(stage: Any, name: str, engine: str, monkeypatch: pytest.MonkeyPatch) -> DeploymentHandle:
    """The stage's own deployment in Serve's local mode: no Ray, but everything else of ours."""
    monkeypatch.setitem(vars(__import__(f"actors.{name}", fromlist=["ENGINES"]))["ENGINES"], "stub", engine)
    return local(stage.deployment.bind("stub", {}), name)


async def test_each_deployment_passes_its_engines_stream_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asr = RemoteTranscriber(deployed(actors.asr.deployment, "asr", "tests.stubs:Scribe", monkeypatch))
    llm = RemoteResponder(deployed(actors.llm.deployment, "llm", "tests.stubs:Echo", monkeypatch))
    tts = RemoteVoice(deployed(actors.tts.deployment, "tts", "tests.stubs:Hum", monkeypatch))
    face = RemoteFace(deployed(actors.face.deployment, "face", "tests.stubs:Mask", monkeypatch))
    asked, words, drawn = (b"\1\0", "en", True), ("Hello", "default", "en", 1), (span(), AVATAR, None)
    history = (Said("user", "Hello", 1),)
    assert [_ async for _ in asr.transcribe(*asked)] == [_ async for _ in Scribe().transcribe(*asked)]
    assert [_ async for _ in llm.reply(history, "", ())] == [_ async for _ in Echo().reply(history, "", ())]
    assert [_ async for _ in tts.speak(*words)] == [_ async for _ in Hum().speak(*words)]
    items = [_ async for _ in face.animate(*drawn)]
    assert items == [_ async for _ in Mask().animate(*drawn)]
    assert items[-1] == FaceState("mask", 6 * FRAME, b"")


class Abroad:
    """A voice on another machine: it speaks with a recording, and has only those that came with a call."""

    def __init__(self) -> None:
        self.sent: dict[str, bytes] = {}

    def learn(self, pcm24k: bytes) -> None:
        self.sent[voices.identity(pcm24k)] = pcm24k

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        if voice not in self.sent:
            raise voices.VoiceAbsent(f"no voice is called {voice!r}")
        yield Spoken(self.sent[voice])


def brought(pcm: bytes) -> str:
    """The id of a voice that is in this machine's library."""
    voices.store(voices.Brought(voices.identity(pcm), "Anna", "en", "2026-01-01", "00", True, {}), pcm)
    return voices.identity(pcm)


async def test_a_voice_that_only_the_gateways_machine_has_travels_with_the_call_that_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tts = RemoteVoice(deployed(actors.tts.deployment, "tts", "tests.actors.test_handles:Abroad", monkeypatch))
    second, anna = bytes(48_000), brought(b"\5\0" * 720_000)
    said = [piece async for piece in tts.speak("Hello", anna, "en", 1)]
    assert said == [Spoken(b"\5\0" * 720_000)], "30 s fit into one message"
    voices.remove(anna)
    with pytest.raises(BadInput, match=rf"no voice is called '{anna}'; GET /voices lists"):
        assert [_ async for _ in tts.speak("Hello", anna, "en", 1)], "the replica still has it, and must not use it"
    with pytest.raises(BadInput, match="no voice is called"):
        assert [_ async for _ in tts.speak("Hello", voices.identity(second), "en", 1)]


@pytest.mark.parametrize("wrap", [of_task, lambda cause: of_task(cause).as_instanceof_cause()])
async def test_what_a_replica_lacks_is_understood_as_ray_wraps_it(wrap: Any) -> None:
    anna = brought(b"\7\0" * 24_000)
    lacks, speaks = Response([], wrap(voices.VoiceAbsent("no voice"))), Response([Spoken(b"\1\0")])
    handle = Handle(lacks)
    stream = RemoteVoice(cast(DeploymentHandle, handle)).speak("Hello", anna, "en", 1)
    lacks.cancel = lambda: setattr(handle, "response", speaks)  # type: ignore[method-assign]
    assert [piece async for piece in stream] == [Spoken(b"\1\0")]
    assert [given for _, given in handle.calls] == [
        ("Hello", anna, "en", 1),
        ("Hello", anna, "en", 1, b"\7\0" * 24_000),
    ]
    assert speaks.cancelled == 1


async def test_a_recording_is_not_sent_to_a_replica_that_has_the_voice_nor_to_an_engine_that_copies_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    anna = brought(b"\6\0" * 24_000)
    handle = Handle(Response([Spoken(b"")]))
    assert [_ async for _ in RemoteVoice(cast(DeploymentHandle, handle)).speak("Hello", anna, "en", 1)]
    assert handle.calls == [("speak", ("Hello", anna, "en", 1))]
    hum = actors.tts.deployment.Speech("hibari", {})
    with pytest.raises(StageError, match=r"copies no voices; choose one that does \(tts\.engine\)"):
        assert [_ async for _ in hum.speak("Hello", anna, "en", 1, b"\6\0")]


async def test_what_a_persona_knows_crosses_a_handle_with_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    llm = RemoteResponder(deployed(actors.llm.deployment, "llm", "actors.llm.guide:Guide", monkeypatch))
    shop = Said("knowledge", "[[topic]]\nask = ['when do you open']\nsay = 'At nine.'\n", 0)
    asked = Said("user", "When do you open?", 1)
    for history, begins in (((shop, asked), "At nine."), ((asked,), "I don't know.")):
        pieces = [piece async for piece in llm.reply(history, "", ())]
        assert "".join(piece.text for piece in pieces if isinstance(piece, TextDelta)).startswith(begins)


async def test_a_face_elsewhere_gives_its_idle_loop_or_nothing() -> None:
    response = Response([b"a loop"])
    handle = Handle(response)
    assert await RemoteFace(cast(DeploymentHandle, handle)).idle(AVATAR) == b"a loop"
    assert handle.calls == [("idle", (AVATAR,))] and response.cancelled == 1


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (ActorDiedError(), StageLost),
        (asyncio.CancelledError(), StageLost),
        (of_task(StageError("the face cannot be 'x'")), StageError),
        (of_task(ValueError("a bug")), ValueError),
    ],
)
async def test_an_idle_loop_that_is_not_drawn_is_told_like_a_reply(
    raised: BaseException, told: type[Exception]
) -> None:
    with pytest.raises(told):
        await RemoteFace(cast(DeploymentHandle, Handle(Response([], raised)))).idle(AVATAR)


async def test_a_replica_whose_engine_draws_no_loop_gives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Drawing(Mask):
        async def idle(self, avatar: Avatar) -> bytes:
            return avatar.id.encode()

    for engine, drawn in ((Mask, b""), (Drawing, AVATAR.id.encode())):
        monkeypatch.setattr(actors.replica, "resolve", lambda stage, name, engine=engine: engine)
        assert await actors.face.deployment.Picture("stub", {}).idle(AVATAR) == drawn
