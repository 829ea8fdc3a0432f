"""`avatar bench`: many people at once talk to a running service, and how long each waited is told.

It measures one service from outside, starts none, and ends by itself. Questions are spoken by the built-in voice, so
that their last voiced sample is known. What it costs is told where the machine's price is.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from serve_app.bench.questions import LONG, SHORT, ask_with
from serve_app.credential import key_of
from serve_app.errors import UserError
from serve_app.files import whole
from serve_app.loading.caller import Manner
from serve_app.loading.crowd import crowd
from serve_app.loading.meter import Meter, Used, served_by
from serve_app.loading.tally import Tally

MOST_SESSIONS = 1000
MOST_SECONDS = 3600.0
REST_S = (0.5, 2.0)
ASKED = (*SHORT[:6], *LONG[:2])
"""Questions that take turns: mostly short ones."""


def main(chosen: argparse.Namespace) -> int:
    """Print what was measured; 0 if everybody was answered. Raises UserError for a load that must not be."""
    manner = checked(chosen)
    key = key_of(chosen)
    tally, used = asyncio.run(_spoken(chosen.url, key, manner))
    costs = cost(tally, manner.seconds, chosen.price)
    print("\n".join([tally.text(), *_of(used, costs)]), flush=True)
    if chosen.json:
        told = {"url": chosen.url, "pattern": manner.pattern, "sessions": manner.sessions, "seconds": manner.seconds}
        write(chosen.json, {**told, **tally.told(), "processes": [_told(one) for one in used], "cost_a_minute": costs})
    well = tally.answered or manner.pattern != "talk"
    return 0 if well and tally.admitted and not tally.failures else 1


def checked(chosen: argparse.Namespace) -> Manner:
    """How the sessions shall speak. Raises UserError for too many, or a service that is somebody else's."""
    if not 1 <= chosen.sessions <= MOST_SESSIONS:
        raise UserError(f"--sessions may be 1 to {MOST_SESSIONS}, not {chosen.sessions}")
    if not 1 <= chosen.seconds <= MOST_SECONDS:
        raise UserError(f"--seconds may be 1 to {MOST_SECONDS:g}, not {chosen.seconds:g}")
    if chosen.price is not None and not 0 <= chosen.price < float("inf"):
        raise UserError(f"--price is {chosen.price:g}; write what an hour of all the machines costs, 0.71 for instance")
    manner = Manner(chosen.sessions, chosen.seconds, pattern=chosen.pattern, rest_s=REST_S)
    if manner.apart_s * manner.sessions > manner.seconds:
        need = manner.apart_s * manner.sessions
        raise UserError(f"{manner.sessions} sessions need {need:g} s to begin one by one; give --seconds {need:g}")
    if not (here(chosen.url) or chosen.yes):
        raise UserError(f"{chosen.url} is not on this machine; add --yes if you may put that service under load")
    return manner


def here(url: str) -> bool:
    """True if the address is this machine's own."""
    try:
        name = urlsplit(url).hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def cost(tally: Tally, seconds: float, price: float | None) -> float | None:
    """What a minute of speech costs if an hour of everything costs ``price``; None if that is not known."""
    return price * seconds / 3600 / (tally.heard_s / 60) if price is not None and tally.heard_s else None


def write(path: Path, told: dict[str, Any]) -> None:
    """The report as JSON. Raises UserError if it cannot be written."""
    with whole(path) as part:
        part.write_text(json.dumps(told, indent=2) + "\n", "utf-8")


async def _spoken(url: str, key: str | None, manner: Manner) -> tuple[Tally, list[Used]]:
    from actors.tts.hibari import Hibari

    questions = await ask_with(Hibari(), ASKED)
    return await metered(url, key, questions, manner)


async def metered(url: str, key: str | None, questions: Any, manner: Manner) -> tuple[Tally, list[Used]]:
    """The load, and what the service took of this machine meanwhile; nothing of a service elsewhere."""
    root = served_by(url) if here(url) else None
    if root is None:
        return await crowd(url, key, questions, manner), []
    meter = Meter(root)
    watching = asyncio.create_task(meter.watch(), name="meter")
    try:
        return await crowd(url, key, questions, manner), meter.used()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def _of(used: list[Used], costs: float | None) -> list[str]:
    lines: list[str] = []
    if used:
        lines += ["", "| process | count | cores busy | MB, most |", "|---|---|---|---|"]
        lines += [f"| {one.name} | {one.processes} | {one.cores:.2f} | {one.memory_mb:.0f} |" for one in used]
    if costs is not None:
        lines += ["", f"a minute of speech costs {costs:.4f} of what --price is in"]
    return lines


def _told(used: Used) -> dict[str, Any]:
    return {"name": used.name, "count": used.processes, "cores": round(used.cores, 3), "mb": round(used.memory_mb)}
