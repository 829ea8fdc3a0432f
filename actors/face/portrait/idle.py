"""How the portrait sits when nobody speaks: ten seconds that close into a loop of exactly 250 frames.

A reply moves on the same clock, so that speech is this motion plus something that fades in and out.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from actors.face.portrait.pose import Pose

FRAMES = 250
BLINK = (0.35, 0.92, 1.0, 0.62, 0.30, 0.10)
"""Closing of the lids, frame by frame."""
BLINKS_AT = (46, 127, 205)
GAZES = ((0, 0.0, 0.0), (24, 2.4, -0.5), (47, 0.0, 0.0), (88, -2.6, 0.5), (128, 0.0, 0.0), (168, 1.6, 0.75),
         (206, 0.0, 0.0), (229, -1.2, -0.4), (243, 0.0, 0.0))  # fmt: skip
"""(first frame, x, y): where the eyes rest, in texture pixels; centre at both ends of the loop."""

# (amplitude, ((harmonic, share, phase), ...)): whole periods in the loop keep the seam invisible.
_SWAYS = {
    "tx": (1.6, ((1, 0.65, 0.3), (2, 0.35, 1.9))),
    "ty": (0.7, ((1, 0.4, 2.2), (3, 0.6, 0.6))),
    "roll": (0.009, ((1, 0.6, 1.1), (2, 0.4, 4.0))),
    "yaw": (2.6, ((1, 0.55, 5.2), (2, 0.3, 0.9), (4, 0.15, 2.6))),
    "pitch": (1.6, ((2, 0.6, 3.3), (3, 0.4, 0.2))),
}
_BREATHS = 3
_BREATH_PX = 1.6


def idle_pose(frame: int) -> Pose:
    """Pose of frame ``frame`` of the loop; any whole number, counted round the loop."""
    frame %= FRAMES
    turn = 2 * math.pi * (frame + 0.5) / FRAMES
    sway = {
        name: size * sum(share * math.sin(harmonic * turn + phase) for harmonic, share, phase in parts)
        for name, (size, parts) in _SWAYS.items()
    }
    breath = _BREATH_PX * math.sin(_BREATHS * turn)
    _, gaze_x, gaze_y = next(g for g in reversed(GAZES) if g[0] <= frame)
    return Pose(**sway, breath=breath, lid=idle_lid(frame), gaze_x=gaze_x, gaze_y=gaze_y)


def idle_lid(frame: int) -> float:
    """Closing of the lids at a frame of the loop."""
    for start in BLINKS_AT:
        if 0 <= (since := (frame - start) % FRAMES) < len(BLINK):
            return BLINK[since]
    return 0.0


def frames_to_blink(frame: int) -> int:
    """How far the nearest blink of the loop begins from a frame, before or after."""
    return min(min((frame - start) % FRAMES, (start - frame) % FRAMES) for start in BLINKS_AT)


def write_clip(folder: Path) -> Path:
    """Draw the loop of an avatar's folder and write it there as idle.mp4, key frame first, without sound."""
    from actors.face.avatars import IDLE, describe
    from actors.face.portrait.render import Renderer
    from actors.face.portrait.rig import load
    from actors.face.video import H264Encoder, write_mp4
    from streaming.media import FRAME, FramePacket

    avatar = describe(folder)
    face, coder = Renderer(load(folder), avatar.width, avatar.height), H264Encoder(avatar.width, avatar.height)
    packets = []
    for frame in range(FRAMES):
        data, key = coder.encode(face.draw(idle_pose(frame)), frame * FRAME)
        packets.append(FramePacket(frame * FRAME, data, key))
    clip = folder / IDLE
    write_mp4(clip, packets, b"")
    return clip


def main() -> None:
    """`python -m actors.face.portrait.idle [folder]`: make an avatar's idle clip, by default the built-in one's."""
    from actors.face.avatars import BUILT_IN, DEFAULT

    parser = argparse.ArgumentParser(description="Make the idle clip of a portrait.")
    parser.add_argument("folder", nargs="?", type=Path, default=BUILT_IN / DEFAULT, help="the avatar's folder")
    clip = write_clip(parser.parse_args().folder)
    print(f"{clip.name}: {FRAMES} frames, {clip.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
