"""The lips of the pictures that the face drew, measured as `avatar inspect` measures any film."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from actors.face.video import VideoUnreadable, write_mp4
from serve_app import inspect
from serve_app.errors import UserError
from serve_app.evaluating.calls import Utterance
from serve_app.evaluating.figures import Figure
from serve_app.inspecting.curves import Agreement
from serve_app.inspecting.labels import Labels
from serve_app.recording import Take, joined
from streaming.media import FramePacket

ENOUGH_S = 30.0
"""Seconds of speech that are drawn; shorter films scatter (inspecting/bars.py)."""

_NAMES = {
    "lips, r with the phonemes": "agreement",
    "lips, late to the phonemes": "lag",
    "lips, shut at p b m": "lips shut",
    "lips, open in silence": "lips open",
    "lips, r with the loudness": "agreement",
    "lips, late to the loudness": "lag",
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """An utterance and its pictures."""

    said: Utterance
    packets: list[FramePacket]


def unmeasured(why: str) -> list[Figure]:
    """The same figures, without values."""
    return [Figure(name, kind, (), why) for name, kind in _NAMES.items()]


def measured(drawn: Sequence[Drawn]) -> list[Figure]:
    """Measure one film of all that was drawn; what cannot be read has no mouth to measure."""
    takes = [
        Take(number, "", 0, "", bytearray(one.said.pcm24k), one.packets, list(one.said.phones))
        for number, one in enumerate(drawn, 1)
        if one.packets
    ]
    if not takes:
        return unmeasured("no picture was drawn")
    film = joined(takes)
    labels = Labels(film.phones) if all(take.phones for take in takes) else None
    try:
        with tempfile.TemporaryDirectory(prefix="realtime-avatar-") as folder:
            path = Path(folder) / "drawn.mp4"
            write_mp4(path, film.packets, film.sound)
            report = inspect.measure(path, labels)
    except (UserError, VideoUnreadable) as error:
        return unmeasured(str(error))
    return _figures(report, labelled=labels is not None)


def _figures(report: inspect.Report, *, labelled: bool) -> list[Figure]:
    seconds = f"{report.facts.video_seconds:.1f} s of film"
    why = seconds if labelled else "the voice does not tell its phonemes"
    values: dict[str, tuple[float | None, str]] = dict.fromkeys(_NAMES, (None, why))
    for name, found in (("phonemes", report.phonemes), ("loudness", report.loudness)):
        values[f"lips, r with the {name}"] = (found.r if found else None, seconds if found else why)
        values[f"lips, late to the {name}"] = _late(found, seconds if found else why)
    if shut := report.closures:
        share = 100 * shut.shut / shut.counted if shut.counted else None if not shut.labelled else 0.0
        values["lips, shut at p b m"] = (share, f"{shut.shut} of {shut.counted} next to an open mouth")
    if report.silence and report.silence.frames:
        share = 100 * report.silence.open / report.silence.frames
        values["lips, open in silence"] = (share, f"{report.silence.open} of {report.silence.frames} pictures")
    else:
        values["lips, open in silence"] = (None, "no silence longer than 0.2 s")
    return [
        Figure(name, kind, () if (value := values[name][0]) is None else (value,), values[name][1])
        for name, kind in _NAMES.items()
    ]


def _late(found: Agreement | None, note: str) -> tuple[float | None, str]:
    if found is None:
        return None, note
    return (found.lag_ms, note) if found.peak > 0 else (None, "the mouth does not follow")
