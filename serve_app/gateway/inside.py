"""What a gateway's process holds at this moment, for whoever looks for leaks: only where the settings ask for it."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

from fastapi import APIRouter
from starlette.responses import JSONResponse

from serve_app.gateway.admission import Admission


def counts(admission: Admission) -> APIRouter:
    """`GET /debug/counts`: tasks by the first word of their names, threads, and conversations under way."""
    router = APIRouter()

    @router.get("/debug/counts", include_in_schema=False)
    async def told() -> JSONResponse:
        own = asyncio.current_task()
        tasks = Counter(_kind(task.get_name()) for task in asyncio.all_tasks() if task is not own)
        return JSONResponse(
            {"tasks": tasks, "threads": len(threading.enumerate()), "sessions": admission.conversations}
        )

    return router


def _kind(name: str) -> str:
    """Tasks that nobody named are numbered."""
    return name.split()[0].rstrip("-0123456789") or "unnamed"
