"""A set is read whole or refused with its file, its line and what to write instead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from serve_app.errors import UserError
from serve_app.evaluating import cases
from serve_app.evaluating.words import units
from serve_app.wav import wav_of


def recording(path: Path, seconds: float = 0.5) -> Path:
    path.write_bytes(wav_of(b"\0\1" * round(seconds * 16_000), 16_000))
    return path


def toml(folder: Path, text: str) -> str:
    path = folder / "set.toml"
    path.write_text(text)
    return str(path)


def refused(wanted: str | Path) -> str:
    with pytest.raises(UserError) as told:
        cases.read(str(wanted))
    return str(told.value)


# ---- what a set may be ---------------------------------------------------------------------------------------


def test_the_english_set_ships_and_says_nothing_in_figures() -> None:
    gold = cases.read()
    assert gold.name == "english" and len(gold.cases) >= 30
    assert all(case.audio is None and case.language == "en" for case in gold.cases)
    assert sum(case.ask for case in gold.cases) >= 5
    spoken = {word for case in gold.cases for word in units(case.text, "en")}
    numbers = "one two three four five six seven eight nine ten eleven twelve hundred first second".split()
    assert not spoken & set(numbers) and not any(sign.isdigit() for word in spoken for sign in word)
    assert sum(len(units(case.text, "en")) for case in gold.cases) > 300


def test_a_toml_file_has_texts_recordings_and_questions(tmp_path: Path) -> None:
    sound = recording(tmp_path / "a.wav")
    text = 'language = "es"\nseed = 7\n[[case]]\ntext = "Hola."\nask = true\n[[case]]\naudio = "a.wav"\ntext = "Hi"\n'
    gold = cases.read(toml(tmp_path, text + 'language = "en"\n'))
    assert gold.seed == 7
    assert gold.cases == (
        cases.Case("case-1", "Hola.", "es", None, True),
        cases.Case("a", "Hi", "en", sound),
    )
    assert {name: len(pcm) for name, pcm in cases.recordings(gold).items()} == {"a": 16_000}


def test_a_jsonl_file_has_a_case_a_line(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text('{"text": "Hello."}\n\n{"id": "z", "text": "你好", "language": "zh"}\n', "utf-8")
    assert cases.read(str(path)).cases == (cases.Case("case-1", "Hello.", "en"), cases.Case("z", "你好", "zh"))


def test_a_folder_has_recordings_and_their_transcripts(tmp_path: Path) -> None:
    recording(tmp_path / "a.wav")
    recording(tmp_path / "b.wav")
    (tmp_path / "transcripts.tsv").write_text("a.wav\tHello there\nb.wav\tBuenos días\tes\n", "utf-8")
    gold = cases.read(str(tmp_path))
    assert [(case.id, case.language) for case in gold.cases] == [("a", "en"), ("b", "es")]


def test_a_set_is_another_one_when_a_text_a_seed_or_a_recording_changes(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        return cases.read(toml(tmp_path, text)).digest

    sound = recording(tmp_path / "a.wav")
    first = digest('[[case]]\ntext = "Hi"\naudio = "a.wav"\n')
    assert digest('# said aloud\n[[case]]\naudio = "a.wav"\ntext = "Hi"\n') == first
    assert digest('seed = 1\n[[case]]\ntext = "Hi"\naudio = "a.wav"\n') != first
    assert digest('[[case]]\ntext = "Ho"\naudio = "a.wav"\n') != first
    recording(sound, 0.6)
    assert digest('[[case]]\ntext = "Hi"\naudio = "a.wav"\n') != first


def test_a_quick_look_takes_questions_first_and_is_another_set() -> None:
    gold = cases.read()
    quick = gold.quick(6)
    assert [case.ask for case in quick.cases] == [True] * 6
    assert quick.digest != gold.digest and quick.name == f"english, 6 of {len(gold.cases)}"


# ---- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('[[case]]\ntext = "a"\n\n[[case]]\nid = "b"\n', 4, "has no text; write what is to be spoken"),
        ('[[case]]\ntext = "a"\nspeaker = "x"\n', 1, "a case has no 'speaker'; it may hold"),
        ('[[case]]\ntext = "?!"\n', 1, "there is no word in '?!'; write at least one"),
        ("[[case]]\ntext = 7\n", 1, "text is empty or no text"),
        ('[[case]]\ntext = "a"\nlanguage = "English"\n', 1, "'English' is no language; write two letters"),
        ('[[case]]\ntext = "a"\nask = "yes"\n', 1, "ask is true or false"),
        ('[[case]]\ntext = "a"\naudio = "none.wav"\n', 1, "there is no sound file"),
        ('[[case]]\ntext = "a"\nid = "x"\n[[case]]\ntext = "b"\nid = "x"\n', 4, "the id 'x' is that of"),
        ('[[case]]\ntext = "' + "la " * 400 + '"\n', 1, "1,000 are the most; cut it"),
    ],
)
def test_a_wrong_case_is_told_with_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    path = toml(tmp_path, text)
    told = refused(path)
    assert told.startswith(f"{path}, line {line}") and says in told


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("about = \n", "is not TOML: "),
        ("about = 'x'\n", "holds no case; write at least one"),
        ("title = 'x'\n", "has no key 'title'; it may hold about, case, language, seed"),
        ("case = 3\n", "a case begins with a line [[case]]"),
        ("seed = -1\n[[case]]\ntext = 'a'\n", "seed is a whole number from 0 on, not -1"),
        ("case = [{text = 'a'}, {}]\n", "case 2 has no text"),
    ],
)
def test_a_wrong_file_is_told_with_what_to_do(tmp_path: Path, text: str, says: str) -> None:
    assert says in refused(toml(tmp_path, text))


def test_a_wrong_line_of_json_is_told(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text('{"text": "a"}\n{"text": \n')
    assert refused(path).startswith(f"{path}, line 2 is not JSON") and "one object a line" in refused(path)
    path.write_text('"a"\n')
    assert refused(path).startswith(f"{path}, line 1 is no object")
    path.write_bytes(b'{"text": "a"}\n{"text": "\xff"}\n')
    assert refused(path) == f"{path}, line 2 is not UTF-8; save it as UTF-8"


def test_a_wrong_line_of_transcripts_is_told(tmp_path: Path) -> None:
    assert "has no transcripts.tsv; write one" in refused(tmp_path)
    table = tmp_path / "transcripts.tsv"
    table.write_text("\na.wav Hello\n")
    assert refused(tmp_path).startswith(f"{table}, line 2 has 0 tabs")
    table.write_text("a.wav\tHello\n")
    assert refused(tmp_path).startswith(f"{table}, line 1: there is no sound file")


def test_what_is_no_set_is_told() -> None:
    assert refused("klingon") == "there is no set 'klingon'; name english, a .toml or .jsonl file, or a folder"
    assert "is no set; a set is a .toml or .jsonl file" in refused(__file__)


def test_a_set_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text("".join(json.dumps({"text": "a"}) + "\n" for _ in range(1001)))
    assert "1,000 are the most; make two sets of it" in refused(path)
    path.write_text("".join(json.dumps({"text": "la " * 300}) + "\n" for _ in range(60)))
    assert "53,940 characters are to be spoken, 50,000 are the most" in refused(path)
    recording(tmp_path / "a.wav", 1)
    monkeypatch.setattr(cases, "MOST_S", 0.9)
    gold = cases.read(toml(tmp_path, '[[case]]\naudio = "a.wav"\ntext = "a"\n'))
    with pytest.raises(UserError, match="make two sets of them"):
        cases.recordings(gold)
