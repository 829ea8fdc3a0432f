"""`avatar inspect` tells good lips from bad ones: on drawn faces, of which all is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from actors.face.video import H264Encoder, write_mp4
from serve_app import cli, inspect
from serve_app.errors import UserError
from serve_app.inspect import Report, measure
from serve_app.inspecting import bars
from serve_app.inspecting.curves import loudness
from serve_app.inspecting.labels import Labels, read_labels
from serve_app.inspecting.mouth import NoMouth, find_mouth, first_open, mouth_opening, usual_opening, without_crease
from serve_app.wav import wav_of
from streaming.media import FRAME, RATE, FramePacket
from streaming.stages import Phone
from tests.serve_app import faces
from tests.serve_app.faces import Look, Speech

SHORT_S = 6.0
"""Enough for what is told of a clip at once; the bars are meant for 25 s."""


class Films:
    """Clips made once for all tests, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.speech = faces.speech(25)
        self.pictures = faces.shot(self.speech.lips())
        self.short = self.speech.until(SHORT_S)
        self.good = self.dub("good", self.pictures, self.speech.pcm)

    def dub(self, name: str, pictures: Sequence[FramePacket], pcm: bytes) -> Path:
        path = self.folder / f"{name}.mp4"
        write_mp4(path, pictures, pcm)
        return path

    def spoken(self, name: str, speech: Speech) -> Report:
        """The short clip's pictures under another sound with its labels."""
        return measure(self.dub(name, self.pictures[: self.short.frames], speech.pcm), speech.labels)

    def drawn(self, name: str, opening: NDArray[np.float64], look: Look = faces.FAIR) -> Report:
        """Other lips for the short speech."""
        return measure(self.dub(name, faces.shot(opening, look), self.short.pcm), self.short.labels)

    def labels(self, name: str, labels: Labels) -> Path:
        rows = [{"symbol": p.symbol, "start": p.start, "samples": p.samples, "stress": 0} for p in labels.phones]
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps({"rate": RATE, "text": "", "phones": rows}))
        return path


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Films:
    return Films(tmp_path_factory.mktemp("films"))


@pytest.fixture(scope="module")
def good(films: Films) -> Report:
    return measure(films.good, films.speech.labels)


def missed(report: Report) -> set[str]:
    return {verdict.name for verdict in report.verdicts() if verdict.holds is False}


# ---- lips --------------------------------------------------------------------------------------------------


def test_good_lips_clear_every_bar(good: Report) -> None:
    assert good.facts.video_seconds >= bars.ENOUGH
    judged = {verdict.name: verdict.holds for verdict in good.verdicts() if verdict.bar}
    assert len(judged) == 7
    assert set(judged.values()) == {True}
    assert good.well
    assert good.closures and good.closures.shut == good.closures.counted > 40
    assert good.phonemes and good.phonemes.r > 0.95 and abs(good.phonemes.lag_ms) < 5
    assert good.labels_late_ms == pytest.approx(0, abs=5)


def test_the_mouth_is_found_where_it_was_drawn_and_as_open_as_it_was_drawn(good: Report, films: Films) -> None:
    assert (good.facts.width, good.facts.height) == (faces.WIDTH, faces.HEIGHT)
    assert good.facts.mouth
    left, top, right, bottom = good.facts.mouth
    assert left < faces.WIDTH / 2 < right
    assert top < 180 + 58 + 10 < bottom
    drawn = films.speech.lips()
    assert np.corrcoef(good.opening, drawn)[0, 1] > 0.97
    first = int(np.flatnonzero(drawn)[0])
    assert good.facts.first_open_ms == pytest.approx(first * 40, abs=80)


@pytest.mark.parametrize(("sound_ms", "lag_ms"), [(-120, 120), (120, -120)], ids=["lips late", "lips early"])
def test_lips_beside_the_sound_are_told_which_way_and_how_far(films: Films, sound_ms: int, lag_ms: int) -> None:
    report = films.spoken(f"moved{sound_ms}", films.short.later(sound_ms))
    assert report.phonemes and report.phonemes.lag_ms == pytest.approx(lag_ms, abs=12)
    assert report.loudness and report.loudness.lag_ms == pytest.approx(lag_ms, abs=12)
    assert {"phonemes, lag", "loudness, lag"} <= missed(report)
    assert report.labels_late_ms == pytest.approx(0, abs=10)


@pytest.mark.parametrize("late_ms", [60, -60])
def test_labels_beside_the_sound_are_told_though_the_lips_are_good(films: Films, late_ms: int) -> None:
    moved = films.short.later(late_ms).labels
    report = films.spoken(f"labels{late_ms}", Speech(moved, films.short.pcm))
    assert report.labels_late_ms == pytest.approx(late_ms, abs=10)
    assert "labels late by" in missed(report)
    assert "loudness, lag" not in missed(report)


