"""How a request over HTTP is refused: one sentence, the right status, in the shape that OpenAI's clients read.

Every route made of ``Limited`` or ``Bounded`` also limits what it takes in. This file knows no stage and no address.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import Message, Receive

from streaming.events import StageName
from streaming.stages import BadInput

SOUND_MOST = 25_000_000
"""Bytes of a body that holds sound: what OpenAI takes; 60 s of uncompressed stereo at 48 kHz are 12 MB."""

TEXT_MOST = 1_000_000
"""Bytes of a body of JSON: ten times the longest conversation that is taken."""


class Reason(BaseModel):
    """Why a request is not answered."""

    message: str
    type: str
    code: str
    param: str | None


class Told(BaseModel):
    """An error, as OpenAI's clients read it."""

    error: Reason


REFUSED: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Told, "description": "The request was wrong, or too large"},
    503: {"model": Told, "description": "A stage failed"},
}
"""For the OpenAPI page: what every route may answer instead."""


class Refusal(HTTPException):
    """A request that is not answered. The message is one sentence: what is wrong, and what to do."""

    def __init__(self, status: int, message: str, code: str, param: str | None = None) -> None:
        super().__init__(status, message)
        self.code = code
        self.param = param

    def told(self) -> dict[str, Any]:
        """The error in OpenAI's shape."""
        kind = "server_error" if self.status_code >= 500 else "invalid_request_error"
        return {"error": {"message": self.detail, "type": kind, "code": self.code, "param": self.param}}

    def response(self) -> Response:
        """The error as the whole answer."""
        return JSONResponse(self.told(), self.status_code)


def of_stage(stage: StageName, error: Exception | str) -> Refusal:
    """A stage's failure, or our own word on it: 400 if whoever asked can mend it by asking otherwise, else 503."""
    if isinstance(error, BadInput):
        return Refusal(400, str(error), f"{stage}_refused")
    return Refusal(503, str(error), f"{stage}_failed")


def bad(message: str, param: str | None = None, code: str = "invalid_value") -> Refusal:
    """The client's mistake: status 400."""
    return Refusal(400, message, code, param)


class Limited(APIRoute):
    """A route that takes no more than a limit."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's answer to a body that is counted."""
        answer = super().get_route_handler()

        async def limited(request: Request) -> Response:
            return await answer(Request(request.scope, _counted(request)))

        return limited


class Bounded(Limited):
    """A route that takes no more than a limit, and whose every error has OpenAI's shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's answer, with its errors told."""
        answer = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await answer(request)
            except Refusal as refusal:
                return refusal.response()
            except RequestValidationError as error:
                return _invalid(error).response()
            except StarletteHTTPException as error:  # a body that cannot be read
                return Refusal(error.status_code, f"the request cannot be read: {error.detail}", "bad_body").response()

        return told


def _counted(request: Request) -> Receive:
    """The request's body, refused as soon as it is known to be too large."""
    kind = request.headers.get("content-type", "")
    most = TEXT_MOST if kind.startswith("application/json") else SOUND_MOST
    declared = request.headers.get("content-length", "0")
    taken = int(declared) if declared.isdecimal() else 0
    counted = 0

    async def receive() -> Message:
        nonlocal counted
        if max(taken, counted) > most:
            raise Refusal(413, f"the body may have {most:,} bytes; send less at once", "too_large")
        message = await request.receive()
        counted += len(message.get("body", b""))
        if counted > most:
            raise Refusal(413, f"the body may have {most:,} bytes; send less at once", "too_large")
        return message

    return receive


def _invalid(error: RequestValidationError) -> Refusal:
    """The first mistake of a body or a form, as one sentence that names the field."""
    first = error.errors()[0]
    where = [str(part) for part in first["loc"][1:]]
    if first["type"] == "json_invalid":
        return bad(f"the body is not JSON: {first['ctx']['error']}", code="invalid_json")
    name = ".".join(where)
    if not name:
        return bad("the body is one JSON object, sent as application/json", code="invalid_json")
    if first["type"] == "missing":
        return bad(f"the field {name} is missing; /docs lists what belongs into a request", name, "missing_field")
    return bad(f"the field {name} is wrong: {first['msg'].removeprefix('Value error, ')}", name)
