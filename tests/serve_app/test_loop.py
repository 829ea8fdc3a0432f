"""The main job with the real embedded stages: `avatar say` and `avatar talk` as a person starts them."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import av
import jiwer
import numpy as np
import pytest

from actors.face.video import read_video
from serve_app.wav import read_question, wav_of
from streaming.media import FPS, FRAME, MIC_RATE

pytestmark = [pytest.mark.system, pytest.mark.timeout(280)]

SPEECH = Path(__file__).parents[2] / "../shared/speech"
"""Four clips of a human reader with their transcripts; they lie beside the checkout, where there are any."""


def avatar(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "serve_app.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


def plain(text: str) -> str:
    """Words only, lower case: what a word error rate is counted on."""
    return " ".join(re.sub(r"[^a-z' ]+", " ", text.lower()).split())


def seconds_of_sound(path: Path) -> float:
    with av.open(str(path)) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


def whole(film: Path, report: dict) -> None:
    """As many pictures as the report says, 25 a second without a gap, and sound of the same length."""
    times = [pts for pts, _ in read_video(film)]
    assert times == [FRAME * k for k in range(report["frames"])]
    assert report["fps"] == FPS and report["frames"] == pytest.approx(report["audio_seconds"] * FPS, abs=1)
    assert seconds_of_sound(film) == pytest.approx(report["audio_seconds"], abs=0.1)  # AAC ends on a whole block


@pytest.fixture(scope="module")
def question(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A question in the built-in voice, as a recording with a little silence around it."""
    folder = tmp_path_factory.mktemp("question")
    done = avatar("say", "Hello, how are you today?", "--out", folder / "q.mp4", "--labels", folder / "l.json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    pcm = bytes(MIC_RATE // 2) + read_question(folder / "q.mp4") + bytes(MIC_RATE)
    (folder / "q.wav").write_bytes(wav_of(pcm, MIC_RATE))
    return folder / "q.wav"


def test_labels_lie_inside_the_sound_and_follow_each_other(question: Path) -> None:
    labels = json.loads((question.parent / "l.json").read_text())
    length = seconds_of_sound(question.parent / "q.mp4") * 24_000
    starts = [phone["start"] for phone in labels["phones"]]
    assert len(starts) > 10 and starts == sorted(starts)
    assert all(0 <= row["start"] < row["start"] + row["samples"] <= length for row in labels["phones"])
    assert [plain(word["text"]) for word in labels["words"]] == "hello how are you today".split()


@pytest.mark.parametrize("options", [[], ["--vad"], ["--fast"], ["--fast", "--vad"]], ids=" ".join)
def test_a_question_is_understood_and_answered(options: list[str], question: Path, tmp_path: Path) -> None:
    film, told, journal = tmp_path / "reply.mp4", tmp_path / "report.json", tmp_path / "journal.jsonl"
    done = avatar("talk", question, "--out", film, "--report", told, "--journal", journal, *options)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    report = json.loads(told.read_text())
    assert jiwer.wer("hello how are you today", plain(report["transcript"])) <= 0.2
    assert len(report["reply"].split()) >= 2 and len(report["turns"]) == 1
    whole(film, report)
    order = [report["latency_ms"][kind] for kind in ("final_transcript", "first_text", "first_audio", "first_frame")]
    assert order == sorted(order) and report["paced"] == ("--fast" not in options)
    again = avatar("replay", journal, *(["--stages"] if "--fast" in options else []))
    assert again.returncode == 0, again.stdout


def test_the_mouth_moves(question: Path, tmp_path: Path) -> None:
    """Pictures differ while it speaks: a still would pass every count of frames."""
    pictures = [picture for _, picture in read_video(question.parent / "q.mp4")]
    changes = [float(np.abs(b.astype(int) - a).mean()) for a, b in pairwise(pictures)]
    assert sum(change > 0.05 for change in changes) > len(changes) / 2


def human_clips() -> Iterable[tuple[Path, str]]:
    with (SPEECH / "transcripts.tsv").open(encoding="utf-8") as file:
        for name, text in csv.reader(file, delimiter="\t"):
            yield SPEECH / name, text


@pytest.mark.skipif(not SPEECH.exists(), reason="no folder with recordings of a human beside the checkout")
def test_a_human_is_understood_to_five_errors_in_a_hundred_words(tmp_path: Path) -> None:
    said: list[str] = []
    understood: list[str] = []
    for clip, text in human_clips():
        film, told = tmp_path / f"{clip.stem}.mp4", tmp_path / f"{clip.stem}.json"
        done = avatar("talk", clip, "--fast", "--out", film, "--report", told)
        assert (done.returncode, done.stderr) == (0, "")
        report = json.loads(told.read_text())
        whole(film, report)
        said.append(plain(text))
        understood.append(plain(report["transcript"]))
    assert len(said) == 4 and jiwer.wer(said, understood) <= 0.05


@pytest.mark.parametrize("text", ["🙂🙂🙂", "你好，世界。", "…"])
def test_what_the_voice_cannot_speak_is_one_line(text: str, tmp_path: Path) -> None:
    done = avatar("say", text, "--out", tmp_path / "clip.mp4")
    assert done.returncode == 2 and done.stderr.startswith("avatar: ") and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_talk_leaves_nothing(question: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "serve_app.cli", "talk", question, "--out", tmp_path / "reply.mp4"]
    with subprocess.Popen([*command, "--journal", tmp_path / "j.jsonl"], stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)  # until it is at work: the journal is begun
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.ray
def test_over_ray_the_answer_is_the_same(question: Path, tmp_path: Path) -> None:
    replies: list[str] = []
    for name, options in (("local", []), ("ray", ["--ray"])):
        film, told = tmp_path / f"{name}.mp4", tmp_path / f"{name}.json"
        done = avatar("talk", question, "--fast", "--out", film, "--report", told, *options)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        report = json.loads(told.read_text())
        whole(film, report)
        replies.append(report["transcript"] + report["reply"])
    assert replies[0] == replies[1]
