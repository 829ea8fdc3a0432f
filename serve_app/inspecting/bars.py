"""The bars that lips must clear, and the verdict on each.

They are meant for 25 s of speech and more: a shorter clip scatters. What cannot be judged for want of evidence is
not judged; a mouth that never opens is evidence, and fails. It measures nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from serve_app.inspecting.curves import Agreement
from serve_app.inspecting.measures import Closures, Silence

CLOSURES = 95.0
"""Percent of p, b and m that are shut, at least. Lips at random reach 20 to 40."""
OPEN_IN_SILENCE = 2.0
"""Percent of pictures in silence that may show an open mouth."""
PHONEMES, LOUDNESS = 0.75, 0.40
"""Correlation at least. Loudness is an alarm only: lips that flap with it reach 1."""
LAG, WINDOW_LAG, LABELS = 40.0, 60.0, 20.0
"""Milliseconds, early or late."""
ENOUGH = 25.0
"""Seconds of clip that the bars are meant for."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One bar, and whether it is cleared."""

    name: str
    value: float | None
    """None where nothing could be measured."""
    bar: str
    """What is wanted; empty for what is only told."""
    holds: bool | None
    """None where it is not judged."""
    note: str = ""
    unit: str = ""


def of_closures(found: Closures | None) -> list[Verdict]:
    """p, b and m are shut."""
    name, bar = "p b m shut", f">= {CLOSURES:g} %"
    if found is None or not found.labelled:
        return [Verdict(name, None, bar, None, "no p, b or m is labelled")]
    if not found.counted:
        return [Verdict(name, None, bar, False, f"the mouth opens near none of {found.labelled} p, b and m")]
    share = 100 * found.shut / found.counted
    note = f"{found.shut} of {found.counted} next to an open mouth; chance {100 * found.chance:.0f} %"
    return [Verdict(name, share, bar, share >= CLOSURES, note + _where(found.missed_s), "%")]


def of_silence(found: Silence | None) -> list[Verdict]:
    """The mouth is shut while nothing is said."""
    name, bar = "open in silence", f"<= {OPEN_IN_SILENCE:g} %"
    if found is None or not found.frames:
        return [Verdict(name, None, bar, None, "no silence longer than 0.2 s")]
    share = 100 * found.open / found.frames
    note = f"{found.open} of {found.frames} pictures" + _where(found.open_s)
    return [Verdict(name, share, bar, share <= OPEN_IN_SILENCE, note, "%")]


def of_phonemes(found: Agreement | None, windows: tuple[Agreement, ...]) -> list[Verdict]:
    """The mouth is as open as the sounds want it, and at that time."""
    if found is None:
        return []
    rows = _agreeing("phonemes", found, PHONEMES)
    spoken = [window for window in windows if window.r or window.peak]
    if len(spoken) > 1:
        worst = max(spoken, key=lambda window: abs(window.lag_ms))
        lowest = min(window.r for window in spoken)
        note = f"the worst of {len(spoken)} windows of 5 s; within {WINDOW_LAG:g} ms is usual, lowest r {lowest:.2f}"
        rows.append(Verdict("  5 s windows, lag", worst.lag_ms, "", None, note, "ms"))
    return rows


def of_labels(late_ms: float | None, note: str) -> list[Verdict]:
    """The labels lie where the sound is."""
    holds = None if late_ms is None else abs(late_ms) <= LABELS
    return [Verdict("labels late by", late_ms, f"within {LABELS:g} ms", holds, note, "ms")]


def of_loudness(found: Agreement | None) -> list[Verdict]:
    """The mouth moves with the voice."""
    if found is None:
        return [Verdict("loudness, r", None, f">= {LOUDNESS:.2f}", None, "the clip has no sound")]
    return _agreeing("loudness", found, LOUDNESS)


def _agreeing(name: str, found: Agreement, bar: float) -> list[Verdict]:
    note = f"peak {found.peak:.2f}"
    if found.peak <= 0:
        return [
            Verdict(f"{name}, r", found.r, f">= {bar:.2f}", False, "the mouth does not follow"),
            Verdict(f"{name}, lag", None, f"within {LAG:g} ms", False, "there is no peak"),
        ]
    return [
        Verdict(f"{name}, r", found.r, f">= {bar:.2f}", found.r >= bar, note),
        Verdict(f"{name}, lag", found.lag_ms, f"within {LAG:g} ms", abs(found.lag_ms) <= LAG, "lips late: +", "ms"),
    ]


def _where(seconds: tuple[float, ...]) -> str:
    if not seconds:
        return ""
    named = ", ".join(f"{at:.2f}" for at in seconds[:6])
    return f"; see {named}{', ...' if len(seconds) > 6 else ''} s"
