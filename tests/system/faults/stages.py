"""Stages that sleep as long as real ones would work, and die, hang or eat memory when a word tells them to.

They stand behind the deployments that the service has, so everything around them is the real thing. What they answer
is worked out from what they are asked, so a client can tell whether it heard all of it, and once.
This file starts nothing.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import actors.face
import actors.llm
import actors.tts
import actors.tts.deployment as voice
from actors.face.deployment import Picture
from actors.llm.deployment import Language
from actors.tts.deployment import Speech
from serve_app.gateway.deployment import GatewayReplica
from serve_app.settings import Settings
from streaming.calls import current
from streaming.media import FRAME, FramePacket
from streaming.stages import Avatar, FaceState, History, Phone, Span, Spoken, TextDelta, Tool

HERE = "tests.system.faults.stages"
PIECE = 2400
"""Samples of one piece of speech: 100 ms."""
WORD_S, PIECE_S, PICTURE_S = 0.01, 0.03, 0.008
"""What one item costs: about a third of the time that it lasts."""
HUNG_S = 4.0
"""For the voice here; the real one's limit is 30 s."""

POISON, EATER, HANGER = "Poisonous", "Insatiable", "Petrifying"
"""Words that kill the voice's process, let it eat all memory that it may have, and let it hang for ever."""


def spoken(text: str) -> bytes:
    """What the voice makes of a clip."""
    tone = (crc32(text.encode()) % 20_000).to_bytes(2, "little")
    return b"".join(tone + k.to_bytes(2, "little") + bytes(2 * PIECE - 4) for k in range(2 + len(text) // 6))


class Diary:
    """For whom one replica works, in a file: after its death the tests read there whose calls died with it."""

    def __init__(self, stage: str, folder: str) -> None:
        self._path = diary(Path(folder), stage, os.getpid())
        self._calls = list[str]()

    @contextmanager
    def open(self) -> Iterator[None]:
        """A call of whoever is called for lasts as long as the block."""
        session = current().session
        self._calls.append(session)
        self._write()
        try:
            yield
        finally:
            self._calls.remove(session)
            self._write()

    def _write(self) -> None:
        new = self._path.with_name(f"{self._path.name}.new")
        new.write_text("\n".join(self._calls))
        new.replace(self._path)


def diary(folder: Path, stage: str, pid: int) -> Path:
    """Where a replica's ``Diary`` is."""
    return folder / f"calls.{stage}.{pid}"


class Reciter:
    """Says what it was told to say."""

    def __init__(self, folder: str) -> None:
        self._diary = Diary("llm", folder)

    async def reply(self, history: History, instructions: str, tools: Sequence[Tool]) -> AsyncIterator[TextDelta]:
        with self._diary.open():
            for word in history[-1].text.split():
                await asyncio.sleep(WORD_S)
                yield TextDelta(word + " ")


class Hummer:
    """``spoken``, in pieces of 100 ms."""

    def __init__(self, folder: str) -> None:
        """``folder``: where its process is written down, and what it did once and does not do again."""
        self._folder = Path(folder)
        self._diary = Diary("tts", folder)
        self._works = asyncio.Event()
        self._works.set()

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        sound = spoken(text)
        with self._diary.open():
            for at in range(0, len(sound), 2 * PIECE):
                await asyncio.sleep(PIECE_S)
                await self._works.wait()  # an engine that hangs hangs for everybody
                if at == 2 * PIECE:
                    await self._suffer(text)
                yield Spoken(sound[at : at + 2 * PIECE], (Phone("a", at // 2, PIECE),), ())

    async def _suffer(self, text: str) -> None:
        if POISON in text:
            with (self._folder / "poisoned").open("a") as file:
                file.write(f"{os.getpid()}\n")
            os.kill(os.getpid(), signal.SIGKILL)
        if EATER in text and self._once("eaten"):
            resource.setrlimit(resource.RLIMIT_DATA, (_data_bytes() + 2**25, -1))
            kept = []
            while True:  # Python's MemoryError is the engine's to bear; here it has none to spare and its process ends
                try:
                    kept.append(bytearray(2**20))
                except MemoryError:
                    os._exit(137)
        if HANGER in text and self._once("hung"):
            self._works.clear()
            await self._works.wait()

    def _once(self, what: str) -> bool:
        """Whether this is the first time since the file was removed."""
        try:
            (self._folder / what).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def _data_bytes() -> int:
    return next(int(line.split()[1]) * 1024 for line in Path("/proc/self/status").open() if line.startswith("VmData"))


class Mime:
    """A picture every 8 ms, whose bytes say which it is."""

    def __init__(self, folder: str) -> None:
        self._diary = Diary("face", folder)

    async def animate(self, span: Span, avatar: Avatar, state: FaceState | None) -> AsyncIterator[Any]:
        with self._diary.open():
            for k in range(span.skip, span.want_frames):
                await asyncio.sleep(PICTURE_S)
                pts = span.pts + k * FRAME
                yield FramePacket(pts, b"%d" % pts, k == 0)
        yield FaceState("mime", span.pts + span.want_frames * FRAME, b"")


# ---- behind the deployments of the service -----------------------------------------------------------------


def _written_down(stage: str, folder: str) -> None:
    """For the tests, which kill processes: this one is ready."""
    path = Path(folder) / f"{stage}-{os.getpid()}"
    path.write_text(str(time.time()))


class StubVoice(Speech):
    """The voice's deployment over ``Hummer``."""

    def __init__(self, engine: str, arguments: Mapping[str, Any]) -> None:
        actors.tts.ENGINES[engine] = f"{HERE}:Hummer"
        voice.HUNG_S = HUNG_S
        super().__init__(engine, arguments)
        _written_down("tts", arguments["folder"])


class StubFace(Picture):
    """The face's deployment over ``Mime``."""

    def __init__(self, engine: str, arguments: Mapping[str, Any]) -> None:
        actors.face.ENGINES[engine] = f"{HERE}:Mime"
        super().__init__(engine, arguments)
        _written_down("face", arguments["folder"])


class StubLanguage(Language):
    """The language model's deployment over ``Reciter``."""

    def __init__(self, engine: str, arguments: Mapping[str, Any]) -> None:
        actors.llm.ENGINES[engine] = f"{HERE}:Reciter"
        super().__init__(engine, arguments)
        _written_down("llm", arguments["folder"])


class WatchedGateway(GatewayReplica):
    """The gateway itself, which writes down that it is ready."""

    async def __init__(self, settings: Settings, folder: str, version: int) -> None:  # type: ignore[misc]
        """``version``: another one is another release."""
        await super().__init__(settings)  # type: ignore[misc]
        _written_down("gateway", folder)
