"""The embedded face speaks a text that nothing was tuned on, and its lips clear every bar of `avatar inspect`."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from serve_app import inspect
from serve_app.inspecting.labels import Labels, read_labels
from streaming.media import RATE

pytestmark = [pytest.mark.system, pytest.mark.timeout(280)]

TEXT = (
    "Bernard the beekeeper moved his hives up the mountain by mule. Below the summit, a copper bell hung from a beam."
    " Every month, people from both villages climbed past the chapel, and brought him pepper, plums, and empty bottles."
    " He filled them, one by one. Nobody ever paid. Instead, somebody mended the pump, or simply patched a broken"
    " lamp. In September, a stranger appeared. She had a map, a small brown puppy, and an umbrella. Maybe, she hoped,"
    " the beekeeper remembered her mother? Bernard put his cup upon the table. Of course he did! They spoke"
    " about apples, about ships, and about a promise that somebody made by a river. Then the bell rang, and both"
    " of them jumped."
)
LATE_MS = 120


@dataclass(frozen=True)
class Clip:
    video: Path
    labels: Labels
    report: inspect.Report


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    folder = tmp_path_factory.mktemp("lips")
    video, labels = folder / "clip.mp4", folder / "labels.json"
    command = [sys.executable, "-m", "serve_app.cli", "say", TEXT, "--out", str(video), "--labels", str(labels)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert said.returncode == 0, said.stderr
    read = read_labels(labels)
    report = inspect.measure(video, read)
    print(inspect.table(report))
    return Clip(video, read, report)


def test_the_clip_is_as_long_as_the_bars_ask_for(clip: Clip) -> None:
    assert clip.report.facts.video_seconds >= 25
    spoken = sum(phone.samples for phone in clip.labels.phones if phone.symbol.strip())
    assert spoken / RATE >= 25


def test_lips_meet_within_one_picture_of_every_p_b_and_m(clip: Clip) -> None:
    found = clip.report.closures
    assert found and found.counted >= 20
    assert found.shut / found.counted >= 0.95, f"missed at {found.missed_s} s"


def test_the_mouth_is_shut_while_nothing_is_said(clip: Clip) -> None:
    found = clip.report.silence
    assert found and found.frames >= 10
    assert found.open / found.frames <= 0.02, f"open at {found.open_s} s"


def test_the_mouth_opens_as_the_sounds_want_it_and_when(clip: Clip) -> None:
    found = clip.report.phonemes
    assert found and found.r >= 0.75
    assert abs(found.lag_ms) <= 40


def test_the_labels_lie_where_the_sound_is(clip: Clip) -> None:
    assert clip.report.labels_late_ms is not None
    assert abs(clip.report.labels_late_ms) <= 20


def test_the_mouth_moves_with_the_voice(clip: Clip) -> None:
    found = clip.report.loudness
    assert found and found.r >= 0.40
    assert abs(found.lag_ms) <= 40


def test_no_bar_is_missed_and_every_one_is_judged(clip: Clip) -> None:
    judged = [verdict for verdict in clip.report.verdicts() if verdict.bar]
    assert len(judged) == 7
    assert [verdict.name for verdict in judged if verdict.holds is not True] == []


def test_the_same_pictures_do_not_pass_against_labels_that_are_moved(clip: Clip) -> None:
    """A measure that cannot fail says nothing."""
    later = tuple(replace(phone, start=phone.start + LATE_MS * RATE // 1000) for phone in clip.labels.phones)
    report = inspect.measure(clip.video, Labels(later))
    missed = {verdict.name for verdict in report.verdicts() if verdict.holds is False}
    assert not report.well
    assert {"phonemes, lag", "labels late by"} <= missed
    assert report.phonemes and clip.report.phonemes
    assert report.phonemes.lag_ms == pytest.approx(clip.report.phonemes.lag_ms - LATE_MS, abs=20)
