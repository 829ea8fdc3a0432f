"""The `avatar` command: quick to explain itself, one line when something is wrong, files whole or not at all."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from actors.face.video import SYNTHETIC, H264Encoder, read_video
from serve_app import cli, filming
from serve_app.errors import UserError
from serve_app.wav import wav_of
from streaming.media import FRAME, FramePacket
from streaming.session import Stages
from streaming.stages import Avatar, FaceState, History, Span, StageError, StageLost, TextDelta, Tool
from tests.serve_app.test_talk import Breaking, speech, stages

ORDERS = (
    "run",
    "talk",
    "say",
    "inspect",
    "replay",
    "key",
    "portrait",
    "models",
    "bench",
    "eval",
    "config",
    "plan",
    "doctor",
)


class Grey:
    """Draws real, small pictures: each a little lighter than the last."""

    async def animate(
        self, span: Span, avatar: Avatar, state: FaceState | None
    ) -> AsyncIterator[FramePacket | FaceState]:
        coder = H264Encoder(64, 64)
        for k in range(span.want_frames):
            pts = span.pts + k * FRAME
            data, key = coder.encode(np.full((64, 64, 3), pts // FRAME % 256, np.uint8), pts)
            yield FramePacket(pts, data, key)
        yield FaceState("grey", span.pts + span.want_frames * FRAME, b"")


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[Stages]:
    """The stages that `talk` and `say` get instead of real ones; a test may put others in."""
    made = [stages(face=Grey())]
    monkeypatch.setattr(filming.app, "build_stages", lambda settings: made[-1])
    return made


@pytest.fixture
def question(tmp_path: Path) -> Path:
    path = tmp_path / "question.wav"
    path.write_bytes(wav_of(speech(0.5), 16_000))
    return path


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """`main` sets up logging for the whole process; a test must not."""
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    yield
    root.level, root.handlers[:] = before


def synthetic(film: Path) -> bool:
    """Whether a film carries our tags, as a player reads them."""
    with av.open(str(film)) as opened:
        return {name: opened.metadata.get(name) for name in SYNTHETIC} == SYNTHETIC


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr, without its newline; nothing may stand on stdout."""
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("avatar: "), (out, err)
    return err.removeprefix("avatar: ").rstrip("\n")


def ran(*arguments: object) -> int:
    """The exit code, whether it is returned or raised by argparse."""
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return int(end.code or 0)


