"""`avatar inspect`: are the lips of a clip right? Measured from its pixels and its sound, never from a renderer.

What makes a mouth and what makes a bar is told in ``inspecting``; this file reads the clip, asks, and prints.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

import cv2
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from actors.face.video import VideoUnreadable, read_audio, read_video
from serve_app.errors import UserError
from serve_app.inspecting import bars
from serve_app.inspecting.bars import Verdict
from serve_app.inspecting.curves import Agreement
from serve_app.inspecting.labels import Labels, read_labels
from serve_app.inspecting.measures import (
    Closures,
    Lips,
    Silence,
    closures,
    heard_silences,
    labels_late_ms,
    silence,
    with_loudness,
    with_phonemes,
)
from serve_app.inspecting.mouth import (
    Mouth,
    NoMouth,
    find_mouth,
    first_open,
    heights,
    mouth_opening,
    usual_opening,
    without_crease,
)
from streaming.media import RATE

__all__ = ["Facts", "Labels", "Report", "Verdict", "find_mouth", "first_open", "main", "measure", "mouth_opening"]

OK, NOT_WELL, WRONG = 0, 1, 2

_SAME = 0.02  # grey levels, mean: two pictures that differ less are one picture, coded twice
_CLIP_ENDS = RATE // 2  # labels may outlast the clip by this many samples before they are another clip's


@dataclass(frozen=True, slots=True)
class Facts:
    """What can be said of a clip without judging it."""

    width: int
    height: int
    frames: int
    fps: float
    video_seconds: float
    audio_seconds: float
    stall_ms: float
    """The longest time that one and the same picture stays on the screen; a grainy still counts as new pictures
    until its coder has settled, some ten pictures later."""
    mouth: tuple[int, int, int, int] | None
    """Left, top, right, bottom of where the mouth was found, in pixels of the clip; None if nowhere."""
    usual_opening: float
    """90th percentile of the mouth's opening, in mouth widths."""
    first_open_ms: float | None
    """When the first picture is shown whose mouth has left the closed state."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was measured. Lags are positive where the lips, or the labels, are late."""

    facts: Facts
    closures: Closures | None
    silence: Silence | None
    phonemes: Agreement | None
    windows: tuple[Agreement, ...]
    labels_late_ms: float | None
    labels_note: str
    loudness: Agreement | None
    pts: tuple[int, ...]
    """When each picture is first shown, in samples at 24 kHz."""
    opening: tuple[float, ...]
    """Of each picture, as a share of the clip's 90th percentile."""
    labelled: bool

    def verdicts(self) -> list[Verdict]:
        """The bars, in the order of their weight. Without labels: silence by ear, and loudness."""
        rows = bars.of_silence(self.silence)
        if self.labelled:
            rows = bars.of_closures(self.closures) + rows + bars.of_phonemes(self.phonemes, self.windows)
            rows += bars.of_labels(self.labels_late_ms, self.labels_note)
        return rows + bars.of_loudness(self.loudness)

    @property
    def well(self) -> bool:
        """No bar is missed."""
        return all(verdict.holds is not False for verdict in self.verdicts())


def measure(video: Path, labels: Labels | None = None) -> Report:
    """Measure the lips of a clip. Raises UserError if it cannot be read or is not the labels' clip."""
    seen = _Seen()
    try:
        mouth = find_mouth(seen.all(video))
        height = heights((picture for _, picture in _pictures(video)), mouth)
    except NoMouth:
        mouth, height = None, np.zeros(len(seen.pts))
    sound = _sound(video)
    if not len(sound) and labels is None:
        raise UserError(
            f"{video} has no sound, and without labels there is nothing to compare its lips with; give --labels"
        )
    opening = without_crease(height)
    usual = float(np.percentile(opening, 90))
    lips = Lips(np.array(seen.pts, np.int64), opening / usual if usual > 0 else opening)
    if labels is not None:
        last = max(phone.start + phone.samples for phone in labels.phones)
        if last > max(len(sound), lips.pts[-1] + lips.duration) + _CLIP_ENDS:
            raise UserError(f"the labels last {last / RATE:.1f} s, {video} does not; they are of another clip")
    return _report(_facts(seen, lips, sound, mouth, opening), lips, sound, labels)


def _report(facts: Facts, lips: Lips, sound: NDArray[np.int16], labels: Labels | None) -> Report:
    phonemes, windows = with_phonemes(lips, labels) if labels else (None, ())
    late, note = None, "the clip has no sound"
    if labels and len(sound):
        try:
            late, note = labels_late_ms(sound, labels), "against the sound alone"
        except ValueError as error:
            note = str(error)
    silences = heard_silences(sound) if labels is None else labels.silences(int(lips.pts[-1] + lips.duration))
    return Report(
        facts,
        closures(lips, labels) if labels else None,
        silence(lips, silences),
        phonemes,
        windows,
        late,
        note if labels else "",
        with_loudness(lips, sound) if len(sound) else None,
        tuple(int(pts) for pts in lips.pts),
        tuple(round(float(value), 4) for value in lips.opening),
        labels is not None,
    )


