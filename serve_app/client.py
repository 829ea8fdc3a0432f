"""The Python SDK: a conversation with a running service.

    async with connect("ws://localhost:8080/v1/realtime") as avatar:
        await avatar.say("How do you move your lips?")
        async for unit in avatar:
            ...

Needs ``websockets`` and ``streaming/`` only. What units there are is told in units.py.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_socket
from websockets.exceptions import ConcurrencyError, ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from serve_app.cuts import CUT, AvatarError, Mended, code_of, gone
from serve_app.playing import Playhead
from serve_app.units import BadMessage, End, Hold, Reader, Told, Trouble
from streaming.media import MIC_RATE, SAMPLE_BYTES, Flag, Kind, Unit, pack, samples

SUBPROTOCOL = "realtime-avatar.v1"
PATH = "/v1/realtime"
"""Where a service has its conversations."""
REPORT_S = 0.25
"""Seconds between two reports of the playhead."""

BLOCK = MIC_RATE // 10
"""Most microphone samples at 16 kHz in one message: 100 ms."""

LARGEST = 2**22
"""Bytes of one message from the server."""

OPEN_S = 10.0
"""Longest wait for the connection and the description of the session, in seconds."""

RESUME_S = 120.0
"""How long after a cut the service waits, in seconds."""
AGAIN_S, AGAIN_MOST_S = 0.1, 5.0
"""First and longest pause between two attempts to connect again, in seconds."""
SAID = "said_"
"""What the ids of our messages begin with."""
UNHEARD = 32
"""Messages that are kept to be said again: more are not under way at once."""


class Avatar:
    """One conversation. Make it with ``connect``, speak or write to it, and iterate over what it tells.

    Read steadily: nothing is received, and no playhead moves, while nobody iterates. Iteration ends when the
    connection is closed in order; otherwise it raises AvatarError.
    """

    def __init__(self, socket: ClientConnection, *, playhead: bool = True) -> None:
        self._socket = socket
        self._again: Callable[[], Awaitable[ClientConnection]] | None = None
        """Makes another connection after a cut; None: a cut is the end."""
        self._reader = Reader()
        self._said: deque[tuple[int, str]] = deque(maxlen=UNHEARD)
        """Numbers and texts of the newest messages: what a gateway did not take before it went is said once more."""
        self._ids = count(1)
        self._seq = 0
        self._heard = 0
        self._begun = time.monotonic()
        self._playhead = Playhead(self._begun) if playhead else None
        self._reporting: asyncio.Task[None] | None = None
        self._owed: dict[int, int] = {}
        """Turn -> playhead that is still to be reported: a connection that is cut takes no report."""
        self._heard_to: tuple[int, int] | None = None
        """Reply and sample that was reported last; it may have been under way when a connection was cut."""
        self._news = asyncio.Event()
        self.away = False
        """True while it looks for another connection: what is written meanwhile goes out with that one."""
        self.mended: list[Mended] = []
        """Every connection that was cut so far and replaced, the oldest first."""

    @property
    def session(self) -> dict[str, Any]:
        """The session as the service last described it: sizes, rates and what was chosen."""
        return self._reader.session

    # ---- to the avatar -------------------------------------------------------------------------------------

    async def say(self, text: str) -> None:
        """Write to it; a reply begins. Over a connection that is cut it goes out with the next one, as a press and a
        release do. Raises AvatarError if there will be none, as every method here does.
        """
        await self._send("avatar.say", text=text)

    async def hear(self, pcm16k: bytes) -> None:
        """Let it hear PCM16 mono at 16 kHz, at the pace of speech. Raises ValueError on half a sample, and AvatarError
        over a connection that is cut: sound is not kept.
        """
        samples(pcm16k)
        for at in range(0, len(pcm16k), BLOCK * SAMPLE_BYTES):
            block = pcm16k[at : at + BLOCK * SAMPLE_BYTES]
            clock = round((time.monotonic() - self._begun) * 1000)
            await self._give(pack(Unit(Kind.MICROPHONE, Flag.NONE, 0, self._seq, self._heard, clock, block)))
            self._heard += samples(block)

    async def press(self) -> None:
        """Press to talk: it falls silent, and a turn begins with the sound that follows."""
        await self._send("avatar.press")

    async def release(self) -> None:
        """The turn is complete."""
        await self._send("avatar.release")

    async def configure(self, **session: Any) -> None:
        """Choose before the first word: ``configure(avatar={"video": {"codec": None}})``. See ``session.update``.

        The answer comes with the next units: ``session`` changes, or a Trouble says what was wrong.
        """
        await self._send("session.update", session={"type": "realtime", **session})

    async def report_playhead(self, turn: int, pts: int) -> None:
        """Say which sample of reply ``turn``, at 24 kHz, has not been heard yet. Needed with ``playhead=False`` only.

        The service sends little more than a second past it.
        """
        self._heard_to = (turn, pts) if turn else self._heard_to
        await self._send("avatar.playhead", turn=turn, pts=pts)

    async def close(self) -> None:
        """Leave."""
        if self._reporting:
            self._reporting.cancel()
            await asyncio.gather(self._reporting, return_exceptions=True)
        rest = asyncio.create_task(self._drop_the_rest(), name="unread units")
        await self._socket.close()
        await rest

    async def _drop_the_rest(self) -> None:
        """The goodbye comes after what nobody has read, and is not seen before that is."""
        with suppress(ConnectionClosed, ConcurrencyError):  # whoever iterates in another task reads it too
            while True:
                await self._socket.recv()

    async def _send(self, kind: str, **fields: Any) -> None:
        if kind == "avatar.playhead":
            await self._give(json.dumps({"type": kind, **fields}))
            return
        number = next(self._ids)
        message = json.dumps({"type": kind, "event_id": f"{SAID}{number}", **fields})
        self._said.append((number, message))
        try:
            await self._give(message)
        except AvatarError as lost:
            if self._again is None or lost.code not in CUT:
                raise

    async def _say_again(self, socket: ClientConnection, resumed: dict[str, Any]) -> None:
        """What the service did not take before the cut, if it tells what it took last, and what was said since."""
        if "received" in resumed:
            taken = int((resumed["received"] or SAID).removeprefix(SAID) or 0)
            while waiting := [(number, message) for number, message in self._said if number > taken]:
                taken, message = waiting[0]
                await socket.send(message)

    async def _give(self, message: str | bytes) -> None:
        try:
            await self._socket.send(message)
        except ConnectionClosed as closed:
            raise gone(closed) from None
        self._seq += 1

    # ---- from the avatar -----------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Told:
        while True:
            unit = await self._next()
            if unit is not None:
                await self._play(unit)
                return unit

    async def _next(self) -> Told | None:
        try:
            return self._reader.of(await self._socket.recv())
        except BadMessage as error:
            raise AvatarError(f"{error}; client and service are of versions that do not fit") from None
        except ConnectionClosed as closed:
            if closed.rcvd is not None and closed.rcvd.code == 1000:
                raise StopAsyncIteration from None
            cut, self.away = time.monotonic(), True
            try:
                await self._come_back(closed)
            except AvatarError:
                self._again = None  # there is no other, for whoever writes either
                raise
            finally:
                self.away = False
            self.mended.append(Mended(code_of(closed), cut, time.monotonic()))
            return None

    async def _come_back(self, closed: ConnectionClosed) -> None:
        """Connect once more and go on where the connection was cut. Raises AvatarError if that cannot be."""
        code = code_of(closed)
        hello = self._reader.hello()
        if self._again is None or hello is None or code not in CUT:
            raise gone(closed) from None
        until = time.monotonic() + RESUME_S
        pause = AGAIN_S
        while True:
            try:
                self._socket = await self._greeted(await self._again(), hello, code)
                return  # nothing may be sent on it before the hello
            except (AvatarError, ConnectionClosed, TimeoutError) as error:
                refused = isinstance(error, AvatarError) and error.code == code
                if refused or time.monotonic() + pause > until:
                    raise gone(closed) from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, AGAIN_MOST_S)

    async def _greeted(self, socket: ClientConnection, hello: dict[str, Any], code: int) -> ClientConnection:
        """Take the conversation up on a fresh connection. Raises AvatarError with ``code`` if it is refused.

        A connection that is given up is dropped without a goodbye, which would end the conversation: a gateway that
        answers late must neither keep it from the next connection nor end it.
        """
        try:
            async with asyncio.timeout(OPEN_S):  # who took the connection may die before it answers
                await self._take_up(socket, hello, code)
        except BaseException:  # whoever is cancelled leaves it as well
            socket.transport.abort()
            raise
        return socket

    async def _take_up(self, socket: ClientConnection, hello: dict[str, Any], code: int) -> None:
        await socket.send(json.dumps({"type": "avatar.hello", **hello}))
        while True:
            told = json.loads(await socket.recv())
            if told["type"] == "avatar.resumed":
                if self._heard_to:
                    turn, pts = self._heard_to
                    await socket.send(json.dumps({"type": "avatar.playhead", "turn": turn, "pts": pts}))
                await self._say_again(socket, told)
                return
            if told["type"] == "error":
                await socket.close()
                raise AvatarError(told["error"]["message"], code)

    async def _play(self, unit: Told) -> None:
        if self._playhead is None:
            return
        self._playhead.pictures = _codec(self.session) is not None
        self._playhead.take(unit, time.monotonic())
        if isinstance(unit, Hold):
            await self._report(self._playhead)
        elif isinstance(unit, End):
            self._news.set()

    # ---- the playhead --------------------------------------------------------------------------------------

    async def _report(self, playhead: Playhead) -> None:
        """Report it, and what an earlier connection did not take: a reply's end is told by the playhead only once.

        Raises AvatarError if the connection is closed and there will be no other.
        """
        turn, pts = playhead.at(time.monotonic())
        self._owed.pop(turn, None)
        self._owed[turn] = pts
        try:
            for turn, pts in [*self._owed.items()]:
                await self.report_playhead(turn, pts)
                self._owed.pop(turn, None)
        except AvatarError:
            if self._again is None:
                raise

    async def _keep_reporting(self, playhead: Playhead) -> None:
        """Report four times a second, and at once when a reply has been heard to its end."""
        while True:
            ends = playhead.ends_in(time.monotonic())
            try:
                async with asyncio.timeout(REPORT_S if ends is None else min(REPORT_S, ends)):
                    await self._news.wait()
                self._news.clear()  # what is known of the end has changed: count anew
            except TimeoutError:
                try:
                    await self._report(playhead)
                except AvatarError:
                    return  # whoever iterates is told of it

    # ---- opening -------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        """Wait until the session is described."""
        while not self.session:
            try:
                unit = await self._next()
            except StopAsyncIteration:
                raise AvatarError("the service closed the connection before the session began", 1000) from None
            if isinstance(unit, Trouble):
                raise AvatarError(unit.error)
        if self._playhead:
            self._reporting = asyncio.create_task(self._keep_reporting(self._playhead), name="playhead reports")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


@asynccontextmanager
async def connect(
    url: str, *, api_key: str | None = None, playhead: bool = True, resume: bool = True, persona: str = ""
) -> AsyncIterator[Avatar]:
    """A conversation with the service at ``url`` (``ws://HOST:PORT/v1/realtime``) for as long as the block lasts.

    ``api_key`` is sent as ``Authorization: Bearer``. ``persona`` is an id out of ``GET /personas``; its greeting is the
    first reply, unless ``configure(avatar={"greeting": False})`` is the first thing sent. With ``playhead`` a
    loudspeaker is simulated and reported: the reply comes as fast as a person hears it; without, call
    ``report_playhead`` yourself or it stops after about a second. With ``resume`` a connection that is cut is made
    anew, for up to two minutes, and the conversation goes on where it was; what was being said into the microphone at
    that moment is lost. Raises AvatarError if the service cannot be reached, refuses, or does not speak our protocol.
    """
    socket = await _socket(_with(url, persona=persona), api_key)
    async with Avatar(socket, playhead=playhead) as avatar:
        if socket.subprotocol != SUBPROTOCOL:
            raise AvatarError(f"{url} does not speak {SUBPROTOCOL}; is it the address of /v1/realtime?")
        try:
            async with asyncio.timeout(OPEN_S):
                await avatar._open()
        except TimeoutError:
            raise AvatarError(f"{url} did not describe the session within {OPEN_S:g} s; look at its log") from None
        if resume:
            avatar._again = lambda: _socket(_with(url, back="1"), api_key)
        yield avatar


def _with(url: str, **asked: str) -> str:
    """The address with what is asked for in it, but for what is empty."""
    told = urlencode({name: value for name, value in asked.items() if value})
    return f"{url}{'&' if '?' in url else '?'}{told}" if told else url


async def _socket(url: str, api_key: str | None) -> ClientConnection:
    try:
        return await connect_socket(
            url,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            additional_headers={"Authorization": f"Bearer {api_key}"} if api_key else None,
            compression=None,
            max_size=LARGEST,
            open_timeout=OPEN_S,
        )
    except InvalidURI:
        raise AvatarError(f"{url} is no address; write ws://HOST:PORT/v1/realtime") from None
    except InvalidStatus as refused:
        response = refused.response
        said = _sentence(bytes(response.body or b"")) or response.reason_phrase
        elsewhere = "" if PATH in url else f"; conversations are at {PATH}, is it missing in the address?"
        raise AvatarError(
            f"{url} refuses the connection ({response.status_code}): {said}{elsewhere}", response.status_code
        ) from None
    except InvalidHandshake as error:
        raise AvatarError(f"{url} is no WebSocket: {error}") from None
    except (OSError, TimeoutError) as error:
        why = str(error) or "no answer"
        raise AvatarError(f"{url} cannot be reached ({why}); is `avatar run` running there?") from None


def _sentence(body: bytes) -> str:
    """What a refusal says: its ``detail``, or a short text."""
    text = body.decode(errors="replace").strip()
    try:
        said = json.loads(text)
    except ValueError:
        return text[:200]
    return str(said.get("detail", "")) if isinstance(said, dict) else ""


def _codec(session: dict[str, Any]) -> str | None:
    return session.get("avatar", {}).get("video", {}).get("codec")
