"""What was talked about, for a browser: a list, a conversation as JSON and as text with times, its replies as MP4.

Clips are made anew from the journal whenever somebody asks (shown.py). This file stores nothing, and
asks nobody who they are.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import PlainTextResponse

from actors.face.video import VideoUnreadable
from serve_app.gateway.shown import Shown
from serve_app.store import Item, Store, Stored, Summary

NAMES = {"user": "You", "assistant": "Avatar", "system": "System", "call": "Avatar calls", "tool": "Tool"}


def library(store: Store) -> APIRouter:
    """The addresses under ``/conversations``."""
    routes = APIRouter(prefix="/conversations")

    @routes.get("")
    async def newest(limit: Annotated[int, Query(ge=1, le=200)] = 50, before: str = "") -> dict[str, Any]:
        page = await store.conversations(limit, _place(before) if before else None)
        more = f"{page[-1].created_ms}-{page[-1].session}" if len(page) == limit else None
        return {"conversations": [_listed(summary) for summary in page], "next": more}

    @routes.get("/{session}")
    async def one(session: str) -> dict[str, Any]:
        stored = await _found(store, session)
        return {
            **_listed(stored.summary),
            "settings": _settings(stored),
            "said": [_said(item) for item in stored.items],
        }

    @routes.get("/{session}/transcript.txt")
    async def transcript(session: str) -> PlainTextResponse:
        return PlainTextResponse(written(await _found(store, session)))

    @routes.get("/{session}/replies/{turn}.mp4")
    async def clip(session: str, turn: int) -> Response:
        shown = Shown(turn)
        await _read(store, session, shown)
        if not shown.replies:
            raise HTTPException(404, f"no pictures of a reply {turn} were shown in this conversation")
        return await _film(shown, f"reply {turn}")

    @routes.get("/{session}/film.mp4")
    async def film(session: str) -> Response:
        """All replies as they were shown, one after the other. What the person said is not in it."""
        shown = Shown()
        await _read(store, session, shown)
        if not shown.replies:
            raise HTTPException(404, "no pictures were shown in this conversation")
        return await _film(shown, "this conversation")

    @routes.delete("/{session}", status_code=204)
    async def erase(session: str) -> None:
        if not await store.delete(session):
            raise _unknown(session)

    return routes


def written(stored: Stored) -> str:
    """A conversation as text: one line for each item, with minutes and seconds since its beginning."""
    begun = stored.summary.created_ms
    lines = [
        f"Conversation {stored.summary.session}, {datetime.fromtimestamp(begun // 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    ]
    for item in stored.items:
        minutes, seconds = divmod(max(item.at_ms - begun, 0) // 1000, 60)
        cut = " [interrupted]" if item.said.cut else ""
        lines.append(f"[{minutes:02}:{seconds:02}] {NAMES[item.said.role]}: {item.said.text}{cut}")
    return "\n".join([lines[0], "", *lines[1:], ""])


async def _read(store: Store, session: str, shown: Shown) -> None:
    """What was shown. Raises HTTPException if nothing of it was kept."""
    stored = await _found(store, session)
    if not stored.header.get("media"):
        raise HTTPException(404, "this conversation was stored without sound and pictures; set store.keep to full")
    async for page in store.journal(session, shown.turn):
        await asyncio.to_thread(shown.read, page)
        if shown.over:
            break


async def _film(shown: Shown, what: str) -> Response:
    try:
        return Response(await asyncio.to_thread(shown.mp4), media_type="video/mp4")
    except VideoUnreadable as error:
        raise HTTPException(404, f"{what} cannot be made into a clip: {error}") from error


# ---- JSON --------------------------------------------------------------------------------------------------


async def _found(store: Store, session: str) -> Stored:
    stored = await store.conversation(session)
    if stored is None:
        raise _unknown(session)
    return stored


def _unknown(session: str) -> HTTPException:
    return HTTPException(404, f"no conversation is called {session!r}; GET /conversations lists those that there are")


def _settings(stored: Stored) -> dict[str, Any]:
    """How it was set up; what would let others take it up is nobody's business."""
    return {name: value for name, value in stored.header.items() if name != "resume"}


def _place(before: str) -> tuple[int, str]:
    created, _, session = before.partition("-")
    if not created.isdecimal() or len(created) > 15:
        raise HTTPException(400, "`before` is the `next` of an earlier page; take it from there")
    return int(created), session


def _time(ms: int | None) -> str | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def _listed(summary: Summary) -> dict[str, Any]:
    times = {"created": summary.created_ms, "updated": summary.updated_ms, "ended": summary.ended_ms}
    return {"id": summary.session, **{name: _time(ms) for name, ms in times.items()}, "items": summary.items}


def _said(item: Item) -> dict[str, Any]:
    said = item.said
    return {"role": said.role, "text": said.text, "turn": said.turn, "cut": said.cut, "at": _time(item.at_ms)}