def _facts(seen: _Seen, lips: Lips, sound: NDArray[np.int16], mouth: Mouth | None, opening: NDArray[Any]) -> Facts:
    opened = first_open(opening)
    scale = max(1.0, seen.width / 512)
    return Facts(
        seen.width,
        seen.height,
        len(lips.pts),
        RATE / lips.duration,
        float(lips.pts[-1] - lips.pts[0] + lips.duration) / RATE,
        len(sound) / RATE,
        seen.stall(lips.duration) * 1000 / RATE,
        mouth and tuple(round(edge * scale) for edge in (mouth.left, mouth.top, mouth.right, mouth.bottom)),  # type: ignore[arg-type]
        usual_opening(opening),
        None if opened is None else float(lips.pts[opened]) * 1000 / RATE,
    )


class _Seen:
    """Notes what is passed through it on the first look at a clip."""

    def __init__(self) -> None:
        self.pts: list[int] = []
        self.width = self.height = 0
        self._changed: list[int] = []

    def all(self, video: Path) -> Iterator[NDArray[np.uint8]]:
        """The clip's pictures. Raises UserError if there are none."""
        before = None
        for pts, picture in _pictures(video):
            self.pts.append(pts)
            self.height, self.width = picture.shape[:2]
            if before is None or cv2.norm(picture, before, cv2.NORM_L1) > _SAME * picture.size:
                self._changed.append(pts)
            before = picture
            yield picture
        if not self.pts:
            raise UserError(f"{video} holds no picture")

    def stall(self, duration: float) -> float:
        """Samples for which the picture that stays longest stays."""
        return float(np.diff([*self._changed, self.pts[-1] + duration]).max())


def _pictures(video: Path) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    try:
        yield from read_video(video)
    except VideoUnreadable as error:
        raise UserError(str(error)) from error
    except FFmpegError as error:
        raise UserError(f"{video} is broken: {error}") from error


def _sound(video: Path) -> NDArray[np.int16]:
    try:
        return read_audio(video)
    except (VideoUnreadable, FFmpegError) as error:
        raise UserError(f"the sound of {video} cannot be read: {error}") from error


# ---- the command ---------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(WRONG, f"avatar: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """Its options."""
    reader = _Parser(prog="avatar inspect", description="Measure the lips of a clip from its pixels.")
    reader.add_argument("video", type=Path, metavar="REPLY.mp4", help="the clip")
    reader.add_argument("--labels", type=Path, metavar="LABELS.json", help="what is spoken when; else by ear only")
    reader.add_argument("--json", action="store_true", help="print everything that was measured, as JSON")
    return reader


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return 0 if no bar is missed, else 1. Raises UserError on a file that cannot be read."""
    chosen = parser().parse_args(argv)
    report = measure(chosen.video, read_labels(chosen.labels) if chosen.labels else None)
    print(json.dumps(_content(report), indent=2) if chosen.json else table(report))
    return OK if report.well else NOT_WELL


def _content(report: Report) -> dict[str, Any]:
    return {**asdict(report), "verdicts": [asdict(verdict) for verdict in report.verdicts()], "well": report.well}


def table(report: Report) -> str:
    """The facts, then a line for each bar: does it hold, name, value, what is wanted, note."""
    facts = report.facts
    opened = "never" if facts.first_open_ms is None else f"at {facts.first_open_ms:.0f} ms"
    lines = [
        f"{facts.frames} pictures of {facts.width}x{facts.height}, {facts.fps:g} a second: {facts.video_seconds:.2f} s;"
        f" sound {facts.audio_seconds:.2f} s",
        f"longest still picture {facts.stall_ms:.0f} ms; mouth opens first: {opened}",
    ]
    if facts.mouth is None:
        lines.append("no mouth was found: nothing moves as a mouth does")
    if facts.video_seconds < bars.ENOUGH:
        lines.append(f"shorter than {bars.ENOUGH:g} s: the bars are meant for longer clips, expect scatter")
    rows = report.verdicts()
    wide = [max(len(cell) for cell in column) for column in zip(*map(_cells, rows), strict=True)]
    lines += ["", *("  ".join(map(str.ljust, _cells(row), wide)).rstrip() for row in rows)]
    return "\n".join(lines)


def _cells(row: Verdict) -> tuple[str, str, str, str, str]:
    mark = {True: "ok", False: "MISSED", None: "-"}[row.holds]
    if row.value is None:
        value = "-"
    elif row.unit == "ms":
        value = f"{row.value:+.0f} ms"
    else:
        value = f"{row.value:.1f} %" if row.unit == "%" else f"{row.value:.2f}"
    return mark, row.name, value, row.bar, row.note
