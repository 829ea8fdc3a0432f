"""Many callers at once, in as many worker processes as it takes for them not to be what is slow."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle, islice
from multiprocessing import get_context

from serve_app.bench.questions import Question
from serve_app.client import AvatarError, connect
from serve_app.loading.caller import Caller, Manner
from serve_app.loading.tally import Tally, together

EACH = 12
"""Sessions of one worker process: a tenth of a core."""
FULL = (503, 1013)
"""Codes of a service that can take nobody now."""
START_S = 3.0
"""Until all workers have begun."""


async def load(
    url: str,
    key: str | None,
    questions: Sequence[Question],
    manner: Manner,
    numbers: Sequence[int] | None = None,
    begin: float | None = None,
) -> Tally:
    """Let the sessions talk; what they saw. It takes ``seconds`` and the last answers, never longer than patience.

    ``numbers``: which sessions of the manner are this process's; None: all. ``begin``: when, by the monotonic clock.
    """
    tally = Tally()
    begin = time.monotonic() if begin is None else begin
    until = begin + manner.seconds

    async def one(number: int) -> None:
        await asyncio.sleep(max(begin + number * manner.apart_s - time.monotonic(), 0))
        asked = [*islice(cycle(questions), number % len(questions), number % len(questions) + len(questions))]
        admitted = False
        try:
            async with connect(url, api_key=key) as avatar:
                admitted = True
                tally.admitted += 1
                await Caller(avatar, manner, tally, number).hold(asked, until)
        except AvatarError as error:
            if error.code in FULL and not admitted:
                tally.refused += 1
            else:
                tally.failures[str(error)] += 1

    mine = range(manner.sessions) if numbers is None else numbers
    calls = [asyncio.create_task(one(number), name=f"session {number}") for number in mine]
    _, late = await asyncio.wait(calls, timeout=until - time.monotonic() + 3 * manner.patience_s)
    for call in late:
        call.cancel()
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, asyncio.CancelledError):
            tally.failures["the session did not end by itself"] += 1
        elif isinstance(outcome, BaseException):
            raise outcome
    return tally


def workers_for(sessions: int) -> int:
    """How many processes it takes."""
    return max(1, min(math.ceil(sessions / EACH), 4 * (os.cpu_count() or 1)))


async def crowd(url: str, key: str | None, questions: Sequence[Question], manner: Manner) -> Tally:
    """The same from worker processes, the sessions dealt out in turn. What a worker raises is raised here."""
    count = workers_for(manner.sessions)
    begin = time.monotonic() + START_S
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        shares = [range(k, manner.sessions, count) for k in range(count)]
        works = [loop.run_in_executor(pool, _work, url, key, questions, manner, share, begin) for share in shares]
        return together(await asyncio.gather(*works))


def _work(
    url: str, key: str | None, questions: Sequence[Question], manner: Manner, numbers: Sequence[int], begin: float
) -> Tally:
    return asyncio.run(load(url, key, questions, manner, numbers, begin))