def test_lips_that_flap_with_loudness_miss_p_b_and_m(films: Films) -> None:
    level = loudness(np.frombuffer(films.short.pcm, "<i2"))
    slow = np.convolve(np.minimum(level, 1), np.ones(40) / 40, "same")  # 200 ms: a jaw that hears no consonants
    report = films.drawn("flaps", slow[4::8])
    assert "p b m shut" in missed(report)
    assert report.closures and report.closures.shut < 0.6 * report.closures.counted
    assert "loudness, r" not in missed(report)


def test_a_mouth_open_while_nothing_is_said_is_told(films: Films) -> None:
    lips = films.short.lips()
    lips[:10] = 0.4
    report = films.drawn("open", lips)
    assert report.silence and report.silence.open_s
    assert min(report.silence.open_s) < 0.5
    assert "open in silence" in missed(report)
    assert "p b m shut" not in missed(report)


@pytest.mark.parametrize("look", [faces.DARK, faces.PALE_LIPS], ids=["dark", "pale lips"])
def test_the_mouth_is_found_in_every_face(films: Films, look: Look) -> None:
    report = films.drawn(f"look{look.skin[0]}", films.short.lips(), look)
    assert missed(report) <= {"p b m shut"}
    assert report.closures and report.closures.shut >= report.closures.counted - 1  # of 12; the bar is for 25 s
    assert np.corrcoef(report.opening, films.short.lips())[0, 1] > 0.95


# ---- pictures that do not move -----------------------------------------------------------------------------


def test_the_longest_still_is_told(films: Films) -> None:
    pictures = films.pictures[:40]
    stalling = [*pictures[:20], *(replace(packet, pts=packet.pts + 10 * FRAME) for packet in pictures[20:])]
    report = measure(films.dub("stalls", stalling, bytes(2 * 50 * FRAME)))
    assert report.facts.stall_ms == pytest.approx(11 * 40)
    assert report.facts.frames == 40


def test_a_clip_that_never_stalls_shows_each_picture_once(good: Report) -> None:
    assert good.facts.stall_ms == pytest.approx(40)


def test_a_wall_has_no_mouth_and_stands_still_though_it_is_coded_again_and_again(films: Films) -> None:
    coder, packets = H264Encoder(64, 96), []
    for frame in range(films.short.frames):
        data, key = coder.encode(np.full((96, 64, 3), 120, np.uint8), frame * FRAME)
        packets.append(FramePacket(frame * FRAME, data, key))
    report = measure(films.dub("wall", packets, films.short.pcm), films.short.labels)
    assert report.facts.mouth is None
    assert report.facts.first_open_ms is None
    assert report.facts.stall_ms == pytest.approx(films.short.frames * 40)
    assert missed(report) == {"p b m shut", "phonemes, r", "phonemes, lag", "loudness, r", "loudness, lag"}
    assert "no mouth was found" in inspect.table(report)
    assert "mouth opens first: never" in inspect.table(report)


def test_a_photograph_does_not_pass(films: Films) -> None:
    count = films.short.frames
    still = faces.shot(np.zeros(count), stills=range(count))
    report = measure(films.dub("photograph", still, films.short.pcm), films.short.labels)
    assert not report.well
    assert report.facts.first_open_ms is None
    assert report.facts.stall_ms > 1000


def test_one_picture_is_too_few_to_find_a_mouth_in() -> None:
    with pytest.raises(NoMouth, match="two pictures"):
        find_mouth([faces.face(0.5, 0)])


def test_pictures_alone_can_be_measured(films: Films) -> None:
    drawn = films.short.lips()[:75]
    opening = mouth_opening(faces.face(float(value), frame) for frame, value in enumerate(drawn))
    assert first_open(opening) == pytest.approx(int(np.flatnonzero(drawn)[0]), abs=2)
    assert np.corrcoef(opening, drawn)[0, 1] > 0.95


def test_an_opening_is_judged_by_what_is_usual_for_the_face() -> None:
    assert first_open(np.array([0.0, 0.005, 0.02])) == 2
    assert first_open(np.array([0.0, 0.005, 0.02]), reference=0.5) is None
    assert first_open(np.array([])) is None
    assert usual_opening(np.array([])) == usual_opening(np.zeros(5)) == 0.10
    assert list(without_crease(np.array([0.01] * 9 + [0.2]))) == pytest.approx([0] * 9 + [0.19])
    assert without_crease(np.array([0.5] * 10)).min() == pytest.approx(0.48)  # a mouth that never shuts stays open
    assert len(without_crease(np.array([]))) == 0


# ---- files that cannot be measured ------------------------------------------------------------------------------


