"""The service over plain HTTP, for people without sockets: a file to text, a chat, and a whole conversation.

Each request calls the stages as a session would and remembers nothing. What OpenAI's clients expect is in twins.py.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any, Literal

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel

from serve_app import talk
from serve_app.errors import NoWords, UserError
from serve_app.gateway.chatting import Line, heard, replied
from serve_app.gateway.films import Films
from serve_app.gateway.house import House
from serve_app.gateway.refusals import REFUSED, Bounded, Refusal, bad
from serve_app.gateway.sounds import IN_BODY, brought, timed, understood
from serve_app.gateway.streams import EVENTS, Streamed, sent_event, unless_left
from serve_app.recording import Take, joined
from serve_app.store import StoreError
from streaming.channel import Channel
from streaming.commands import Audio, ReplyDelta, Show, UserCaption
from streaming.media import MIC_RATE, samples
from streaming.session import ClientOrder
from streaming.stages import History, TextDelta

log = logging.getLogger(__name__)

AHEAD = 64
"""Orders of a conversation that wait for the client: about 6 s of sound. A client that reads slowly slows it down."""

LONGEST_S = 600.0
"""Longest conversation, in seconds from request to film: a client that reads nothing is given up then."""


class Spoken(BaseModel):
    """One message of a chat."""

    role: Literal["user", "assistant", "system"]
    content: str


class Chat(BaseModel):
    """What is said: either ``text``, or the whole conversation as ``messages``."""

    text: str | None = None
    messages: list[Spoken] | None = None

    def history(self) -> History:
        """What is said as a conversation. Raises Refusal."""
        if (self.text is None) == (self.messages is None):
            raise bad("send either text or messages", "text")
        lines = [Spoken(role="user", content=self.text)] if self.text is not None else self.messages or []
        return heard([Line(role=line.role, content=line.content) for line in lines])


def rest(house: House, films: Films | None = None) -> APIRouter:
    """Routes for /transcribe, /chat, /conversation and /films. Films are removed when the application ends."""
    kept = films or Films(house.archive.store if house.archive else None)
    if not kept.shared:
        log.info("films: only the replica that makes one hands it out, because nothing is stored (store.keep)")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            kept.close()

    router = APIRouter(route_class=Bounded, lifespan=lifespan, tags=["plain HTTP"], responses=REFUSED)

    @router.post("/transcribe", openapi_extra=IN_BODY)
    async def transcribe(request: Request) -> dict[str, Any]:
        """What is said in a sound file: the text, and the words with start and end in seconds.

        `words` is empty if the recognition engine gives no times.
        """
        pcm = await brought(request, house)
        found = await unless_left(request, understood(pcm, None, house, words=True))
        return {
            "text": found.text,
            "language": found.language,
            "duration": round(samples(pcm) / MIC_RATE, 3),
            "words": timed(found.words),
        }

    @router.post("/chat", response_class=Response, responses={200: {"content": {EVENTS: {}}}})
    async def chat(said: Chat) -> Response:
        """The reply's text as server-sent events: `delta` as it is written, then `done`, or one `error`."""
        return Streamed(_chat(house, said.history()), EVENTS)

    @router.post(
        "/conversation", openapi_extra=IN_BODY, response_class=Response, responses={200: {"content": {EVENTS: {}}}}
    )
    async def conversation(request: Request) -> Response:
        """A spoken question, answered as server-sent events: `transcript`, `text`, `audio`, `film`, then `done`.

        `audio` holds base64 PCM16 mono at 24 kHz and its `pts` in samples from the reply's first. `film` links to an
        MP4; it does not come from a service without a face. One `error` ends what failed.
        """
        return Streamed(_conversation(house, kept, await brought(request, house)), EVENTS)

    @router.get("/films/{name}.mp4", response_class=FileResponse)
    async def film(name: str) -> FileResponse:
        """A film that `/conversation` made."""
        try:
            path = await kept.path(name)
        except StoreError as error:
            raise Refusal(503, str(error), "store_failed") from error
        if path is None:
            here = "" if kept.shared else " at this replica, and without a store each has only its own"
            raise Refusal(404, f"there is no such film{here}, or no longer; hold the conversation again", "no_film")
        return FileResponse(path, media_type="video/mp4")

    return router


async def _chat(house: House, history: History) -> AsyncGenerator[bytes]:
    text = ""
    try:
        async with aclosing(replied(house, history)) as pieces:
            async for piece in pieces:
                if isinstance(piece, TextDelta):
                    text += piece.text
                    yield sent_event("delta", {"text": piece.text})
    except Refusal as refusal:
        yield sent_event("error", refusal.told())
    else:
        yield sent_event("done", {"text": text})


async def _conversation(house: House, films: Films, pcm: bytes) -> AsyncGenerator[bytes]:
    shown: Channel[ClientOrder] = Channel("conversation over HTTP", AHEAD)
    holding = asyncio.create_task(_held(house, pcm, shown), name="conversation over HTTP")
    try:
        async for order in shown:
            if told := _told(order):
                yield told
        takes = await holding
        film = joined(takes)
        if film.packets:
            name = await films.keep(film)
            yield sent_event("film", {"url": f"/films/{name}.mp4", "expires_in": round(films.keep_s)})
        yield sent_event("done", {"transcript": takes[0].question, "text": film.text})
    except NoWords as error:
        yield sent_event("error", bad(str(error), "file", "no_words").told())
    except UserError as error:
        yield sent_event("error", Refusal(503, str(error), "conversation_failed").told())
    except TimeoutError:
        reason = f"the conversation took longer than {LONGEST_S:g} s; ask a shorter question, or read faster"
        yield sent_event("error", Refusal(503, reason, "too_slow").told())
    except Exception as error:  # ours: the log has the whole of it
        log.exception("a conversation over HTTP broke")
        yield sent_event("error", Refusal(500, f"the conversation broke: {type(error).__name__}", "broken").told())
    finally:
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)


async def _held(house: House, pcm: bytes, shown: Channel[ClientOrder]) -> list[Take]:
    """Hold the conversation, telling ``shown`` all that a client is shown; close that at the end."""
    pace = replace(house.pace, send_lead=None)  # whoever asks by HTTP has no playhead: everything as it is made
    how = talk.How(pace, house.usual, session=uuid.uuid4().hex, client=shown.put)
    try:
        async with asyncio.timeout(LONGEST_S):
            takes, _ = await talk.ask(house.shown, pcm, talk.Manner(fast=True), how)
    finally:
        shown.close()
    return takes


def _told(order: ClientOrder) -> bytes | None:
    """The event that tells of an order; None for what only a player on a socket needs."""
    match order:
        case Show(UserCaption(text, final=True)):
            return sent_event("transcript", {"text": text})
        case Show(ReplyDelta(_, text)):
            return sent_event("text", {"delta": text})
        case Show(Audio(_, pts, pcm)):
            return sent_event("audio", {"pts": pts, "delta": base64.b64encode(pcm).decode()})
        case _:
            return None
