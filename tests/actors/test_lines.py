"""A line of the log says whom it is for, in either form, also where a thread writes it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from actors import lines
from actors.threads import stepping
from streaming.calls import Envelope, enter

CALL = Envelope("films", 7, "tts", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    logger = logging.getLogger("actors.test_lines")
    logger.setLevel(logging.INFO)
    yield logger
    logger.handlers.clear()


def written(log: logging.Logger, form: lines.Format) -> io.StringIO:
    out = io.StringIO()
    log.handlers[:] = [lines.handler(form, out)]
    return out


async def test_text_says_session_and_turn_where_they_are_known(log: logging.Logger) -> None:
    out = written(log, "text")
    log.info("%s is ready", "tts")
    enter(CALL)
    log.info("slow")
    assert out.getvalue() == "tts is ready\n[films 7] slow\n"


async def test_json_is_an_object_a_line_and_an_error_stays_on_it(log: logging.Logger) -> None:
    out = written(log, "json")
    log.info("ready")
    enter(CALL)
    try:
        raise ValueError("a\nbug")
    except ValueError:
        log.exception("it broke")
    first, second = map(json.loads, out.getvalue().splitlines())
    assert first.keys() == {"time", "level", "logger", "message"}
    assert second["level"] == "error" and second["message"] == "it broke"
    assert (second["session"], second["turn"], second["stage"]) == ("films", 7, "tts")
    assert second["trace"] == "0af7651916cd43dd8448eb211c80319c"
    assert second["error"].endswith("ValueError: a\nbug")


async def test_an_engines_thread_knows_it_too(log: logging.Logger) -> None:
    out = written(log, "text")

    def work() -> Iterator[int]:
        log.warning("in a step")
        yield 1

    enter(CALL)
    with ThreadPoolExecutor(1) as executor:
        assert [_ async for _ in stepping(work, executor)] == [1]
    assert out.getvalue() == "[films 7] in a step\n"


def test_a_replica_writes_as_its_environment_says_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "OURS", ("actors.test_lines",))
    ours = logging.getLogger("actors.test_lines")
    try:
        for told, count in ((None, 0), ("xml", 0), ("json", 1), ("json", 1)):
            monkeypatch.delenv(lines.FORMAT, raising=False)
            if told:
                monkeypatch.setenv(lines.FORMAT, told)
            lines.write_as_told()
            assert len(ours.handlers) == count
        [handler] = ours.handlers
        assert isinstance(handler.formatter, lines.Json) and ours.level == logging.INFO
    finally:
        ours.handlers.clear()


def test_without_names_the_whole_process_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    root: Any = logging.Logger("root")
    with monkeypatch.context() as patched:
        patched.setattr(logging, "getLogger", lambda name: root)
        lines.write("text")
    assert [type(handler.formatter) for handler in root.handlers] == [lines.Text]
