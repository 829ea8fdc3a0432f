"""Where the key of a service elsewhere is taken from."""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import pytest

from serve_app.credential import add_options, key_of
from serve_app.errors import UserError
from serve_app.settings import load


def chosen(*options: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(options)


def test_a_key_comes_from_the_environment_a_file_or_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AVATAR_KEY", raising=False)
    assert key_of(chosen()) is None
    monkeypatch.setenv("AVATAR_KEY", "ak_1")
    assert key_of(chosen()) == "ak_1"
    (tmp_path / "key").write_text("ak_2\n")
    assert key_of(chosen("--key-file", str(tmp_path / "key"))) == "ak_2"
    assert key_of(chosen("--key-file", "-"), io.StringIO("ak_3\n")) == "ak_3"
    assert capsys.readouterr().err == ""


def test_a_key_on_the_command_line_is_taken_with_one_line_of_warning(capsys: pytest.CaptureFixture[str]) -> None:
    assert key_of(chosen("--key", "ak_4")) == "ak_4"
    (line,) = capsys.readouterr().err.splitlines()
    assert "`ps` shows a key" in line and "AVATAR_KEY or --key-file" in line and "ak_4" not in line


@pytest.mark.parametrize(
    ("options", "text", "sentence"),
    [
        (["--key", "a", "--key-file", "-"], "", "given twice"),
        (["--key-file", "-"], "", "holds 0 words"),
        (["--key-file", "-"], "two words", "the key and nothing else"),
        (["--key-file", "/no/such/file"], "", "cannot be read"),
    ],
)
def test_what_is_no_key_is_one_sentence(options: list[str], text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        key_of(chosen(*options), io.StringIO(text))


def test_the_variable_is_no_unknown_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_KEY", "ak_1")
    assert load().gateway.port