# ---- explaining itself -------------------------------------------------------------------------------------


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    heavy = ("numpy", "av", "cv2", "ray", "fastapi", "onnxruntime", "pydantic", "faster_whisper")
    script = (
        "import sys\nfrom serve_app import cli\ntext = cli.parser().format_help()\n"
        f"print([name for name in {heavy} if name in sys.modules], all(name in text for name in {ORDERS}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[] True\n"


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("--version") == 0
    assert capsys.readouterr().out.startswith("avatar 0.")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "the following arguments are required: COMMAND; see avatar --help"),
        (["talk", "q.wav"], "the following arguments are required: --out; see avatar talk --help"),
        (["run", "--port", "99999"], "argument --port: 99999 is no port; ports are 1 to 65535; see avatar run --help"),
        (["say", "hi", "--out", "/no/such/folder/c.mp4"], "the folder /no/such/folder does not exist; make it first"),
        (["say", "", "--out", "c.mp4"], "there is nothing to say"),
        (["say", "x" * 100_000, "--out", "c.mp4"], "the text has 100,000 characters, 5,000 are the most at once"),
        (["talk", "no.wav", "--out", "c.mp4"], "no.wav does not exist"),
        (["talk", "q.wav", "--out", "c.mp4", "--report", "c.mp4"], "c.mp4 is named twice"),
        (["talk", "q.wav", "--out", "q.wav"], "q.wav is named twice"),
    ],
)
def test_wrong_use_is_one_line(
    arguments: list[str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ran(*arguments) == 2
    assert said(capsys).startswith(line)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error", [UserError("do this\nor that"), StageError("do this or that"), StageLost("do this or that")]
)
def test_an_error_for_the_person_is_one_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(profile: str | None) -> int:
        raise error

    monkeypatch.setattr("serve_app.doctor.main", fails)
    assert ran("doctor") == 2
    assert said(capsys) == "do this or that"


def test_a_bug_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.doctor.main", lambda profile: {}["missing"])
    with pytest.raises(KeyError):
        cli.main(["doctor"])


def test_an_interrupt_is_no_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(profile: str | None) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("serve_app.doctor.main", interrupted)
    assert ran("doctor") == 130
    assert capsys.readouterr().err == ""


# ---- talking and saying ------------------------------------------------------------------------------------


def test_talk_writes_everything_that_was_asked_for(
    embedded: list[Stages], question: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = {name: tmp_path / f"{name}.out" for name in ("out", "report", "labels", "journal")}
    options = [option for name, path in made.items() for option in (f"--{name}", path)]
    assert ran("talk", question, "--fast", *options) == 0
    assert capsys.readouterr() == ("", ""), "nobody watches: not a word"
    report = json.loads(made["report"].read_text())
    assert (report["transcript"], report["reply"]) == ("5 tenths", "I heard 5 tenths of speech.")
    assert set(report["latency_ms"]) == {"final_transcript", "first_text", "first_audio", "first_frame"}
    assert [pts for pts, _ in read_video(made["out"])] == [FRAME * k for k in range(report["frames"])]
    labels = json.loads(made["labels"].read_text())
    assert labels["rate"] == 24_000 and labels["text"] == report["reply"]
    assert [word["text"] for word in labels["words"]] == report["reply"].split()
    assert labels["phones"][1] == {"symbol": "h", "start": 2400, "samples": 2400, "stress": 0}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["question.wav", "out.out", "report.out", "labels.out", "journal.out"]
    )
    assert ran("replay", made["journal"]) == 0


def test_a_persona_answers_with_what_it_knows(embedded: list[Stages], question: Path, tmp_path: Path) -> None:
    class Asked:
        def __init__(self) -> None:
            self.told: list[tuple[str, str]] = []

        async def reply(self, history: History, instructions: str, tools: Sequence[Tool]) -> AsyncIterator[TextDelta]:
            self.told.append((history[0].role, instructions.split(",")[0].strip()))
            yield TextDelta("Yes.")

    asked = Asked()
    embedded.append(stages(face=Grey(), responder=asked))
    for persona in ([], ["--persona", "museum"]):
        assert ran("talk", question, "--fast", "--out", tmp_path / "a.mp4", *persona) == 0
    assert [role for role, _ in asked.told] == ["user", "knowledge"]
    assert asked.told[1][1].startswith("You are the guide of a small museum")


def test_a_persona_that_there_is_not_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("say", "Hello.", "--out", tmp_path / "c.mp4", "--persona", "cook") == 2
    assert said(capsys) == "there is no persona 'cook'; there are: default, museum, tutor"


@pytest.mark.parametrize("command", ["talk", "say"])
def test_every_film_says_that_it_is_synthetic(
    command: str, embedded: list[Stages], question: Path, tmp_path: Path
) -> None:
    film = tmp_path / "film.mp4"
    options = [question, "--fast"] if command == "talk" else ["Good morning."]
    assert ran(command, *options, "--out", film) == 0
    assert synthetic(film)


def test_say_writes_a_film_with_labels(embedded: list[Stages], tmp_path: Path) -> None:
    clip, labels = tmp_path / "clip.mp4", tmp_path / "labels.json"
    assert ran("say", "Good morning to you.", "--out", clip, "--labels", labels) == 0
    assert len(list(read_video(clip))) == 10
    assert json.loads(labels.read_text())["text"] == "Good morning to you."


@pytest.mark.parametrize("role", ["transcriber", "responder", "voice", "face"])
def test_a_stage_that_fails_leaves_one_line_and_no_file(
    role: str, embedded: list[Stages], question: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    embedded.append(stages(**{role: Breaking(StageError("the lamp is broken; change it"))}))
    assert ran("talk", question, "--fast", "--out", tmp_path / "a.mp4", "--journal", tmp_path / "j.jsonl") == 2
    assert said(capsys).endswith("the lamp is broken; change it")
    assert list(tmp_path.iterdir()) == [question]


def test_an_engine_with_a_bug_is_one_line_and_its_traceback_is_for_verbose(
    embedded: list[Stages], question: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    embedded.append(stages(voice=Breaking(RuntimeError("a bug"))))
    assert ran("talk", question, "--fast", "--out", tmp_path / "a.mp4") == 2
    assert "RuntimeError: a bug" in said(capsys)


def test_a_full_disk_is_one_line(
    embedded: list[Stages], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert ran("say", "Good morning.", "--out", tmp_path / "clip.mp4") == 2
    assert "the disk is full" in said(capsys)
    assert list(tmp_path.iterdir()) == []


# ---- what is passed on -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "wishes"),
    [
        ([], {"local": False, "profile": None, "host": None, "port": None}),
        (["--local", "--port", "9000"], {"local": True, "profile": None, "host": None, "port": 9000}),
        (["--profile", "l4", "--host", "::1"], {"local": False, "profile": "l4", "host": "::1", "port": None}),
    ],
)
def test_run_leaves_to_the_settings_what_nobody_asked_for(
    options: list[str], wishes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []

    def run(**given: object) -> int:
        asked.append(given)
        return 0

    monkeypatch.setattr("serve_app.run.main", run)
    assert ran("run", *options) == 0
    assert asked == [wishes]


def test_inspect_reads_its_own_options(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr("serve_app.inspect.main", lambda options: asked.append(options) or 1)
    assert ran("inspect", "clip.mp4", "--labels", "labels.json", "--help") == 1
    assert asked == [["clip.mp4", "--labels", "labels.json", "--help"]]