def labels_file(folder: Path, content: Any) -> Path:
    path = folder / "labels.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


PHONE = {"symbol": "ɑ", "start": 0, "samples": 2400, "stress": 0}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        ([], "holds no labels"),
        ({"phones": [PHONE]}, "holds no labels"),
        ({"rate": RATE, "phones": [{"symbol": "a"}]}, "holds no labels"),
        ({"rate": RATE, "phones": [{**PHONE, "start": 0.5}]}, "whole numbers"),
        ({"rate": RATE, "phones": [{**PHONE, "start": -1}]}, "0 samples or more"),
        ({"rate": 16_000, "phones": [PHONE]}, "counts at 16000 samples a second; labels count at 24000"),
        ({"rate": RATE, "phones": []}, "no speech sound"),
        ({"rate": RATE, "phones": [{**PHONE, "symbol": ""}]}, "no speech sound"),
        ({"rate": RATE, "phones": [{**PHONE, "samples": 0}]}, "no speech sound"),
    ],
)
def test_labels_that_are_none_are_refused_in_one_line(tmp_path: Path, content: Any, told: str) -> None:
    with pytest.raises(UserError, match=told) as refused:
        read_labels(labels_file(tmp_path, content))
    assert "\n" not in str(refused.value)
    assert "labels.json" in str(refused.value)


def test_labels_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"labels\.json cannot be read: no such file"):
        read_labels(tmp_path / "labels.json")


def test_labels_are_read_in_the_order_of_time(tmp_path: Path) -> None:
    rows = [{**PHONE, "start": 2400}, {"symbol": "m", "start": 0, "samples": 2400}]
    read = read_labels(labels_file(tmp_path, {"rate": RATE, "text": "mah", "phones": rows}))
    assert read == Labels((Phone("m", 0, 2400), Phone("ɑ", 2400, 2400)), "mah")


def test_the_labels_of_another_clip_are_refused(films: Films) -> None:
    video = films.dub("another", films.pictures[:25], bytes(2 * RATE))
    with pytest.raises(UserError, match=r"labels last 2\d\.\d s, .* they are of another clip"):
        measure(video, films.speech.labels)


def test_a_clip_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        measure(tmp_path / "clip.mp4")


def test_a_clip_that_is_none_is_told(films: Films, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    for content in (b"", b"no film at all", films.good.read_bytes()[:3000]):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"clip\.mp4 .*") as refused:
            measure(path)
        assert "\n" not in str(refused.value)


def test_a_clip_without_pictures_is_told(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(wav_of(bytes(4800), RATE))
    with pytest.raises(UserError, match="holds no video"):
        measure(path)


def test_a_silent_film_needs_labels(films: Films) -> None:
    video = films.dub("silent", films.pictures[: films.short.frames], b"")
    with pytest.raises(UserError, match=r"has no sound, and without labels .*; give --labels"):
        measure(video)
    report = measure(video, films.short.labels)
    assert report.labels_late_ms is None
    assert report.loudness is None
    assert missed(report) == set()
    assert {row.name for row in report.verdicts() if row.holds is None} >= {"labels late by", "loudness, r"}


# ---- the command -------------------------------------------------------------------------------------------


def test_the_command_ends_with_0_and_a_line_for_each_bar(films: Films, capsys: pytest.CaptureFixture[str]) -> None:
    video = films.dub("command", films.pictures[: films.short.frames], films.short.pcm)
    labels = films.labels("command", films.short.labels)
    assert cli.main(["inspect", str(video), "--labels", str(labels)]) == 0
    told = capsys.readouterr().out
    assert [line.split("  ")[1] for line in told.splitlines() if line.startswith("ok")] == [
        *("p b m shut", "open in silence", "phonemes, r", "phonemes, lag"),
        *("labels late by", "loudness, r", "loudness, lag"),
    ]
    assert "shorter than 25 s" in told


def test_the_command_ends_with_1_where_a_bar_is_missed_and_tells_all_as_json(
    films: Films, capsys: pytest.CaptureFixture[str]
) -> None:
    video = films.dub("late", films.pictures[: films.short.frames], films.short.later(-120).pcm)
    assert inspect.main([str(video), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["well"] is False
    assert told["labelled"] is False
    assert told["phonemes"] is None
    assert told["facts"]["frames"] == len(told["pts"]) == len(told["opening"]) == films.short.frames
    assert told["loudness"]["lag_ms"] == pytest.approx(120, abs=12)
    assert {row["name"] for row in told["verdicts"]} == {"open in silence", "loudness, r", "loudness, lag"}


def test_wrong_use_ends_with_2_and_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(tmp_path / "clip.mp4")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(SystemExit) as ended:
        cli.main(["inspect"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("avatar: ")
