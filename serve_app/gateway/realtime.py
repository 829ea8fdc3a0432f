"""One socket, one conversation: a reader, a writer, and the session between them.

What the messages are called is in wire.py, what happens in a conversation in streaming/. This file knows how a
connection begins and ends, and which close code says what.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect

from serve_app.gateway import beta
from serve_app.gateway.auth import ENTRY, Entry
from serve_app.gateway.guest import guest_of
from serve_app.gateway.ladder import Told
from serve_app.gateway.outbox import Outbox, OutboxFull
from serve_app.gateway.reading import Incoming
from serve_app.gateway.wire import STOCK, SUBPROTOCOL, Conduct, Outgoing, of_error
from serve_app.gateway.wishes import ClientError, Wishes
from serve_app.instruments import Instruments
from serve_app.keeper import Archive, Keeper
from serve_app.persona import Cast
from serve_app.store import StaleEpoch
from streaming.commands import Command, HangUp
from streaming.conversation import Conversation
from streaming.events import Event, Joined, Left, Requested, SpeechEnded, SpeechStarted
from streaming.metrics import Meter
from streaming.pace import Pace
from streaming.session import ClientOrder, Driving, Session, Stages, ticking

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
    cast: Cast = field(default_factory=Cast)
    """Who may speak; ``driving`` and the avatar of ``stages`` are those of a persona that leaves them open."""

    @property
    def usual(self) -> Driving:
        """What goes with each call where nobody asks for a persona."""
        return self.cast.usual.driving(self.driving)

    @property
    def shown(self) -> Stages:
        """The stages, with the face that is shown where nobody asks for a persona."""
        return self.cast.usual.shown(self.stages)


class Connection:
    """One client's socket from handshake to close."""

    def __init__(self, socket: WebSocket, house: House, persona: str = "") -> None:
        """``persona`` is who was asked for in the address; there must be one of that name."""
        self._socket = socket
        self._house = house
        self._guest = guest_of(socket)
        self._id = f"sess_{uuid.uuid4().hex}"
        offered = socket.scope.get("subprotocols", [])
        self._subprotocol = next((name for name in (SUBPROTOCOL, STOCK) if name in offered), None)
        self._own = self._subprotocol == SUBPROTOCOL
        self._conduct = Conduct(
            self._id, house.stages.avatar, self._pace(), own=self._own, cast=house.cast, persona=persona
        )
        self._outbox = Outbox()
        begun = time.monotonic()
        old = beta.SUBPROTOCOL in offered or beta.HEADER in socket.headers.get("openai-beta", "")
        self._outgoing = Outgoing(
            self._conduct, clock_ms=lambda: round((time.monotonic() - begun) * 1000), beta=old and not self._own
        )
        self._incoming = Incoming(self._conduct)
        self._given = self._session_of_secret()
        self._wrong = self._take_given()
        self._joined = False
        self._session: Session | None = None
        self._keeper: Keeper | None = None
        self._running: asyncio.Task[None] | None = None
        self._closed = False

    async def serve(self) -> None:
        """Serve this client until it leaves, or its session ends."""
        await self._socket.accept(subprotocol=self._subprotocol)
        self._outbox.put(("session.created", {"session": self._conduct.described()}))
        if self._wrong:
            self._outbox.put(of_error(self._wrong))
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

    def _session_of_secret(self) -> Mapping[str, Any]:
        """What was given for the client's secret, if it came with one."""
        entry: Entry | None = self._socket.scope.get(ENTRY)
        return entry.ticket.session if entry and entry.ticket else {}

    def _take_given(self) -> ClientError | None:
        """Take it as the first ``session.update``; what is wrong with it: it was looked at when the secret was made,
        but the service may be another one since.
        """
        try:
            if self._given:
                self._incoming.of(json.dumps({"type": "session.update", "session": self._given}))
        except ClientError as error:
            return error
        return None

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
            if self._session is not None:
                self._refuse_late(before)
        except ClientError as error:
            await self._tell(of_error(error))
            return
        if self._conduct.wishes is not before:
            await self._agree(self._begun())
        for answer in answers:
            if isinstance(answer, tuple):
                await self._tell(answer)
                continue
            if self._guest:
                self._guest.heard(answer)
            await self._join(self._begun())
            await self._begun().happen(answer)
        if self._session or self._conduct.greeting:
            await self._join(self._begun())

    def _refuse_late(self, before: Wishes) -> None:
        """Raise ClientError if what cannot change any more was changed; ``before`` then holds again."""
        now, cast = self._conduct.wishes, self._conduct.cast
        persona = cast.find(now.persona) is cast.find(before.persona)
        for what, same in {"video": now.codec == before.codec, "persona": persona}.items():
            if not same:
                self._conduct.wishes = before
                raise ClientError("too_late", f"choose the {what} before the first word")

    async def _join(self, session: Session) -> None:
        """Speak first, once, as soon as the client has said anything at all: it may choose before it is greeted."""
        if not self._joined:
            self._joined = True
            if self._given:
                await self._agree(session)
            if says := self._conduct.greeting:
                await session.happen(Requested(says=says))

    async def _agree(self, session: Session) -> None:
        """What the client chose holds from now on."""
        session.drive(self._conduct.driving(self._house.driving))
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

            driving = self._conduct.driving(self._house.driving)
            if archive := self._house.archive:
                who = {"voice": driving.voice, "language": driving.language, "persona": self._conduct.persona.id}
                self._keeper = archive.keeper(self._id, {"conversation": conversation.settings(), **who})
            keeper = self._keeper
            self._session = Session(
                conversation,
                replace(self._house.stages, avatar=self._conduct.avatar),
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
