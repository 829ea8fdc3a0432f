"""The service on a real local Ray: the same streams as in one process, through every hop, and through deaths.

One cluster and one event loop for all tests of this file, because a handle belongs to the loop that first used it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast
from urllib.request import urlopen

import pytest
import pytest_asyncio
import ray
from ray import serve
from websockets.asyncio.client import connect as dial
from websockets.exceptions import ConnectionClosed

from actors.handles import RemoteVoice, connect
from serve_app import cluster
from serve_app.app import build_stages, remote_stages
from serve_app.ports import free_port
from serve_app.settings import Settings, load
from streaming.commands import Audio, Command, Ended, Failed, Frames, Show
from streaming.conversation import Conversation
from streaming.events import Event, Joined, Left, StageFailed, Typed
from streaming.media import FRAME, FramePacket, samples
from streaming.pace import Pace
from streaming.session import ClientOrder, Driving, Session, Stages, ticking
from streaming.stages import FaceState, Said, Span, Spoken, StageError, TextDelta

pytestmark = [pytest.mark.ray, pytest.mark.system, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

HERE = Path(__file__).parent
TEXT = (
    "The harbour was quiet when the first boat came in. Nobody had expected it before noon, and the pilot was still"
    " asleep. Five men carried the heavy boxes up the stairs, past the old lamp, and into a room without windows."
    " Before they left, they counted everything twice. Then it began to rain, and for a while that was the only sound."
)
PATIENT = Driving(first_s=60.0, next_s=30.0)
"""A replica that was killed needs seconds to come back on a busy machine."""


@pytest.fixture(scope="module")
def settings() -> Settings:
    """The embedded engines; the replies come from the tests."""
    return load(HERE / "cpu-ray.toml", gateway={"port": free_port()}, llm={"engine": "guide"})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def serving(settings: Settings) -> AsyncIterator[cluster.Serving]:
    async with cluster.deploy(settings, gateway=True) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def remote(settings: Settings, serving: cluster.Serving) -> Stages:
    return remote_stages(settings)


@pytest.fixture(scope="module")
def local(settings: Settings) -> Stages:
    return build_stages(settings)


async def replicas(serving: cluster.Serving, name: str) -> list[int]:
    """Process ids of a deployment, as the dashboard tells them."""
    answer = await asyncio.to_thread(lambda: urlopen(f"{serving.dashboard}/api/serve/applications/").read())
    deployment = json.loads(answer)["applications"][name]["deployments"][name]
    return [replica["pid"] for replica in deployment["replicas"] if replica["state"] == "RUNNING"]


# ---- the books ---------------------------------------------------------------------------------------------


async def test_every_part_runs_on_its_fraction(serving: cluster.Serving) -> None:
    assert ray.cluster_resources()["GPU"] == 1.0
    assert ray.available_resources().get("GPU", 0.0) == 0.0
    assert set(serve.status().applications) == {"asr", "llm", "tts", "face", "gateway"}
    assert [len(await replicas(serving, name)) for name in ("asr", "llm", "tts", "face", "gateway")] == [1] * 5


# ---- the same streams --------------------------------------------------------------------------------------


async def all_of(stream: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in stream]


async def spoken(stages: Stages, text: str) -> list[Spoken]:
    return await all_of(stages.voice.speak(text, "default", "en", 1))


def span_of(pieces: Sequence[Spoken], frames: int, last: bool) -> Span:
    pcm = b"".join(piece.pcm24k for piece in pieces)
    phones = tuple(phone for piece in pieces for phone in piece.phones)
    return Span("films", 1, 0, pcm, frames, phones, last, 7, "", "h264", 400, 20)


async def test_the_voice_sounds_the_same_through_ray(local: Stages, remote: Stages) -> None:
    assert await spoken(remote, TEXT) == await spoken(local, TEXT)


async def test_the_face_draws_and_encodes_the_same_through_ray(local: Stages, remote: Stages) -> None:
    assert local.face and remote.face
    pieces = await spoken(local, "The harbour was quiet.")
    total = sum(samples(piece.pcm24k) for piece in pieces)
    begun = span_of(pieces, 20, last=False)
    here = await all_of(local.face.animate(begun, local.avatar, None))
    there = await all_of(remote.face.animate(begun, remote.avatar, None))
    assert there == here
    assert [type(item) for item in there] == [FramePacket] * 20 + [FaceState]
    rest = replace(
        begun, pts=20 * FRAME, pcm24k=begun.pcm24k[40 * FRAME :], last=True, want_frames=-(-total // FRAME) - 20
    )
    here = await all_of(local.face.animate(rest, local.avatar, here[-1]))
    assert await all_of(remote.face.animate(rest, remote.avatar, there[-1])) == here


async def test_recognition_understands_the_same_through_ray(local: Stages, remote: Stages) -> None:
    pieces = await spoken(local, "Five men carried the heavy boxes up the stairs.")
    pcm = every_third_pair(b"".join(piece.pcm24k for piece in pieces))
    there = await all_of(remote.transcriber.transcribe(pcm, "en", True))
    assert there == await all_of(local.transcriber.transcribe(pcm, "en", True))
    assert "boxes" in there[-1].text


def every_third_pair(pcm24k: bytes) -> bytes:
    """24 kHz to 16 kHz, good enough to be understood: two samples for three."""
    import numpy as np

    sound = np.frombuffer(pcm24k, "<i2").astype(float)
    at = np.arange(0, len(sound) - 1, 1.5)
    return np.interp(at, np.arange(len(sound)), sound).astype("<i2").tobytes()


async def test_the_language_model_writes_the_same_through_ray(local: Stages, remote: Stages) -> None:
    asked = (Said("user", "Hello, who are you?", 1),)
    shop = Said("knowledge", "[[topic]]\nask = ['who are you']\nsay = 'The shop.'\n", 0)
    for history in (asked, (shop, *asked)):
        there = await all_of(remote.responder.reply(history, "", ()))
        assert there == await all_of(local.responder.reply(history, "", ()))


async def test_what_an_engine_refuses_is_refused_in_its_own_words(local: Stages, remote: Stages) -> None:
    with pytest.raises(StageError) as here:
        await spoken(local, "")
    with pytest.raises(StageError) as there:
        await spoken(remote, "")
    assert str(there.value) == str(here.value)


# ---- leaving -----------------------------------------------------------------------------------------------


def probe_class(diary: Path) -> type:
    """A deployment that speaks for ever and writes down what became of it. Made here, so that it travels whole."""

    def note(line: str) -> None:
        with diary.open("a") as file:
            file.write(f"{line}\n")

    class Probe:
        async def speak(self, *_: object, call: object) -> AsyncIterator[str]:
            note("begun")
            try:
                yield f"CUDA_VISIBLE_DEVICES={os.environ.get('CUDA_VISIBLE_DEVICES')}"
                while True:
                    await asyncio.sleep(0.01)
                    yield "more"
            finally:
                note("ended")

    return Probe


async def test_leaving_a_stream_ends_it_at_its_producer_and_a_replica_without_share_sees_no_gpu(
    settings: Settings, serving: cluster.Serving, tmp_path: Path
) -> None:
    diary = tmp_path / "diary"
    shareless = load("cpu")
    probe = cast(Any, serve.deployment(name="probe", **cluster.options(shareless, "tts"))(probe_class(diary)))
    serve.run_many(
        [serve.RunTarget(probe.bind(), name="probe", route_prefix=None)],
        wait_for_ingress_deployment_creation=False,
        wait_for_applications_running=False,
    )
    voice = RemoteVoice(connect("probe"))
    stream = cast(Any, voice.speak("Hello", "default", "en", 1))
    async with aclosing(stream):
        assert await anext(stream) == "CUDA_VISIBLE_DEVICES="
        assert await anext(stream) == "more"
    await until(lambda: diary.exists() and diary.read_text() == "begun\nended\n")

    waiting = asyncio.create_task(all_of(voice.speak("Hello", "default", "en", 1)))
    await until(lambda: diary.read_text() == "begun\nended\nbegun\n")
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await until(lambda: diary.read_text() == "begun\nended\nbegun\nended\n")
    await asyncio.to_thread(serve.delete, "probe")


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  # another process tells it
            await asyncio.sleep(0.02)


# ---- deaths ------------------------------------------------------------------------------------------------


class Reciter:
    """Answers with TEXT, whatever was said."""

    async def reply(self, *_: object) -> AsyncIterator[TextDelta]:
        for word in TEXT.split(" "):
            yield TextDelta(word + " ")


@dataclass
class Client:
    """What one turn showed, piece by piece."""

    sound: list[Audio] = field(default_factory=list[Audio])
    packets: list[FramePacket] = field(default_factory=list[FramePacket])
    failed: list[Failed] = field(default_factory=list[Failed])
    lost: list[str] = field(default_factory=list[str])
    total: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def tell(self, order: ClientOrder) -> None:
        match order:
            case Show(Audio() as audio):
                self.sound.append(audio)
            case Show(Frames(_, packets)):
                self.packets += packets
            case Show(Failed() as failed):
                self.failed.append(failed)
            case Show(Ended(_, pts)):
                self.total = pts
                self.over.set()
            case _:
                pass

    def note(self, event: Event, _: list[Command]) -> None:
        if isinstance(event, StageFailed) and event.lost:
            self.lost.append(event.stage)

    @property
    def pcm(self) -> bytes:
        return b"".join(audio.pcm for audio in self.sound)


async def turn(stages: Stages) -> Client:
    """One typed question and its whole answer."""
    client = Client()
    conversation = Conversation("deaths", Pace.file(), seed=3, live=False)
    session = Session(
        conversation,
        replace(stages, responder=cast(Any, Reciter())),
        client.tell,
        driving=PATIENT,
        journal=client.note,
    )
    running = asyncio.create_task(session.run(ticking()))
    await session.happen(Joined())
    await session.happen(Typed("Tell me a story."))
    async with asyncio.timeout(100):
        await client.over.wait()
    await session.happen(Left())
    await running
    return client


class Fatal:
    """A stage whose replica is killed while it works on call number ``call``, when ``items`` of its items have come."""

    def __init__(self, stage: Any, pid: int, call: int, items: int) -> None:
        self._stage, self._pid, self._call, self._items = stage, pid, call, items
        self._calls = 0
        self.outlived = False
        """True if the call had been answered whole before its replica died."""

    def speak(self, *given: Any) -> AsyncIterator[Any]:
        return self._over(self._stage.speak(*given))

    def animate(self, *given: Any) -> AsyncIterator[Any]:
        return self._over(self._stage.animate(*given))

    async def _over(self, stream: Any) -> AsyncIterator[Any]:
        self._calls += 1
        fatal, killed, count = self._calls == self._call, False, 0
        async with aclosing(stream):
            async for item in stream:
                count += 1
                if fatal and not killed and (count == self._items or isinstance(item, FaceState)):
                    os.kill(self._pid, signal.SIGKILL)
                    killed = True
                self.outlived = self.outlived or (killed and isinstance(item, FaceState))
                yield item
        self.outlived = self.outlived or killed


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def undisturbed(remote: Stages) -> Client:
    client = await turn(remote)
    assert (client.failed, client.lost) == ([], [])
    assert len(client.pcm) == 2 * client.total
    return client


def assert_nothing_missing_and_nothing_twice(client: Client, undisturbed: Client) -> None:
    assert client.failed == []
    assert client.total == undisturbed.total
    ends = [audio.pts + samples(audio.pcm) for audio in client.sound]
    assert [audio.pts for audio in client.sound] == [0, *ends[:-1]]
    assert client.pcm == undisturbed.pcm
    assert [packet.pts for packet in client.packets] == [k * FRAME for k in range(-(-client.total // FRAME))]
    pictures = [packet.check for packet in client.packets]
    assert all(pictures)
    assert pictures == [packet.check for packet in undisturbed.packets]


async def test_a_turn_through_ray_is_the_turn_in_one_process(local: Stages, undisturbed: Client) -> None:
    client = await turn(local)
    assert_nothing_missing_and_nothing_twice(client, undisturbed)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each death as often as `--kills` says, every time at another place of the reply."""
    if "kill" in metafunc.fixturenames:
        metafunc.parametrize("kill", range(int(metafunc.config.getoption("--kills") or 1)))


