"""Spans of this process, and where they go: OpenTelemetry, imported only where an endpoint is set.

An ``http`` endpoint is a collector's (OTLP over HTTP, extra ``otlp``); a ``file:`` one gets a line of JSON for each
span and needs nothing. A replica is told the endpoint by its environment, and whose child its span is by the envelope
of the call. This file knows no conversation; serve_app/traces.py does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from streaming.calls import Envelope

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Tracer

ENDPOINT = "AVATAR_TRACING__ENDPOINT"
"""The setting ``tracing.endpoint`` as replicas get it."""

EXPORT_MS = 1000
"""A replica that is killed loses at most the spans of its last second."""

MISSING = (
    "tracing over HTTP needs one package more: pip install 'realtime-avatar[otlp]', or let tracing.endpoint be file:"
)


class NoExporter(RuntimeError):
    """The endpoint cannot be used; the message says what to do."""


def tracer_of(processor: SpanProcessor, name: str) -> Tracer:
    """A tracer of ``service.name`` ``avatar``, whose spans go to ``processor``."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    about = {"service.name": "avatar", "service.instance.id": f"{name} {os.getpid()}"}
    provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=True)
    provider.add_span_processor(processor)
    return provider.get_tracer("avatar")


@cache
def tracer(endpoint: str, name: str) -> Tracer:
    """The tracer of this process for an endpoint. Raises NoExporter."""
    return tracer_of(_processor(endpoint), name)


def _processor(endpoint: str) -> SpanProcessor:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

    split = urlsplit(endpoint)
    if split.scheme == "file":
        return SimpleSpanProcessor(_lines(url2pathname(split.path)))
    if split.scheme not in ("http", "https"):
        raise NoExporter(f"the tracing endpoint {endpoint!r} begins neither with http:, https: nor file:; choose one")
    try:
        otlp = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError:
        raise NoExporter(MISSING) from None
    return BatchSpanProcessor(otlp.OTLPSpanExporter(endpoint=endpoint), schedule_delay_millis=EXPORT_MS)


def _lines(path: str) -> Any:
    """Appends each span to a file, in one write, so that many processes can share it."""
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Lines(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            told = "".join(json.dumps(_plain(span)) + "\n" for span in spans)
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, told.encode())
            finally:
                os.close(file)
            return SpanExportResult.SUCCESS

    def _plain(span: ReadableSpan) -> Mapping[str, Any]:
        told: dict[str, Any] = json.loads(span.to_json(indent=None))
        return told

    return Lines()


def context_of(traceparent: str) -> Context:
    """What a ``traceparent`` says, as a parent."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": traceparent})


def traceparent_of(context: Context) -> str:
    """A context as others can be told of it."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, context)
    return carrier.get("traceparent", "")


def about(call: Envelope) -> dict[str, str | int]:
    """What every span says of whom it is for."""
    return {"session.id": call.session, **({"turn.number": call.turn} if call.turn else {})}


def check() -> None:
    """In a replica: raise NoExporter now if its environment names an endpoint that cannot be used."""
    if endpoint := os.environ.get(ENDPOINT, ""):
        tracer(endpoint, "replica")


@contextmanager
def worked(call: Envelope, stage: str) -> Iterator[None]:
    """The span of a replica's work for a call, if its caller traces and this process was told where to."""
    endpoint = os.environ.get(ENDPOINT, "")
    if not (call.trace and endpoint):
        yield
        return
    from opentelemetry.trace import SpanKind, Status, StatusCode

    span = tracer(endpoint, "replica").start_span(
        f"{stage} replica", context_of(call.trace), SpanKind.SERVER, attributes=about(call)
    )
    try:
        yield
    except Exception as error:
        span.set_status(Status(StatusCode.ERROR, str(error)))
        raise
    finally:
        span.end()
