"""The one thread that works for all sessions of a face's replica: it runs what the scheduler picks, batch after batch.

A span comes as a course: what each of its tasks asks of the networks, and what becomes of the answers. Its items go to
the event loop that waits for them. A span that fails or is cancelled leaves the others alone: a batch that breaks is
run again one by one. Where then not even what always worked does, the device is lost, and whoever comes is told so.
Work that nobody waits for (`aside`) goes between batches. This file knows no network.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from actors.face.scheduler import Batch, FaceBusy, Scheduler, Standing
from actors.face.scheduling.costs import Kind
from actors.face.scheduling.measuring import Run
from actors.face.scheduling.work import Task, Work
from streaming.stages import BadInput, StageLost

log = logging.getLogger(__name__)

ASIDE_MS, WAITING_MS = 200.0, 500.0
"""Work that nobody waits for goes before what is not urgent for so long, and before anything once it waited so long."""


class Course(Protocol):
    """One span's way. Called in the worker's thread only; what it raises ends its own stream and nothing else."""

    work: Work

    def ask(self, kind: Kind, number: int) -> Any:
        """What the networks are given for a task; called once, in the order of the tasks."""
        ...

    def take(self, kind: Kind, number: int, answer: Any) -> Any | None:
        """What the consumer gets of an answer: a picture; None of the others."""
        ...

    def end(self, standing: Standing) -> Any:
        """The consumer's last item."""
        ...


