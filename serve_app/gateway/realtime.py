"""One socket, one conversation: a reader, a writer, and the session between them.

What the messages are called is in wire.py, what happens in a conversation in streaming/. This file knows how a
connection begins and ends, and which close code says what.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect

from serve_app.gateway.outbox import Outbox, OutboxFull
from serve_app.gateway.wire import SUBPROTOCOL, Chosen, ClientError, Incoming, Outgoing
from serve_app.instruments import Instruments
from serve_app.keeper import Archive, Keeper
from serve_app.store import StaleEpoch
from streaming.commands import HangUp
from streaming.conversation import Conversation
from streaming.events import Joined, Left
from streaming.media import MIC_RATE, RATE
from streaming.metrics import Meter
from streaming.pace import Pace
from streaming.session import ClientOrder, Driving, Session, Stages, ticking
from streaming.stages import Codec

log = logging.getLogger(__name__)

CLOSE_SLOW = 4008
"""The client did not read what it was sent; connect again."""
CLOSE_TAKEN = 4009
"""The conversation is another replica's now, or was erased."""
CLOSE_BROKEN = 1011
"""Our fault; the log names it."""


@dataclass(frozen=True, slots=True)
class House:
    """What every connection of this gateway shares."""

    stages: Stages
    pace: Pace
    driving: Driving
    instruments: Instruments = field(default_factory=Instruments)
    archive: Archive | None = None
    """None: nothing is kept."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a client chose; nothing of it changes once somebody has spoken."""

    codec: Codec | None
    live: bool = True

    def with_update(self, chosen: Chosen) -> Wishes:
        """These wishes after a ``session.update``. Raises ClientError for what we do not have."""
        wishes = self
        video = chosen.session.get("avatar", {}).get("video", {})
        if "codec" in video:
            codec = video["codec"]
            if codec not in ("h264", "jpeg", None):
                raise ClientError("unknown_codec", f"video comes as h264, jpeg or null, not {codec!r}", chosen.event_id)
            wishes = replace(wishes, codec=codec)
        listening = chosen.session.get("audio", {}).get("input", {})
        if "turn_detection" in listening:
            wishes = replace(wishes, live=listening["turn_detection"] is not None)
        return wishes