async def test_a_voice_killed_in_mid_clip_is_heard_to_its_end_once(
    kill: int, remote: Stages, serving: cluster.Serving, undisturbed: Client
) -> None:
    [pid] = await replicas(serving, "tts")
    fatal = Fatal(remote.voice, pid, call=2 + (kill + 1) % 3, items=1 + (kill + 1) % 2)
    client = await turn(replace(remote, voice=cast(Any, fatal)))
    assert client.lost == ([] if fatal.outlived else ["tts"])
    assert_nothing_missing_and_nothing_twice(client, undisturbed)
    assert await replicas(serving, "tts") != [pid]


async def test_a_face_killed_in_mid_span_is_seen_to_its_end_once(
    kill: int, remote: Stages, serving: cluster.Serving, undisturbed: Client
) -> None:
    [pid] = await replicas(serving, "face")
    fatal = Fatal(remote.face, pid, call=1 + (kill + 3) % 8, items=1 + (kill * 7 + 8) % 12)
    client = await turn(replace(remote, face=cast(Any, fatal)))
    assert client.lost == ([] if fatal.outlived else ["face"])
    assert_nothing_missing_and_nothing_twice(client, undisturbed)
    assert await replicas(serving, "face") != [pid]


# ---- the gateway -------------------------------------------------------------------------------------------


async def test_the_gateway_answers_on_its_own_port_and_tells_its_clients_when_it_stops(
    settings: Settings, serving: cluster.Serving
) -> None:
    where = f"127.0.0.1:{settings.gateway.port}"
    healthy = json.loads(await asyncio.to_thread(lambda: urlopen(f"http://{where}/healthz").read()))
    assert healthy["status"] == "ok"
    async with dial(f"ws://{where}/v1/realtime", compression=None) as socket:
        assert json.loads(await socket.recv())["type"] == "session.created"
        await asyncio.to_thread(serve.delete, "gateway")
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", settings.gateway.port)
