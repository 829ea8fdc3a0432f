"""One listener for all sessions of a process: what they hear at the same time is judged in one call, in a thread.

The event loop never waits for the network, and a call for ten sessions costs half of ten calls. A call begins at the
earliest ``every_s`` after the one before: one session alone, with a frame every 32 ms, never waits for another. This
file knows neither what is judged nor whose it is.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Protocol, runtime_checkable

from streaming.metrics import Reading
from streaming.stages import Hearing, HearState, Listener, SharedListener, StageError

log = logging.getLogger(__name__)

EVERY_S = 0.004
"""Between the beginnings of two calls. Longer batches more and tells later that somebody speaks."""
PATIENCE_S = 2.0
"""Longest wait for an answer: a call takes milliseconds, a machine that is this late serves nobody."""


@runtime_checkable
class Several(Protocol):
    """A listener that can judge blocks of several sessions in one call."""

    def kept(self, pcm16k: bytes, state: HearState) -> Hearing | None:
        """The answer at once if there is nothing to judge yet; else None."""
        ...

    def hear_all(self, heard: Sequence[tuple[bytes, HearState]]) -> list[Hearing]: ...


def shared(listener: Listener) -> SharedListener:
    """The listener as the sessions of this process share it: together if it can judge several blocks at once."""
    if isinstance(listener, Several):
        log.info("listener: sessions are judged together in a thread, because %s can", type(listener).__name__)
        return Together(listener)
    log.info("listener: each block on the event loop, because %s judges one at a time", type(listener).__name__)
    return listener


@dataclass(frozen=True, slots=True)
class _Waiting:
    pcm: bytes
    state: HearState
    answer: asyncio.Future[Hearing]


_Line = SimpleQueue[_Waiting | None]
"""What waits for a thread; None tells it to end."""


class Together:
    """Judges what waits, as it waits; from any number of sessions and event loops."""

    def __init__(self, listener: Several, *, every_s: float = EVERY_S, patience_s: float = PATIENCE_S) -> None:
        self._listener = listener
        self._every_s = every_s
        self._patience_s = patience_s
        self._line: _Line | None = None
        self._sizes: deque[int] = deque(maxlen=10_000)
        """Of calls that were not told yet; without anybody who asks, the newest of some minutes."""
        self._starting = threading.Lock()

    def hear(self, pcm16k: bytes, state: HearState) -> Hearing | Awaitable[Hearing]:
        """As the listener does; blocks of one session are to be given one after the other.

        Raises StageError for a block that cannot be judged, when the listener breaks, and when it does not answer.
        """
        return self._listener.kept(pcm16k, state) or self._judged(pcm16k, state)

    def measured(self) -> list[Reading]:
        """How many blocks each call judged, since the last question."""
        told: list[Reading] = []
        while self._sizes:
            told.append(("avatar_batch_size", self._sizes.popleft(), {"stage": "listener"}))
        return told

    async def _judged(self, pcm16k: bytes, state: HearState) -> Hearing:
        line = self._line or self._begin()
        answer: asyncio.Future[Hearing] = asyncio.get_running_loop().create_future()
        line.put(_Waiting(pcm16k, state, answer))
        try:
            async with asyncio.timeout(self._patience_s):
                return await answer
        except TimeoutError:
            self._give_up(line)
            raise StageError(
                f"the listener gave no answer within {self._patience_s:g} s; connect again, and look at what else "
                "keeps the gateway's machine busy"
            ) from None

    # ---- the thread ----------------------------------------------------------------------------------------

    def _begin(self) -> _Line:
        with self._starting:
            if self._line is None:
                self._line = SimpleQueue()
                # A daemon: a call that hangs must not keep the process from ending.
                threading.Thread(target=self._work, args=(self._line,), name="listener", daemon=True).start()
            return self._line

    def _give_up(self, line: _Line) -> None:
        """Whoever comes next gets another thread; this one ends if its call ever does."""
        with self._starting:
            if self._line is line:
                self._line = None
                line.put(None)

    def _work(self, line: _Line) -> None:
        began = float("-inf")
        while True:
            waiting = [line.get()]
            time.sleep(max(began + self._every_s - time.monotonic(), 0.0))
            began = time.monotonic()
            while True:
                try:
                    waiting.append(line.get_nowait())
                except Empty:
                    break
            if some := [one for one in waiting if one]:
                self._answer(some)
            if len(some) < len(waiting):
                return

    def _answer(self, waiting: Sequence[_Waiting]) -> None:
        answers: Sequence[Hearing | StageError]
        self._sizes.append(len(waiting))
        try:
            answers = self._listener.hear_all([(one.pcm, one.state) for one in waiting])
        except Exception as error:  # the listener's bug must not end the thread that others wait for
            log.exception("the listener broke with the sound of %d sessions", len(waiting))
            broke = StageError(
                f"the listener broke ({type(error).__name__}); connect again, or look at the gateway's log"
            )
            answers = [broke] * len(waiting)
        told: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Hearing], Hearing | StageError]]]
        told = defaultdict(list)
        for one, answer in zip(waiting, answers, strict=True):
            told[one.answer.get_loop()].append((one.answer, answer))
        for loop, some in told.items():
            try:
                loop.call_soon_threadsafe(_tell, some)
            except RuntimeError:  # that loop is closed: nobody waits there any more
                continue


def _tell(answers: Sequence[tuple[asyncio.Future[Hearing], Hearing | StageError]]) -> None:
    for future, answer in answers:
        if future.done():  # its session is over
            continue
        if isinstance(answer, StageError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