class Connection:
    """One client's socket from handshake to close."""

    def __init__(self, socket: WebSocket, house: House) -> None:
        self._socket = socket
        self._house = house
        self._id = f"sess_{uuid.uuid4().hex}"
        self._own = SUBPROTOCOL in socket.scope.get("subprotocols", [])
        self._wishes = Wishes("h264" if self._own else None)
        self._outbox = Outbox()
        begun = time.monotonic()
        self._outgoing = Outgoing(binary=self._own, clock_ms=lambda: round((time.monotonic() - begun) * 1000))
        self._incoming = Incoming()
        self._session: Session | None = None
        self._keeper: Keeper | None = None
        self._running: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        """Serve this client until it leaves, or its session ends."""
        await self._socket.accept(subprotocol=SUBPROTOCOL if self._own else None)
        self._outbox.put(self._outgoing.event("session.created", session=self._described()))
        writer = asyncio.create_task(self._write(), name=f"writer {self._id}")
        reader = asyncio.create_task(self._read(), name=f"reader {self._id}")
        try:
            await asyncio.wait({writer, reader}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._end(writer, reader)

    async def _end(self, writer: asyncio.Task[None], reader: asyncio.Task[None]) -> None:
        if self._session:
            await self._session.happen(Left())
        tasks = [task for task in (writer, reader, self._running) if task]
        for task in (writer, reader):
            task.cancel()
        for task, outcome in zip(tasks, await asyncio.gather(*tasks, return_exceptions=True), strict=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, WebSocketDisconnect | RuntimeError):
                log.error("%s ended: %r", task.get_name(), outcome, exc_info=outcome)

    # ---- in ------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            data = message.get("bytes")
            await self._take(data if data is not None else message["text"])

    async def _take(self, message: str | bytes) -> None:
        try:
            said = self._incoming.of(message)
            if isinstance(said, Chosen):
                self._choose(said)
                return
        except ClientError as error:
            self._outbox.put(self._outgoing.error(error))
            return
        for event in said:
            await self._begun().happen(event)

    def _choose(self, chosen: Chosen) -> None:
        wishes = self._wishes.with_update(chosen)
        if self._session is not None and wishes != self._wishes:
            raise ClientError("too_late", "choose video and turn detection before the first word", chosen.event_id)
        self._wishes = wishes
        self._outbox.put(self._outgoing.event("session.updated", session=self._described()))
        self._begun()

    def _begun(self) -> Session:
        """The session; it begins with the first thing that a client says."""
        if self._session is None:
            pace = self._house.pace if self._own else replace(Pace.blind(), look_ahead=self._house.pace.look_ahead)
            conversation = Conversation(self._id, pace, codec=self._wishes.codec, live=self._wishes.live)
            meter = Meter(self._house.instruments.record)
            driving = self._house.driving
            if archive := self._house.archive:
                voice = {"voice": driving.voice, "language": driving.language}
                self._keeper = archive.keeper(self._id, {"conversation": conversation.settings(), **voice})
            keeper = self._keeper
            self._session = Session(
                conversation,
                self._house.stages,
                self._tell,
                driving=driving,
                remember=keeper.remember if keeper else None,
                journal=keeper.after(meter) if keeper else meter,
            )
            self._running = asyncio.create_task(self._run(self._session), name=f"session {self._id}")
        return self._session

    async def _run(self, session: Session) -> None:
        record = self._house.instruments.record
        record("avatar_sessions_total", 1, {})
        record("avatar_sessions_active", 1, {})
        await session.happen(Joined())
        try:
            await session.run(ticking())
        except StaleEpoch as error:
            log.warning("session %s: %s", self._id, error)
            await self._socket.close(CLOSE_TAKEN, "this conversation was taken over or erased; begin a new one")
        except Exception:
            log.exception("session %s broke", self._id)
            await self._socket.close(CLOSE_BROKEN, "the session broke; connect again")
        finally:
            record("avatar_sessions_active", -1, {})
            if self._keeper:
                await self._keeper.end()

    # ---- out -----------------------------------------------------------------------------------------------

    async def _tell(self, order: ClientOrder) -> None:
        try:
            self._outbox.put(order)
        except OutboxFull as error:
            log.warning("session %s: %s", self._id, error)
            await self._socket.close(CLOSE_SLOW, str(error))
            raise

    async def _write(self) -> None:
        while True:
            order = await self._outbox.take()
            messages = [order] if isinstance(order, str) else self._outgoing.of(order)
            for message in messages:
                if isinstance(message, str):
                    await self._socket.send_text(message)
                else:
                    await self._socket.send_bytes(message)
            if isinstance(order, HangUp):
                return
            # Sending does not yield while the buffer has room; a burst would starve the reader.
            await asyncio.sleep(0)

    def _described(self) -> dict[str, Any]:
        """The session as ``session.created`` and ``session.updated`` show it."""
        avatar = self._house.stages.avatar
        detection = {"type": "server_vad", "create_response": True, "interrupt_response": True}
        return {
            "id": self._id,
            "object": "realtime.session",
            "type": "realtime",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": MIC_RATE},
                    "turn_detection": detection if self._wishes.live else None,
                },
                "output": {"format": {"type": "audio/pcm", "rate": RATE}},
            },
            "avatar": {
                "id": avatar.id,
                "video": {
                    "codec": self._wishes.codec,
                    "width": avatar.width,
                    "height": avatar.height,
                    "coded_width": avatar.coded_width,
                    "coded_height": avatar.coded_height,
                    "fps": avatar.fps,
                },
            },
        }
