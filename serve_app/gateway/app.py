"""The gateway as an ASGI application: the socket, the page, the idle loops, health and metrics.

It is given its stages and knows neither where they run nor what they are made of.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI, HTTPException, WebSocket
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.types import Scope

from serve_app import page
from serve_app.gateway.auth import Door, Guard
from serve_app.gateway.avatars import avatar_routes
from serve_app.gateway.completions import completions
from serve_app.gateway.counting import Counted
from serve_app.gateway.described import described
from serve_app.gateway.desk import add_desk
from serve_app.gateway.house import House
from serve_app.gateway.inside import counts
from serve_app.gateway.library import library
from serve_app.gateway.loops import Loops
from serve_app.gateway.pages import Pages
from serve_app.gateway.realtime import Connection
from serve_app.gateway.rest import rest
from serve_app.gateway.twins import twins
from serve_app.gateway.voices import voice_routes
from serve_app.persona import PersonaUnknown


def build_gateway(
    house: House, idle_of: Callable[[str], Path | None], door: Door | None = None, voice_engine: str = ""
) -> FastAPI:
    """The application. ``idle_of`` gives the idle loop in an avatar's folder, or None for one that nobody knows.

    ``door`` None is open to everybody but the pages of other hosts. ``voice_engine`` is the name of what speaks.
    """
    app = FastAPI(title="Realtime Avatar", docs_url=None, redoc_url=None)
    door = door or Door()
    loops = Loops(house.stages.face, idle_of)
    app.add_middleware(Guard, door=door)
    app.add_middleware(Pages, door=door)
    app.add_middleware(Counted, record=house.instruments.record)  # added last, it comes first
    add_desk(app, door, house.cast)

    @app.websocket("/v1/realtime")
    async def realtime(socket: WebSocket) -> None:
        persona = socket.query_params.get("persona", "")
        try:
            house.cast.find(persona)
        except PersonaUnknown as error:
            await socket.send_denial_response(JSONResponse({"detail": str(error)}, 404))
            return
        if await house.admission.refused(socket):
            return
        try:
            await Connection(socket, house, persona).serve()
        finally:
            house.admission.left(socket)

    @app.get("/personas")
    async def personas() -> JSONResponse:
        """Who may be spoken to: give an `id` as `?persona=` of `/v1/realtime`. The first is who speaks otherwise."""
        return JSONResponse({"personas": house.cast.listed(house.driving, house.stages.avatar)})

    @app.get("/v1/service")
    async def service() -> JSONResponse:
        """How the service is set up: profile, engines, the languages of its voice, and what is kept for how long."""
        languages = None if house.cast.languages is None else sorted(house.cast.languages)
        return JSONResponse({"version": version("realtime-avatar"), "languages": languages, **house.about})

    @app.get("/avatars/{avatar}/idle.mp4")
    async def idle(avatar: str) -> Response:
        answer = await loops.answer(avatar)
        if answer is None:
            raise HTTPException(404, f"no avatar is called {avatar!r}; the built-in one is 'default'")
        return answer

    app.include_router(avatar_routes(house.stages.avatar.id))
    app.include_router(voice_routes(house, voice_engine))
    if house.archive:
        app.include_router(library(house.archive.store))

    _watched(app, house)
    app.include_router(rest(house))
    app.include_router(twins(house))
    app.include_router(completions(house))
    app.include_router(described())
    app.mount("/plain", Page(directory=page.WEB / "plain", html=True), name="plain page")
    app.mount("/", Page(directory=page.folder(), html=True), name="page")
    return app


def _watched(app: FastAPI, house: House) -> None:
    """Health and metrics."""
    if house.counts:
        app.include_router(counts(house.admission))

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok", "avatar": house.stages.avatar.id})

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(house.instruments.text(), media_type=CONTENT_TYPE_LATEST)


class Page(StaticFiles):
    """The page's files. Those with a fingerprint in their names never change; the others are asked for anew."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        forever = Path(path).parent.name == "assets"
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable" if forever else "no-cache"
        return answer
