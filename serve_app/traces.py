"""A trace for each turn of a conversation: what was heard, written, spoken and drawn for it, as OpenTelemetry spans.

The trace begins with the first call for a turn, mostly a recognition, and ends with the reply. Names are the field's
where it has any: ``gen_ai.*`` is OpenTelemetry's own, ``metrics.ttfb`` and ``turn.*`` are those that pipecat's users
know, ``lk.response.ttft`` LiveKit's. No span holds a person's words. What a replica adds: actors/tracing.py.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from actors.tracing import NoExporter, about, traceparent_of, tracer
from serve_app.errors import UserError
from streaming.calls import Envelope, Order, Untraced
from streaming.commands import Animate, Ask, Command, Cut, Ended, Show, Speak, Transcribe
from streaming.events import Event, Left, ReplyEnded, StageName
from streaming.media import MIC_RATE, RATE, samples

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

TTFB = {"asr": "metrics.ttfb", "llm": "lk.response.ttft", "tts": "metrics.ttfb", "face": "metrics.ttfb"}
"""Seconds to the first answer."""


class Call:
    """A span of one call of a stage."""

    def __init__(self, span: Span, context: Context, stage: StageName) -> None:
        self._span = span
        self._stage = stage
        self._began = monotonic()
        self._answered = False
        self.trace = traceparent_of(context)

    def saw(self, event: Event) -> None:
        """An answer; the first is timed, and a language model's last says what it cost."""
        if not self._answered:
            self._answered = True
            self._span.set_attribute(TTFB[self._stage], monotonic() - self._began)
        if isinstance(event, ReplyEnded) and event.usage:
            self._span.set_attribute("gen_ai.usage.input_tokens", event.usage.read)
            self._span.set_attribute("gen_ai.usage.output_tokens", event.usage.written)

    def end(self, failed: str) -> None:
        """``failed`` is a stage's own sentence, which never holds a person's."""
        from opentelemetry.trace import Status, StatusCode

        if failed:
            self._span.set_status(Status(StatusCode.ERROR, failed))
        self._span.end()


class Turns:
    """Those of one conversation: the tracing of its driver, and a journal that sees replies end."""

    def __init__(self, session: str, tracer: Tracer) -> None:
        self._session = session
        self._tracer = tracer
        self._next: Span | None = None
        """The turn that somebody is speaking for; it has no number yet."""
        self._open: dict[int, Span] = {}

    def call(self, stage: StageName, order: Order) -> Call:
        """A child of its turn's span."""
        from opentelemetry.trace import SpanKind, set_span_in_context

        number = 0 if isinstance(order, Transcribe) else order.turn
        parent = set_span_in_context(self._turn(number))
        said = {**about(Envelope(self._session, number, stage)), **_of(order)}
        span = self._tracer.start_span(stage, parent, SpanKind.CLIENT, attributes=said)
        return Call(span, set_span_in_context(span), stage)

    def __call__(self, event: Event, commands: list[Command]) -> None:
        """An event and what it led to: replies that are over end their trace."""
        for command in commands:
            match command:
                case Ask(turn):
                    self._turn(turn)  # before the calls of this turn, and after those that led to it
                case Show(Ended(turn)):
                    self._close(turn, "completed")
                case Show(Cut(turn)):
                    self._close(turn, "cut")
                case _:
                    pass
        if isinstance(event, Left):
            self.close()

    def close(self) -> None:
        """The conversation is over, or goes on elsewhere."""
        for turn in list(self._open):
            self._close(turn, "left")
        if self._next:
            self._next.end()
            self._next = None

    def _turn(self, number: int) -> Span:
        if number in self._open:
            return self._open[number]
        span = (number >= 0 and self._next) or self._tracer.start_span("turn", attributes={"session.id": self._session})
        if number == 0:
            self._next = span
            return span
        if number > 0:
            self._next = None
        span.set_attribute("turn.number", number)
        self._open[number] = span
        return span

    def _close(self, turn: int, outcome: str) -> None:
        if span := self._open.pop(turn, None):
            span.set_attribute("turn.outcome", outcome)
            span.end()


class NoTurns(Untraced):
    """Traces no conversation."""

    def __call__(self, event: Event, commands: list[Command]) -> None:
        """Nothing to remember."""

    def close(self) -> None:
        """Nothing to end."""


def turns_of(endpoint: str, session: str) -> Turns | NoTurns:
    """What traces a conversation; without an endpoint nothing does, and nothing is imported. Raises UserError."""
    return Turns(session, _tracer(endpoint)) if endpoint else NoTurns()


def usable(endpoint: str) -> str:
    """The endpoint, or none, looked at before anybody needs it. Raises UserError."""
    if endpoint:
        _tracer(endpoint)
    return endpoint


def _tracer(endpoint: str) -> Tracer:
    try:
        return tracer(endpoint, "gateway")
    except NoExporter as error:
        raise UserError(str(error)) from None


def _of(order: Order) -> dict[str, str | int | float | bool]:
    match order:
        case Transcribe(audio):
            return {"asr.seconds": samples(audio) / MIC_RATE, "asr.final": order.final}
        case Ask(_, history):
            return {"gen_ai.operation.name": "chat", "llm.items": len(history)}
        case Speak(_, clip, text):
            return {"tts.clip": clip, "metrics.character_count": len(text)}
        case Animate(_, span):
            return {"face.pts": span.pts, "face.at_s": span.pts / RATE, "face.frames": span.want_frames}
