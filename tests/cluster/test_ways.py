"""A newcomer's path for each way is in docs/operations.md, at most five commands long, and names only what there is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from serve_app import cli

ROOT = Path(__file__).resolve().parents[2]
SECTION = (
    (ROOT / "docs" / "operations.md").read_text("utf-8").partition("## Which way for whom")[2].partition("### Sizes")[0]
)
BLOCKS = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)


def commands(block: str) -> list[list[str]]:
    parts = [shlex.split(line, comments=True) for line in block.splitlines()]
    return [part for part in parts if part]


def test_each_way_takes_at_most_five_commands() -> None:
    assert [len(commands(block)) for block in BLOCKS] == [5, 5, 5, 3, 2]


def test_what_they_name_is_there() -> None:
    named = {
        word.removeprefix("-chdir=")
        for block in BLOCKS
        for words in commands(block)
        for word in words
        if "cluster/" in word
    }
    assert len(named) >= 5
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_our_own_commands_are_such(capsys: pytest.CaptureFixture[str]) -> None:
    ours = [words[1:] for block in BLOCKS for words in commands(block) if words[0] == "avatar"]
    assert len(ours) == 8
    for words in ours:
        assert cli.parser().parse_args(words).way in ("compose", "vm", "gke", "cloudrun")


def test_the_dry_run_that_a_newcomer_begins_with_shows_its_plan(capsys: pytest.CaptureFixture[str]) -> None:
    [words] = [words for words in commands(BLOCKS[1]) if words[0] == "avatar" and "--dry-run" in words]
    cli.main(words[1:])
    said = capsys.readouterr().out
    assert "start it, and wait until it is healthy" in said
    assert said.endswith("nothing was changed; do it with --apply\n")
