"""Whom a call of a stage is for: a small envelope that goes with it through tasks, threads and processes.

The driver seals it before each call and says nothing to the stage: whoever needs it (a handle, a replica, a line of the
log) reads it where it is. A context variable carries it inside a process, actors/streams.py and actors/replica.py from
one process to the next. What is traced of a call is told to a ``Tracing``; this file knows no tracer.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from streaming.commands import Animate, Ask, Speak, Transcribe
from streaming.events import Event, StageName

LEASES: Mapping[StageName, float] = {"asr": 120.0, "llm": 600.0, "tts": 120.0, "face": 120.0}
"""Seconds after which no call of a stage is waited for any more, whatever it still gives: no clip and no span takes so
long, and a model that writes for ten minutes has lost its listener."""

LEASE_S = 120.0
"""Of a call that nobody sealed."""

Order = Transcribe | Ask | Speak | Animate
"""What a driver makes a call of."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What travels with a call."""

    session: str = ""
    """Empty: a call outside any conversation."""
    turn: int = 0
    """0: no reply, or none yet."""
    stage: str = ""
    trace: str = ""
    """The caller's span as W3C Trace Context writes it (``traceparent``); empty: nobody traces."""
    lease_s: float = LEASE_S
    """Seconds from a call's arrival after which its replica ends it, for whoever called may be dead."""


ALONE = Envelope()
"""That of a call outside any conversation."""

_current: ContextVar[Envelope] = ContextVar("call", default=ALONE)


def current() -> Envelope:
    """The envelope of the call that this task, or this step of an engine's thread, works for."""
    return _current.get()


def enter(envelope: Envelope) -> None:
    """From now on this task, and what it starts, works for this call."""
    _current.set(envelope)


class Traced(Protocol):
    """One call, as a tracer sees it."""

    @property
    def trace(self) -> str:
        """Its ``traceparent``, for whoever works for it; empty if it is not traced."""
        ...

    def saw(self, event: Event) -> None:
        """It answered."""
        ...

    def end(self, failed: str) -> None:
        """It is over; ``failed`` says why, or is empty."""
        ...


class Tracing(Protocol):
    """What a driver tells of its calls."""

    def call(self, stage: StageName, order: Order) -> Traced:
        """A call begins."""
        ...


class Untraced:
    """Traces nothing."""

    trace = ""

    def call(self, stage: StageName, order: Order) -> Untraced:
        """Nothing to remember."""
        return self

    def saw(self, event: Event) -> None:
        """Nothing to remember."""

    def end(self, failed: str) -> None:
        """Nothing to remember."""
