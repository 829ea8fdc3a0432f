"""What a key gets over REST: client secrets for its pages, and what it has used.

Who may ask is decided at the door (auth.py); this file only answers.
"""

from __future__ import annotations

import uuid
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from serve_app.gateway.auth import ENTRY, Door, Entry
from serve_app.gateway.guest import today
from serve_app.gateway.ledger import Used
from serve_app.gateway.reading import check_session
from serve_app.gateway.refusals import Limited
from serve_app.gateway.tickets import DEFAULT_S, LONGEST_S, TicketTooLong
from serve_app.gateway.wishes import ClientError
from serve_app.persona import Cast


class ExpiresAfter(BaseModel):
    """How long a client secret opens the door."""

    anchor: str = "created_at"
    seconds: int = Field(default=DEFAULT_S, ge=1, le=LONGEST_S)


class Wanted(BaseModel):
    """What is asked of a new client secret, as in OpenAI's; ``origin`` is ours."""

    expires_after: ExpiresAfter = ExpiresAfter()
    session: dict[str, Any] = {}
    """The first ``session.update`` of whoever uses the secret."""
    origin: str = ""
    """The only page that may use the secret: ``https://example.org``."""


def add_desk(app: FastAPI, door: Door, cast: Cast) -> None:
    """Add the addresses to the application; it must be behind that door. ``cast``: who may be asked for."""

    router = APIRouter(route_class=Limited)

    @router.post("/v1/realtime/client_secrets")
    async def client_secrets(request: Request, wanted: Wanted | None = None) -> JSONResponse:
        entry: Entry = request.scope[ENTRY]
        wanted = wanted or Wanted()
        try:
            check_session(wanted.session, cast)
            value, expires = door.secret(entry, wanted.expires_after.seconds, wanted.origin, wanted.session)
        except (ClientError, TicketTooLong) as error:
            raise HTTPException(400, f"the session of this secret is wrong: {error}") from None
        session = {"type": "realtime", "object": "realtime.session", "id": f"sess_{uuid.uuid4().hex}"}
        shown = {"value": value, "expires_at": expires, "session": {**wanted.session, **session}}
        return JSONResponse(shown, headers={"Cache-Control": "no-store"})

    @router.get("/v1/usage")
    async def usage(request: Request) -> JSONResponse:
        key = request.scope[ENTRY].key
        if key is None or door.ledger is None:
            raise HTTPException(404, "nothing is counted without keys; make one: avatar key add NAME")
        days = door.ledger.of(key.name)
        spent = days.get(today(), Used()).audio_s
        return JSONResponse(
            {
                "object": "usage",
                "key": key.name,
                "limits": {
                    "sessions": key.sessions,
                    "audio_seconds_per_day": key.audio_seconds,
                    "messages_per_second": key.messages,
                },
                "audio_seconds_left_today": max(key.audio_seconds - spent, 0.0),
                "days": [{"date": day, **_rounded(used)} for day, used in days.items()],
            }
        )

    app.include_router(router)


def _rounded(used: Used) -> dict[str, Any]:
    return {name: round(value, 3) for name, value in asdict(used).items()}
