"""One socket, one conversation: a reader, a writer, and the session between them.

What the messages are called is in wire.py, what happens in a conversation in streaming/. This file knows how a
connection begins and ends, and which close code says what. A client of ours that is cut off is waited for; how it is
taken up again, here or elsewhere, is in resuming.py.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Iterable
from functools import partial
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect

from serve_app.finishing import RESUME_S
from serve_app.gateway import beta, checkpoints, leaving, resuming
from serve_app.gateway.auth import session_of
from serve_app.gateway.conduct import Conduct
from serve_app.gateway.guest import guest_of
from serve_app.gateway.house import House
from serve_app.gateway.ladder import Told
from serve_app.gateway.outbox import Missed, Outbox, OutboxFull
from serve_app.gateway.reading import Hello, Incoming
from serve_app.gateway.wire import STOCK, SUBPROTOCOL, Outgoing, of_error
from serve_app.gateway.wishes import ClientError
from serve_app.keeper import Keeper
from serve_app.store import StaleEpoch
from streaming.calls import Envelope, enter
from streaming.commands import Command, HangUp
from streaming.conversation import Conversation
from streaming.events import Event, Joined, Left, Requested
from streaming.meter import Meter
from streaming.session import ClientOrder, Session, ticking
from streaming.stages import StageError

log = logging.getLogger(__name__)


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
        self._pace = house.pace_of(own=self._own)
        self._conduct = Conduct(
            self._id, house.stages.avatar, self._pace, own=self._own, cast=house.cast, persona=persona
        )
        self._outbox = Outbox()
        if self._own and house.archive:
            self._conduct.resume_token = resuming.fresh_token()
        begun = time.monotonic()
        self._clock_ms = lambda: round((time.monotonic() - begun) * 1000)
        old = beta.SUBPROTOCOL in offered or beta.HEADER in socket.headers.get("openai-beta", "")
        self._outgoing = Outgoing(self._conduct, clock_ms=self._clock_ms, beta=old and not self._own)
        self._incoming = Incoming(self._conduct)
        self._given = session_of(socket)
        self._given_update = json.dumps({"type": "session.update", "session": self._given})
        self._wrong = self._take_given()
        self._joined = self._closed = False
        self._session: Session | None = None
        self._keeper: Keeper | None = None
        self._log: resuming.Log | None = None
        """Of a client of ours whose conversation is kept."""
        self._running: asyncio.Task[None] | None = None
        self._code: int | None = None
        """With which the client closed the socket."""
        self._away = False
        """True while nobody is there to be told anything."""
        self._over = True
        """False if somebody else may take the session up when it ends here."""

    async def serve(self) -> None:
        """Serve this client until it leaves, or its session ends."""
        await self._socket.accept(subprotocol=self._subprotocol)
        self._outbox.put(("session.created", {"session": self._conduct.described()}))
        if self._wrong:
            self._outbox.put(of_error(self._wrong))
        writer = asyncio.create_task(self._write(), name=f"writer {self._id}")
        reader = asyncio.create_task(self._read(), name=f"reader {self._id}")
        leaver = asyncio.create_task(self._house.leaving.until(self._at_rest), name=f"leaver {self._id}")
        try:
            await asyncio.wait({writer, reader, leaver}, return_when=asyncio.FIRST_COMPLETED)
            if leaver.done():
                await self._leave(writer, reader)
        except asyncio.CancelledError:  # the service ends: what others can take up is not over
            self._let_go()
            raise
        finally:
            await self._end(writer, reader, leaver)

    @property
    def _resumable(self) -> bool:
        return self._own and self._keeper is not None and not self._closed and self._code not in leaving.GOODBYES

    def _let_go(self) -> None:
        """End the session here, so that it can go on elsewhere. One that calls this itself has to end by itself."""
        if self._resumable and self._running:
            self._over = False
            if self._running is not asyncio.current_task():
                self._running.cancel()

    async def _leave(self, *tending: asyncio.Task[None]) -> None:
        """Send the client elsewhere; what it said and was told is stored before it comes there, and nothing after."""
        await leaving.stopped(*tending)
        session, running = self._session, self._running
        while session and running and not (session.settled or running.done()):  # noqa: ASYNC110
            await asyncio.sleep(0.005)  # what was said before is acted on
        self._let_go()
        if not self._over and self._running:
            await asyncio.wait({self._running})
        await self._close(leaving.CLOSE_ELSEWHERE, leaving.ELSEWHERE)

    def _at_rest(self) -> bool:
        return self._outbox.done and (self._session is None or self._session.resting)

    async def _end(self, *tending: asyncio.Task[None]) -> None:
        for task in tending:
            task.cancel()
        archive, running = self._house.archive, self._running
        if archive and running and not running.done() and self._resumable and self._over:
            archive.park(self._id, asyncio.create_task(self._wait(running), name=f"waiting for {self._id}"))
            running = None
        elif self._session:
            await self._session.happen(Left())
        tasks = [*tending, *([running] if running else [])]
        await asyncio.wait(tasks)  # a gather that is cancelled would cancel the session's own goodbye
        for task in tasks:
            broke = None if task.cancelled() else task.exception()
            if broke is not None and not isinstance(broke, WebSocketDisconnect):
                log.error("%s ended: %r", task.get_name(), broke, exc_info=broke)

    async def _wait(self, running: asyncio.Task[None]) -> None:
        """Let the session go on without its client, until that comes back, here or elsewhere, or stays away."""
        self._away = True
        log.info("session %s: its client is gone (code %s); it is waited for", self._id, self._code)
        writer = asyncio.create_task(self._write(), name=f"writer {self._id}")
        try:
            await asyncio.wait({running}, timeout=RESUME_S)
        except asyncio.CancelledError:
            self._let_go()
        else:
            if self._session:
                await self._session.happen(Left())
        await asyncio.wait({running})
        writer.cancel()

    def _take_given(self) -> ClientError | None:
        """Take it as the first ``session.update``; what is wrong with it: it was looked at when the secret was made,
        but the service may be another one since.
        """
        try:
            if self._given:
                self._incoming.of(self._given_update)
        except ClientError as error:
            return error
        return None

    # ---- in ------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            with leaving.of_socket():
                message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                self._code = message.get("code")
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
        except ClientError as error:
            await self._tell(of_error(error))
            return
        events = [answer for answer in answers if not isinstance(answer, tuple | Hello)]
        if self._conduct.wishes is not before:
            await self._agree(message)
        elif events:
            self._begun()
            self._note(message, events[-1])
        for answer in answers:
            if isinstance(answer, tuple):
                await self._tell(answer)
            elif isinstance(answer, Hello):
                await self._welcome(answer)
            else:
                if self._guest:
                    self._guest.heard(answer)
                await self._join()
                await self._begun().happen(answer)
        refused = self._session is None and any(isinstance(answer, Hello) for answer in answers)
        if self._session or (self._conduct.greeting and not refused):
            await self._join()

    async def _join(self) -> None:
        """Speak first, once, as soon as the client has said anything at all: it may choose before it is greeted.

        A conversation that it asked for and does not get is nothing said: it has yet to choose for a new one.
        """
        session = self._begun()
        if not self._joined:
            self._joined = True
            if self._given:
                await self._agree()
            if says := self._conduct.greeting:
                await session.happen(Requested(says=says))

    def _note(self, message: str | bytes, event: Event | None = None) -> None:
        if self._log and isinstance(message, str):
            self._log.said(message, event)

    async def _welcome(self, hello: Hello) -> None:
        """A client that was cut off is back."""
        record = self._house.instruments.record
        try:
            if self._session is not None:
                raise ClientError("too_late", "avatar.hello comes before anything else")
            await self._take_up(hello)
        except ClientError as error:
            record("avatar_resumes_total", 1, {"outcome": "refused"})
            await self._tell(of_error(error))
        else:
            record("avatar_resumes_total", 1, {"outcome": "resumed"})

    async def _take_up(self, hello: Hello) -> None:
        house = self._house
        taken = await resuming.take_over(house.archive, hello)
        persona = taken.stored.header.get("persona", "")
        conduct = Conduct(hello.session, house.stages.avatar, self._pace, own=True, cast=house.cast, persona=persona)
        conduct.resume_token = hello.token
        outgoing = Outgoing(conduct, clock_ms=self._clock_ms)
        # In a thread, so that others are not kept waiting.
        up = await asyncio.to_thread(resuming.take_up, taken, hello, conduct, outgoing, house.stages.planner)
        self._id, self._conduct, self._incoming, self._outgoing = hello.session, conduct, up.incoming, outgoing
        self._joined = up.asked  # else it is greeted yet
        self._outbox.put(Missed((resuming.resumed(hello, taken, conduct), *up.missed)))
        session = self._begin(up.conversation, header=taken.stored.header, epoch=taken.epoch, past=up.past)
        for order in self._log.taken_up(hello.last_seq, up) if self._log else ():
            self._outbox.owe(order)
        await session.happen(up.rejoined)  # before whatever its client says next
        session.drive(conduct.driving(house.driving))

    async def _agree(self, message: str | bytes = b"") -> None:
        """What the client chose holds from now on; ``message`` is where it did."""
        session = self._begun()
        session.drive(self._conduct.driving(self._house.driving))
        # Stock clients ask for each reply themselves where they end the turn; ours let go of a button.
        judged = self._house.stages.judge is not None
        agreed = self._conduct.wishes.agreed(self._pace, answers=self._own, judged=judged)
        self._note(message, agreed)
        await session.happen(agreed)

    def _begun(self) -> Session:
        """The session; it begins with the first thing that a client says."""
        if self._session is not None:
            return self._session
        conduct, planner = self._conduct, self._house.stages.planner
        wishes, driving = conduct.wishes, conduct.driving(self._house.driving)
        conversation = Conversation(self._id, self._pace, codec=wishes.codec, live=wishes.live, planner=planner)
        header = resuming.header(conversation.settings(), planner, conduct, driving)
        session = self._begin(conversation, Joined(), header=header)
        if self._given:
            self._note(self._given_update)
        return session

    def _begin(
        self,
        conversation: Conversation,
        *then: Event,
        header: dict[str, Any],
        epoch: int | None = None,
        past: resuming.Past = resuming.NOTHING,
    ) -> Session:
        queues = {"outbox": lambda: len(self._outbox), "inbox": lambda: self._session.waiting if self._session else 0}
        meter = self._meter = Meter(self._house.instruments.record, conversation.late, queues)
        archive = self._house.archive
        keeper = self._keeper = archive.keeper(self._id, header, epoch) if archive else None
        rest = partial(checkpoints.line, lambda: self._session, self._conduct, self._outgoing)
        log = self._log = resuming.Log(keeper, past, rest) if keeper and self._own else None
        turns = self._turns = self._house.turns(self._id)

        def seen(event: Event, commands: list[Command]) -> None:
            meter(event, commands)
            turns(event, commands)
            self._conduct.happened(event)
            if log:
                log.happened(event, commands)
            if keeper:
                keeper.journal(event, commands)

        stages = self._house.stages_for(self._conduct.avatar, self._tell)
        driving = self._conduct.driving(self._house.driving)
        hooks: Any = {"memory": keeper, "journal": seen, "tracing": turns}
        self._conduct.begun = True
        session = self._session = Session(conversation, stages, self._tell, driving=driving, **hooks)
        self._running = asyncio.create_task(self._run(session, *then), name=f"session {self._id}")
        return session

    async def _run(self, session: Session, *then: Event) -> None:
        enter(Envelope(self._id))
        record = self._house.instruments.record
        record("avatar_sessions_total", 1, {})
        record("avatar_sessions_active", 1, {})
        self._house.admission.begun(self._socket)
        for event in then:
            await session.happen(event)
        try:
            await session.run(ticking())
        except OutboxFull:
            pass  # the client was told
        except StaleEpoch as error:
            await self._taken(error)
        except StageError as error:  # the listener's: no other stage's error leaves the session
            log.error("session %s: %s", self._id, error)
            await self._close(leaving.CLOSE_BROKEN, str(error)[: leaving.REASON_MOST])
        except Exception:
            log.exception("session %s broke", self._id)
            await self._close(leaving.CLOSE_BROKEN, "the session broke; connect again")
        finally:
            record("avatar_sessions_active", -1, {})
            self._meter.close()
            self._turns.close()
            if self._keeper:
                await self._keeper.end(over=self._over)

    async def _taken(self, error: StaleEpoch) -> None:
        log.warning("session %s: %s", self._id, error)
        await self._close(leaving.CLOSE_TAKEN, "this conversation was taken over or erased; begin a new one")

    # ---- out -----------------------------------------------------------------------------------------------

    async def _tell(self, told: ClientOrder | Told) -> None:
        """Queue it. Raises OutboxFull after closing the socket of a client that does not read."""
        if self._guest and not isinstance(told, tuple):
            self._guest.told(told)
        if self._log and isinstance(told, tuple):
            self._log.answered(told)
        try:
            self._outbox.put(told)
        except OutboxFull as error:
            log.warning("session %s: %s", self._id, error)
            self._let_go()  # what it left unread is told when it comes back
            await self._close(leaving.CLOSE_SLOW, str(error))
            raise

    async def _close(self, code: int, reason: str) -> None:
        if not self._closed:
            self._closed = True
            if not self._away and self._code is None:
                await leaving.closed(self._socket, code, reason)

    async def _write(self) -> None:
        try:
            while True:
                orders = await self._outbox.take()
                await self._send([message for order in orders for message in self._messages(order)])
                if any(isinstance(order, HangUp) for order in orders):
                    return
                # Sending does not yield while the buffer has room; a burst would starve the reader.
                await asyncio.sleep(0)
        except StaleEpoch as error:
            await self._taken(error)

    def _messages(self, order: ClientOrder | Told | Missed) -> Iterable[str | bytes]:
        """What tells of it; noted before it is sent, so that whoever takes the session up knows of it."""
        if isinstance(order, Missed):
            return order.messages
        seq, messages = self._outgoing.seq + 1, self._outgoing.of(order)
        if self._log:
            self._log.sent(order, seq)
        return messages

    async def _send(self, messages: Iterable[str | bytes]) -> None:
        if self._keeper:
            await self._keeper.settled()
        for message in () if self._away else messages:
            with leaving.of_socket():
                if isinstance(message, str):
                    await self._socket.send_text(message)
                else:
                    await self._socket.send_bytes(message)
