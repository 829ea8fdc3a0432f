"""What was talked about, for a browser: a list, a conversation as JSON and as text with times, replies as MP4.

Clips are made anew from the journal whenever somebody asks. This file stores nothing, and asks nobody who they are.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import PlainTextResponse

from actors.face.video import VideoUnreadable, write_mp4
from serve_app.store import Item, Store, Stored, Summary
from streaming.commands import Audio, Cut, Ended, Frames, Show
from streaming.journal import decode
from streaming.media import SAMPLE_BYTES, FramePacket

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
        stored = await _found(store, session)
        if not stored.header.get("media"):
            raise HTTPException(404, "this conversation was stored without sound and pictures; set store.keep to full")
        shown = _Shown(turn)
        async for page in store.journal(session, turn):
            await asyncio.to_thread(shown.read, page)
            if shown.over:
                break
        if not shown.packets:
            raise HTTPException(404, f"no pictures of a reply {turn} were shown in this conversation")
        try:
            return Response(await asyncio.to_thread(shown.mp4), media_type="video/mp4")
        except VideoUnreadable as error:
            raise HTTPException(404, f"reply {turn} cannot be made into a clip: {error}") from error

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


# ---- clips -------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Shown:
    """What a client was shown of one reply."""

    turn: int
    sound: bytearray = field(default_factory=bytearray)
    packets: list[FramePacket] = field(default_factory=list[FramePacket])
    over: bool = False

    def read(self, lines: list[str]) -> None:
        """Take what is for this reply out of the next lines of the journal."""
        for line in lines:
            for command in json.loads(line).get("commands", ()):
                if command["kind"] == "Show" and command["message"].get("turn") == self.turn:
                    self._take(decode(command))

    def _take(self, order: Show) -> None:
        match order.message:
            case Audio(_, pts, pcm):
                self.sound[pts * SAMPLE_BYTES :] = pcm  # a client that came back was sent some of it once more
            case Frames(_, packets):
                self.packets = [kept for kept in self.packets if kept.pts < packets[0].pts] + list(packets)
            case Cut(_, pts) | Ended(_, pts):
                del self.sound[pts * SAMPLE_BYTES :]
                self.packets = [packet for packet in self.packets if packet.pts < pts]
                self.over = True
            case _:
                pass

    def mp4(self) -> bytes:
        """The clip. Raises VideoUnreadable."""
        with tempfile.TemporaryDirectory(prefix="realtime-avatar-") as folder:
            path = Path(folder) / "reply.mp4"
            write_mp4(path, self.packets, bytes(self.sound))
            return path.read_bytes()


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
