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

from fastapi import WebSocket, WebSocketDisconnect

from serve_app.gateway import beta
from serve_app.gateway.guest import guest_of
from serve_app.gateway.ladder import Told
from serve_app.gateway.outbox import Outbox, OutboxFull
from serve_app.gateway.reading import Incoming
from serve_app.gateway.wire import STOCK, SUBPROTOCOL, Conduct, Outgoing, of_error
from serve_app.gateway.wishes import ClientError
from serve_app.instruments import Instruments
from serve_app.keeper import Archive, Keeper
from serve_app.store import StaleEpoch
from streaming.commands import Command, HangUp
from streaming.conversation import Conversation
from streaming.events import Event, Joined, Left, SpeechEnded, SpeechStarted
from streaming.metrics import Meter
from streaming.pace import Pace
from streaming.session import ClientOrder, Driving, Session, Stages, ticking
from streaming.stages import StageError

log = logging.getLogger(__name__)

CLOSE_SLOW = 4008
"""The client did not read what it was sent; connect again."""
CLOSE_TAKEN = 4009
"""The conversation is another replica's now, or was erased."""
CLOSE_BROKEN = 1011
"""Our fault; the log names it."""
REASON_MOST = 120
"""Characters of a close reason; WebSocket has room for 123 bytes."""


@dataclass(frozen=True, slots=True)
class House:
    """What every connection of this gateway shares."""

    stages: Stages
    pace: Pace
    driving: Driving
    instruments: Instruments = field(default_factory=Instruments)
    archive: Archive | None = None
    """None: nothing is kept."""


class Connection:
    """One client's socket from handshake to close."""

    def __init__(self, socket: WebSocket, house: House) -> None:
        self._socket = socket
        self._house = house
        self._guest = guest_of(socket)
        self._id = f"sess_{uuid.uuid4().hex}"
        offered = socket.scope.get("subprotocols", [])
        self._subprotocol = next((name for name in (SUBPROTOCOL, STOCK) if name in offered), None)
        self._own = self._subprotocol == SUBPROTOCOL
        self._conduct = Conduct(self._id, house.stages.avatar, self._pace(), own=self._own)
        self._outbox = Outbox()
        begun = time.monotonic()
        old = beta.SUBPROTOCOL in offered or beta.HEADER in socket.headers.get("openai-beta", "")
        self._outgoing = Outgoing(
            self._conduct, clock_ms=lambda: round((time.monotonic() - begun) * 1000), beta=old and not self._own
        )
        self._incoming = Incoming(self._conduct)
        self._codec = self._conduct.wishes.codec
        self._session: Session | None = None
        self._keeper: Keeper | None = None
        self._running: asyncio.Task[None] | None = None
        self._closed = False

    async def serve(self) -> None:
        """Serve this client until it leaves, or its session ends."""
        await self._socket.accept(subprotocol=self._subprotocol)
        self._outbox.put(("session.created", {"session": self._conduct.described()}))
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
        await asyncio.wait(tasks)  # a gather that is cancelled would cancel the session's own goodbye
        for task in tasks:
            broke = None if task.cancelled() else task.exception()
            if broke is not None and not isinstance(broke, WebSocketDisconnect | RuntimeError):
                log.error("%s ended: %r", task.get_name(), broke, exc_info=broke)

    # ---- in ------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            data = message.get("bytes")
            try:
                await self._take(data if data is not None else message["text"])
            except OutboxFull:
                return

    async def _take(self, message: str | bytes) -> None:
        before = self._conduct.wishes
        try:
            answers = self._incoming.of(message)
            if self._session is not None and self._conduct.wishes.codec != self._codec:
                self._conduct.wishes = before
                raise ClientError("too_late", "choose the video before the first word")
        except ClientError as error:
            await self._tell(of_error(error))
            return
        if self._conduct.wishes is not before:
            self._codec = self._conduct.wishes.codec
            await self._agree(self._begun())
        for answer in answers:
            if isinstance(answer, tuple):
                await self._tell(answer)
                continue
            if self._guest:
                self._guest.heard(answer)
            await self._begun().happen(answer)

    async def _agree(self, session: Session) -> None:
        """What the client chose holds from now on."""
        session.drive(self._conduct.wishes.driving(self._house.driving))
        # Stock clients ask for each reply themselves where they end the turn; ours let go of a button.
        judged = self._house.stages.judge is not None
        await session.happen(self._conduct.wishes.agreed(self._pace(), answers=self._own, judged=judged))

    def _pace(self) -> Pace:
        usual, blind = self._house.pace, Pace.blind()
        return usual if self._own else replace(usual, send_lead=blind.send_lead, reports_playhead=False)

    def _begun(self) -> Session:
        """The session; it begins with the first thing that a client says."""
        if self._session is None:
            wishes = self._conduct.wishes
            conversation = Conversation(self._id, self._pace(), codec=wishes.codec, live=wishes.live)
            meter = Meter(self._house.instruments.record, conversation.late)

            def seen(event: Event, commands: list[Command]) -> None:
                meter(event, commands)
                self._note(event)

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
                journal=keeper.after(seen) if keeper else seen,
            )
            self._running = asyncio.create_task(self._run(self._session), name=f"session {self._id}")
        return self._session

    def _note(self, event: Event) -> None:
        """When the person spoke: the messages that tell of it come later."""
        if isinstance(event, SpeechStarted):
            self._conduct.spoke_from = event.at
        elif isinstance(event, SpeechEnded):
            self._conduct.spoke_until = event.at

    async def _run(self, session: Session) -> None:
        record = self._house.instruments.record
        record("avatar_sessions_total", 1, {})
        record("avatar_sessions_active", 1, {})
        await session.happen(Joined())
        try:
            await session.run(ticking())
        except OutboxFull:
            pass  # the client was told
        except StaleEpoch as error:
            log.warning("session %s: %s", self._id, error)
            await self._close(CLOSE_TAKEN, "this conversation was taken over or erased; begin a new one")
        except StageError as error:  # the listener's: no other stage's error leaves the session
            log.error("session %s: %s", self._id, error)
            await self._close(CLOSE_BROKEN, str(error)[:REASON_MOST])
        except Exception:
            log.exception("session %s broke", self._id)
            await self._close(CLOSE_BROKEN, "the session broke; connect again")
        finally:
            record("avatar_sessions_active", -1, {})
            if self._keeper:
                await self._keeper.end()

    # ---- out -----------------------------------------------------------------------------------------------

    async def _tell(self, told: ClientOrder | Told) -> None:
        """Queue it. Raises OutboxFull after closing the socket of a client that does not read."""
        if self._guest and not isinstance(told, tuple):
            self._guest.told(told)
        try:
            self._outbox.put(told)
        except OutboxFull as error:
            log.warning("session %s: %s", self._id, error)
            await self._close(CLOSE_SLOW, str(error))
            raise

    async def _close(self, code: int, reason: str) -> None:
        if not self._closed:
            self._closed = True
            await self._socket.close(code, reason)

    async def _write(self) -> None:
        while True:
            order = await self._outbox.take()
            for message in self._outgoing.of(order):
                if isinstance(message, str):
                    await self._socket.send_text(message)
                else:
                    await self._socket.send_bytes(message)
            if isinstance(order, HangUp):
                return
            # Sending does not yield while the buffer has room; a burst would starve the reader.
            await asyncio.sleep(0)
