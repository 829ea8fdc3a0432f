"""The voice xtts: what its vocoder has to do for a clip, in windows and as the published loop does it.

The measuring is done in actors/tts/xtts/measuring.py, which needs the extra ``xtts``.
"""

from __future__ import annotations

from serve_app.bench.table import Bar, Result

LENGTHS = (1.0, 2.0, 5.0, 10.0, 20.0)
"""Seconds of speech."""


def vocoder(*, quick: bool = False) -> Result:
    """One row for each length. Raises StageError if coqui-tts is not installed."""
    from actors.tts.xtts.measuring import CHUNKS, WIDTH, works

    found = works(LENGTHS[: 2 if quick else None])
    rows = tuple(
        (
            f"{work.seconds:g} s",
            f"{work.windowed / work.once:.2f}",
            f"{work.again / work.once:.2f}",
            f"{work.again_s / work.windowed_s:.2f}",
            f"{work.difference:.1e}",
        )
        for work in found
    )
    bars = (
        Bar("difference to decoding at once", max(work.difference for work in found), 1e-4, "of the sound's RMS"),
        Bar(
            "frames decoded, any length", max(work.windowed / work.once for work in found), 1.6, "times those there are"
        ),
        Bar(
            "frames before the first sound",
            found[0].first / found[0].again_first,
            1.0,
            "times those of the published loop",
        ),
    )
    first = found[0]
    notes = (
        f"again: all latents so far for every chunk of {', '.join(map(str, CHUNKS))} and so on tokens; random weights,"
        f" {WIDTH} of 512 channels",
        f"both give their first sound after {CHUNKS[0]} tokens: windows {first.first_sound_s * 1000:.0f} ms of it that"
        f" will not change, the published loop {first.again_sound_s * 1000:.0f} ms and a fade to what it decodes next",
    )
    header = ("clip", "frames, windows / once", "frames, again / once", "time, again / windows", "difference / RMS")
    return Result("vocoder", header, rows, bars, notes)
