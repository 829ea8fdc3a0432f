"""The waiting line before the recogniser: urgent first, cancelled never, failures to whom they belong."""

from __future__ import annotations

import threading

import pytest

from actors.asr.line import Line


def test_the_urgent_goes_first_and_equals_in_order() -> None:
    line, gate, done = Line("test"), threading.Event(), list[str]()
    held = line.put(1, gate.wait)
    jobs = [
        line.at(urgency).submit(done.append, name)
        for urgency, name in [(1, "partial a"), (1, "partial b"), (0, "final a"), (0, "final b")]
    ]
    gate.set()
    for job in [held, *jobs]:
        job.result(5)
    assert done == ["final a", "final b", "partial a", "partial b"]


def test_what_was_given_up_is_not_done() -> None:
    line, gate, done = Line("test"), threading.Event(), list[str]()
    line.put(0, gate.wait)
    given_up = line.at(0).submit(done.append, "given up")
    last = line.at(0).submit(done.append, "wanted")
    assert given_up.cancel()
    gate.set()
    last.result(5)
    assert done == ["wanted"]


def test_a_failure_reaches_its_caller_and_nobody_else() -> None:
    line = Line("test")
    with pytest.raises(ZeroDivisionError):
        line.put(0, lambda: 1 / 0).result(5)
    assert line.put(0, lambda: "well").result(5) == "well"


def test_the_thread_ends_with_the_line() -> None:
    line = Line("a line to be dropped")
    line.put(0, int).result(5)
    (thread,) = [t for t in threading.enumerate() if t.name == "a line to be dropped"]
    del line
    thread.join(5)
    assert not thread.is_alive()
