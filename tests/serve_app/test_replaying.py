"""A journal is played again; what differs is told, and what is no journal is one line."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from serve_app import replaying
from serve_app.errors import UserError
from serve_app.talk import How, Manner, ask
from tests.serve_app.test_talk import Deaf, quiet, speech, stages


async def written(path: Path) -> Path:
    """The journal of a live conversation of two turns."""
    with path.open("w", encoding="utf-8") as sink:
        await ask(stages(), speech(0.5) + quiet(1) + speech(0.3), Manner(fast=True, vad=True), How(sink=sink))
    return path


async def test_a_recorded_conversation_replays_to_the_same_orders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = await written(tmp_path / "journal.jsonl")
    events = len(path.read_text().splitlines()) - 1
    assert replaying.main(path) == 0
    assert capsys.readouterr().out == f"{events} events, every order as recorded\n"
    assert events > 100


async def test_the_same_question_is_the_same_conversation(tmp_path: Path) -> None:
    """Fed as quickly as it is heard, nothing depends on how long a stage takes."""
    first, second = await written(tmp_path / "1"), await written(tmp_path / "2")
    assert first.read_bytes() == second.read_bytes()


def test_the_stages_are_asked_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = asyncio.run(written(tmp_path / "journal.jsonl"))
    assert replaying.main(path, stages) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith(" calls of the stages, every answer as recorded")
    assert replaying.main(path, lambda: stages(transcriber=Deaf())) == 1
    assert "'5 tenths' is now ''" in capsys.readouterr().out


async def test_another_order_is_told_with_both_sides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = await written(tmp_path / "journal.jsonl")
    path.write_text(path.read_text().replace("5 tenths of speech", "6 tenths of speech"))
    told = path.read_text().replace('"text":"5 tenths"', '"text":"9 tenths"', 1)
    path.write_text(told)
    assert replaying.main(path) == 1
    out = capsys.readouterr().out
    assert "order 0:\n  recorded {" in out and "\n  now      {" in out and "9 tenths" in out
    assert "of them led to other orders" in out.splitlines()[-1]


async def test_a_torn_journal_names_the_line(tmp_path: Path) -> None:
    path = await written(tmp_path / "journal.jsonl")
    path.write_text(path.read_text()[:-20])
    with pytest.raises(UserError, match=r"journal\.jsonl: line \d+: not whole"):
        replaying.main(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00", "is no journal: it is not text"),
        (b"", "line 1: not whole"),
        (b"hello\n", "line 1: not whole"),
        (json.dumps({"journal": 1, "session": "x", "settings": {}}).encode(), "does not say how"),
    ],
)
def test_what_is_no_journal_is_one_line(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said):
        replaying.main(path)


def test_a_journal_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: no such file"):
        replaying.main(tmp_path / "none")
