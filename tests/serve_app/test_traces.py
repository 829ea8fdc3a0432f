"""One trace for each turn: what was heard, written, spoken and drawn for it, and who worked for whom."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from actors import tracing
from actors.replica import Replica
from serve_app.errors import UserError
from serve_app.traces import NoTurns, Turns, turns_of, usable
from streaming.calls import Envelope, current
from streaming.commands import Ask, Ended, Show, Transcribe
from streaming.conversation import Conversation
from streaming.events import Heard, Joined, Left, TalkPressed, TalkReleased, Typed
from streaming.pace import Pace
from streaming.session import ClientOrder, Session, Stages, ticking
from streaming.stages import StageError, TextDelta, Usage
from tests.streaming.stories import pcm
from tests.stubs import AVATAR, Ears, Hum, Mask, Scribe

SECRET = "my dentist is called Ottokar"


class Writes:
    """Says something private, and what it cost."""

    async def reply(self, *_: Any) -> AsyncIterator[Any]:
        yield TextDelta(f"I see, {SECRET}. ")
        yield TextDelta("Anything else?")
        yield Usage(120, 9, 0)


class Behind:
    """A stage as a replica has it: it knows its caller by the envelope alone."""

    def __init__(self, stage: str, engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("actors.replica.resolve", lambda *_: lambda: engine)
        self._replica = Replica(stage, "stub", {}, 30.0, lambda *_: None)

    def _over(self, stream: Any) -> Any:
        return self._replica.over(stream, None, current())

    def transcribe(self, *asked: Any, **named: Any) -> Any:
        return self._over(self._replica.engine.transcribe(*asked, **named))

    def reply(self, *asked: Any) -> Any:
        return self._over(self._replica.engine.reply(*asked))

    def speak(self, *asked: Any) -> Any:
        return self._over(self._replica.engine.speak(*asked))

    def animate(self, *asked: Any) -> Any:
        return self._over(self._replica.engine.animate(*asked))


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """All spans of gateway and replicas, which are one process here."""
    exporter = InMemorySpanExporter()
    made = tracing.tracer_of(SimpleSpanProcessor(exporter), "test")
    monkeypatch.setattr(tracing, "tracer", lambda *_: made)
    monkeypatch.setattr("serve_app.traces.tracer", lambda *_: made)
    monkeypatch.setenv(tracing.ENDPOINT, "memory")
    yield exporter


async def live(monkeypatch: pytest.MonkeyPatch, *turns: tuple[Any, ...], voice: Any = None) -> None:
    """A conversation over replicas, each turn begun when the one before has ended."""
    left = list(turns)
    tracing = turns_of("memory", "films")

    async def tell(order: ClientOrder) -> None:
        if isinstance(order, Show) and isinstance(order.message, Ended):
            for event in left.pop(0) if left else (Left(),):
                await session.happen(event)

    stages = {"asr": Scribe(), "llm": Writes(), "tts": voice or Hum(), "face": Mask()}
    asr, llm, tts, face = (Behind(stage, engine, monkeypatch) for stage, engine in stages.items())
    session = Session(
        Conversation("films", Pace.file(), codec="h264"),
        Stages(Ears(), asr, llm, tts, face, AVATAR),  # type: ignore[arg-type]
        tell,
        journal=tracing,
        tracing=tracing,
    )
    for event in (Joined(), *left.pop(0)):
        await session.happen(event)
    await session.run(ticking())


SPOKEN = (TalkPressed(0), Heard(pcm(1600), 0), TalkReleased(1600))


def tree(spans: tuple[ReadableSpan, ...]) -> dict[str, set[str]]:
    """Name of each span -> names of their children."""
    names = {span.get_span_context().span_id: span.name for span in spans}  # type: ignore[union-attr]
    found: dict[str, set[str]] = {}
    for span in spans:
        above = names[span.parent.span_id] if span.parent else ""
        found.setdefault(above, set()).add(span.name)
    return found


async def test_a_spoken_turn_is_one_trace_from_recognition_to_the_last_picture(
    kept: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await live(monkeypatch, SPOKEN)
    spans = kept.get_finished_spans()
    assert len(trace_ids(kept)) == 1
    assert tree(spans) == {
        "": {"turn"},
        "turn": {"asr", "llm", "tts", "face"},
        **{stage: {f"{stage} replica"} for stage in ("asr", "llm", "tts", "face")},
    }
    [turn] = [span for span in spans if span.name == "turn"]
    assert turn.attributes == {"session.id": "films", "turn.number": 1, "turn.outcome": "completed"}


async def test_two_turns_are_two_traces(kept: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    await live(monkeypatch, SPOKEN, (Typed("And now?"),))
    turns = [span for span in kept.get_finished_spans() if span.name == "turn"]
    assert [span.attributes and span.attributes["turn.number"] for span in turns] == [1, 2]
    assert len(trace_ids(kept)) == 2


async def test_spans_say_what_the_field_says_and_nothing_that_was_said(
    kept: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await live(monkeypatch, (Typed(SECRET),))
    assert "Ottokar" not in caplog.text
    spans = {span.name: dict(span.attributes or {}) for span in kept.get_finished_spans()}
    llm, tts = spans["llm"], spans["tts"]
    assert llm["gen_ai.operation.name"] == "chat"
    assert (llm["gen_ai.usage.input_tokens"], llm["gen_ai.usage.output_tokens"]) == (120, 9)
    assert float(str(llm["lk.response.ttft"])) >= 0 and float(str(tts["metrics.ttfb"])) >= 0
    assert tts["metrics.character_count"] == len("Anything else?")
    assert {"face.pts", "face.at_s", "face.frames", "metrics.ttfb"} <= spans["face"].keys()
    assert spans["tts replica"] == {"session.id": "films", "turn.number": 1}
    assert "Ottokar" not in "".join(span.to_json() for span in kept.get_finished_spans())


async def test_a_call_that_failed_says_why_on_both_sides(
    kept: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    hoarse = Hum()
    hoarse.fail = StageError("the voice has no breath")
    await live(monkeypatch, (Typed("Hello"),), voice=hoarse)
    failed = {span.name: span.status.description for span in kept.get_finished_spans() if not span.status.is_ok}
    assert {name: why for name, why in failed.items() if why} == {
        "tts": "the voice has no breath",
        "tts replica": "the voice has no breath",
    }


async def test_what_has_not_ended_when_the_conversation_does_ends_with_it(
    kept: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = Turns("films", tracing.tracer("memory", "test"))
    turns.call("llm", Ask(1, ())).end("")
    turns.call("asr", Transcribe(bytes(3200), 1600, True, None)).end("")
    turns.close()
    turns.close()
    ends = [(span.name, (span.attributes or {}).get("turn.outcome")) for span in kept.get_finished_spans()]
    assert ends == [("llm", None), ("asr", None), ("turn", "left"), ("turn", None)]


# ---- where they go -----------------------------------------------------------------------------------------


def test_a_file_gets_a_line_for_each_span(tmp_path: Path) -> None:
    file = tmp_path / "spans"
    tracer = tracing.tracer(file.as_uri(), "test")
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    tracer.start_span("one", tracing.context_of(parent)).end()
    tracer.start_span("two").end()
    one, two = map(json.loads, file.read_text().splitlines())
    assert (one["name"], one["context"]["trace_id"]) == ("one", "0x0af7651916cd43dd8448eb211c80319c")
    assert one["parent_id"] == "0xb7ad6b7169203331" and two["parent_id"] is None


class Collector(BaseHTTPRequestHandler):
    """Takes what it is sent and keeps it."""

    got: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        self.got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_a_collector_gets_spans_over_http() -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra otlp is not installed here")
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        processor = tracing._processor(f"http://127.0.0.1:{server.server_port}/v1/traces")
        tracing.tracer_of(processor, "test").start_span("a turn").end()
        processor.force_flush()
        processor.shutdown()
        server.shutdown()
    [(path, body)] = Collector.got
    assert path == "/v1/traces" and b"a turn" in body


def test_an_endpoint_that_cannot_be_used_is_told_before_anybody_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert usable("") == ""
    with pytest.raises(UserError, match="begins neither with http:"):
        usable("gopher://collector")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(UserError, match=r"pip install 'realtime-avatar\[otlp\]'"):
        usable("http://127.0.0.1:4318/v1/traces")


def trace_ids(kept: InMemorySpanExporter) -> set[int]:
    return {span.get_span_context().trace_id for span in kept.get_finished_spans()}  # type: ignore[union-attr]


async def test_without_an_endpoint_nothing_is_traced_and_nothing_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(turns_of("", "films"), NoTurns)
    NoTurns()(Joined(), [])
    NoTurns().close()
    monkeypatch.delenv(tracing.ENDPOINT, raising=False)
    call = Envelope("films", 1, "tts", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    with tracing.worked(call, "tts"):
        pass
    tracing.check()


def test_opentelemetry_is_not_imported_by_importing_ours() -> None:
    script = "import sys, serve_app.traces, actors.replica; print([n for n in sys.modules if 'opentelemetry' in n])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