class Worker:
    """Serves one device."""

    def __init__(
        self, run: Run, scheduler: Scheduler, *, executor: Executor | None = None,
        clock: Callable[[], float] = time.monotonic, probe: Callable[[], object] | None = None,
    ) -> None:  # fmt: skip
        """``executor`` has one thread, in which everything is done; ``clock`` gives seconds.

        ``probe`` does what always works, and raises if the device is lost; it is tried after something failed.
        """
        self._run = run
        self._scheduler = scheduler
        self._executor = executor or ThreadPoolExecutor(1, thread_name_prefix="face")
        self._clock = clock
        self._probe = probe
        self._lost = ""
        self._lock = threading.Lock()
        self._turning = False
        self._opening: deque[_Outlet] = deque()
        self._streams: dict[int, _Outlet] = {}
        self._asides: deque[tuple[float, Callable[[], None]]] = deque()
        self.sizes: deque[int] = deque(maxlen=10_000)
        """Of batches of pictures since somebody emptied it; without anybody who does, the newest of some minutes."""
        self.aside: Executor = _Aside(self)
        """Runs what is submitted between batches, when nothing is urgent."""

    def now(self) -> float:
        """Milliseconds of the clock that ``Work.due`` is told by."""
        return self._clock() * 1000

    @property
    def skipped(self) -> int:
        """Pictures that were not drawn because they would have been late, since the start."""
        return self._scheduler.counts.skipped

    def well(self) -> None:
        """Raise StageLost if the device is lost: an error of a GPU may stay until its process ends."""
        if self._lost:
            raise StageLost(self._lost)

    async def stream(self, begin: Callable[[], Course]) -> AsyncGenerator[Any]:
        """The items of a course; ``begin()`` makes it, in the worker's thread. Whoever stops reading cancels it.

        Raises what the course raises, FaceBusy, and StageLost once the device is lost. Items wait here until they are
        read, a bounded number of them.
        """
        self.well()
        outlet = _Outlet(begin, asyncio.get_running_loop(), asyncio.Queue())
        with self._lock:
            self._opening.append(outlet)
            self._wake()
        try:
            while True:
                last, item = await outlet.queue.get()
                if isinstance(item, _Failure):
                    raise item.error
                yield item
                if last:
                    return
                self._took(outlet)
        finally:
            self._leave(outlet)

    def standing(self) -> Standing:
        """How the replica stands."""
        with self._lock:
            return self._scheduler.standing(self.now())

    # ---- called by event loops -----------------------------------------------------------------------------

    def _wake(self) -> None:
        """With the lock held: see that somebody works."""
        if not self._turning:
            self._turning = True
            self._executor.submit(self._turn)

    def _took(self, outlet: _Outlet) -> None:
        with self._lock:
            if outlet.number is not None:
                self._scheduler.took(outlet.number, self.now())
                self._wake()

    def _leave(self, outlet: _Outlet) -> None:
        with self._lock:
            outlet.left = True
            self._forget(outlet)

    def _forget(self, outlet: _Outlet) -> None:
        """With the lock held."""
        if outlet.number is not None and self._streams.pop(outlet.number, None):
            self._scheduler.close(outlet.number, self.now())

    # ---- in the worker's thread ----------------------------------------------------------------------------

    def _turn(self) -> None:
        """One batch, then back into the executor's queue, so that whatever else was given to it gets its turn."""
        worked = False
        try:
            worked = self._work()
        except BaseException as error:  # a bug of ours: nobody may wait for ever
            log.exception("the face's worker broke; every session that it served is told")
            self._fail_all(error)
            raise
        finally:
            with self._lock:
                self._turning = False
                if worked or self._opening or self._asides:
                    self._wake()

    def _work(self) -> bool:
        """True if something was done that may have made room for more."""
        while self._opening:
            self._open(self._opening.popleft())
        with self._lock:
            batch = self._scheduler.pick(self.now())
        if self._asides and self._patient(batch):
            _, work = self._asides.popleft()
            work()
            return True
        if batch is not None:
            self._do(batch)
        return batch is not None

    def _patient(self, batch: Batch | None) -> bool:
        now, (since, _) = self.now(), self._asides[0]
        return batch is None or batch.tasks[0].latest - now > ASIDE_MS or now - since > WAITING_MS

    def _open(self, outlet: _Outlet) -> None:
        if outlet.left:
            return
        try:
            self.well()
            outlet.course = course = outlet.begin()
            with self._lock:
                if outlet.left:
                    return
                number = self._scheduler.open(course.work, self.now())
                outlet.number, self._streams[number] = number, outlet
        except Exception as error:
            outlet.put(_Failure(self._found(error)), last=True)
            return
        self._end_if_over(outlet)

    def _do(self, batch: Batch) -> None:
        asked: list[tuple[Task, _Outlet, Any]] = []
        for task in batch.tasks:
            outlet = self._streams.get(task.line)
            if outlet is not None and outlet.course is not None:
                try:
                    asked.append((task, outlet, outlet.course.ask(task.kind, task.number)))
                except Exception as error:
                    self._fail(outlet, self._found(error))
        began = self.now()
        answers, whole = self._answers(batch.kind, [question for _, _, question in asked])
        ended = self.now()
        good = [(pair[0], pair[1], answer) for pair, answer in zip(asked, answers, strict=True)]
        done = tuple(task for task, _, answer in good if not isinstance(answer, _Failure))
        if batch.kind == "draw" and done:
            self.sizes.append(len(done))
        with self._lock:
            if done:
                self._scheduler.done(Batch(done), ended, ended - began if whole else None)
        for task, outlet, answer in good:
            self._give(outlet, task, answer)
        for outlet in dict.fromkeys(outlet for _, outlet, _ in good):
            self._end_if_over(outlet)
        if self._lost:
            self._fail_all(StageLost(self._lost))

    def _answers(self, kind: Kind, asked: Sequence[Any]) -> tuple[Sequence[Any], bool]:
        """An answer or a failure for each, and whether they were run together."""
        if not asked:
            return [], False
        try:
            self.well()
            answers = self._run(kind, asked)
            if len(answers) == len(asked):
                return answers, True
            error: Exception = RuntimeError(f"{len(asked)} of {kind!r} were asked for, {len(answers)} answered")
        except Exception as broke:
            error = broke
        if len(asked) == 1:
            return [_Failure(self._found(error))], False
        log.warning("a batch of %d (%s) broke, and is run again one by one: %s", len(asked), kind, error)
        return [self._answers(kind, [question])[0][0] for question in asked], False

    def _found(self, error: Exception) -> Exception:
        """What to say of an error: its own fault, or the device's, which is seen when what always worked fails too."""
        if self._lost or self._probe is None or isinstance(error, FaceBusy | BadInput):
            return error
        try:
            self._probe()
        except Exception as broke:
            self._lost = f"the face's device does not work any more: {broke}"
            log.exception("%s; every session is told, and the replica is unhealthy from now on", self._lost)
            return StageLost(self._lost)
        return error

    def _give(self, outlet: _Outlet, task: Task, answer: Any) -> None:
        if isinstance(answer, _Failure):
            self._fail(outlet, answer.error)
            return
        if outlet.course is None or outlet.number not in self._streams:
            return  # cancelled, or failed with another task of the batch
        try:
            item = outlet.course.take(task.kind, task.number, answer)
        except Exception as error:
            self._fail(outlet, error)
            return
        if item is not None:
            outlet.put(item)

    def _end_if_over(self, outlet: _Outlet) -> None:
        with self._lock:
            number = outlet.number
            if number not in self._streams or not self._scheduler.over(number):
                return
            standing = self._scheduler.standing(self.now(), number)
            self._forget(outlet)
        try:
            outlet.put(outlet.course and outlet.course.end(standing), last=True)
        except Exception as error:
            outlet.put(_Failure(error), last=True)

    def _fail(self, outlet: _Outlet, error: BaseException) -> None:
        with self._lock:
            self._forget(outlet)
        outlet.put(_Failure(error), last=True)

    def _fail_all(self, error: BaseException) -> None:
        with self._lock:
            outlets = [*self._opening, *self._streams.values()]
            self._opening.clear()
        for outlet in outlets:
            self._fail(outlet, error)


@dataclass(frozen=True, slots=True)
class _Failure:
    error: BaseException


@dataclass(slots=True, eq=False)
class _Outlet:
    """Where a stream's items go."""

    begin: Callable[[], Course]
    loop: asyncio.AbstractEventLoop
    queue: asyncio.Queue[tuple[bool, Any]]
    course: Course | None = None
    number: int | None = None
    left: bool = False
    """Nobody reads any more."""

    def put(self, item: Any, *, last: bool = False) -> None:
        if self.left:
            return
        try:
            self.loop.call_soon_threadsafe(self.queue.put_nowait, (last, item))
        except RuntimeError:  # the loop was closed without closing its streams: nobody reads any more
            self.left = True


class _Aside(Executor):
    """An executor whose jobs go between batches, when nothing is urgent."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run ``fn`` soon."""
        future: Future[Any] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # it belongs to whoever waits for the future
                future.set_exception(error)

        worker = self._worker
        with worker._lock:
            worker._asides.append((worker.now(), work))
            worker._wake()
        return future
