"""Drawn faces that speak a made-up language: what lips, sound and labels must give is known exactly.

A face is some ellipses with eyes that blink, a head that sways and light that flickers; its mouth opens as it is
told. The language has vowels that hum, consonants that hiss and pauses. Nothing here comes from a face engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from actors.face.video import H264Encoder, write_mp4
from serve_app.inspecting.labels import Labels, openness
from streaming.media import FRAME, RATE, FramePacket
from streaming.stages import Phone

WIDTH, HEIGHT = 256, 384
WIDEST = 22.0
"""Pixels between the lips when the opening is 1."""
MS = RATE // 1000
VOWELS = "iɛæɑʌoua"
SENTENCES = (
    "mɑmæ bAbi pɑpa tu lɛt mi bæk",
    "hæv ju bɛn ɑp fɹʌm bɛd soun",
    "nobɑdi pækt mɑp bʌt bɑb",
    "kæmp bi sæmbʌ tɑp ɹʌm lɛmɑn",
    "sæd ɡɑts lɑk dɔɹz ænd ʃʌt",
    "pæm bɔt mɛni ɑpɑlz bʌt pʌt ʌm bæk",
)
CAVITY, TEETH = (24, 18, 42), (206, 214, 220)  # BGR, as all colours here


@dataclass(frozen=True)
class Look:
    """Colours of a face."""

    skin: tuple[int, int, int] = (150, 176, 222)
    lips: tuple[int, int, int] = (92, 88, 188)
    crease: tuple[int, int, int] = (54, 50, 120)


FAIR = Look()
DARK = Look(skin=(52, 74, 112), lips=(62, 58, 118), crease=(38, 34, 66))
PALE_LIPS = Look(skin=(168, 190, 226), lips=(138, 146, 208), crease=(84, 84, 140))


@dataclass(frozen=True)
class Speech:
    """Labels, and a sound that fits them."""

    labels: Labels
    pcm: bytes

    @property
    def samples(self) -> int:
        return len(self.pcm) // 2

    @property
    def frames(self) -> int:
        return -(-self.samples // FRAME)

    def lips(self) -> NDArray[np.float64]:
        """The opening of a good mouth at the middle of each frame, 0-1: shut at p, b, m."""
        curve = openness(self.labels.phones, self.frames * FRAME)[4::8]  # 5 ms steps; a frame's middle is 20 ms in
        for middle in self.labels.closures():
            curve[middle // FRAME] = 0
        return np.where(curve < 0.06, 0, curve)

    def until(self, seconds: float) -> Speech:
        """The beginning: what is spoken before, and the sound as far."""
        end = round(seconds * RATE)
        return Speech(Labels(tuple(p for p in self.labels.phones if p.start + p.samples <= end)), self.pcm[: 2 * end])

    def later(self, milliseconds: int) -> Speech:
        """Sound and labels moved together; earlier cuts what must be silence."""
        by = milliseconds * MS
        phones = tuple(Phone(p.symbol, p.start + by, p.samples) for p in self.labels.phones if p.start + by >= 0)
        return Speech(Labels(phones), bytes(2 * by) + self.pcm if by >= 0 else self.pcm[-2 * by :])


def speech(seconds: float, seed: int = 1) -> Speech:
    """About so much of the language, with a pause of half a second before, between and after sentences."""
    chance = np.random.default_rng(seed)
    phones, at, sentence = [Phone("", 0, 500 * MS)], 500 * MS, 0
    while at < seconds * RATE:
        for symbol in SENTENCES[sentence % len(SENTENCES)].replace(" ", ""):
            length = int(chance.integers(80, 130)) * MS
            phones.append(Phone(symbol, at, length))
            at += length
        phones.append(Phone("", at, 500 * MS))
        at, sentence = at + 500 * MS, sentence + 1
    return Speech(Labels(tuple(phones)), _sound(phones, at, chance))


def _sound(phones: Sequence[Phone], samples: int, chance: np.random.Generator) -> bytes:
    hum, hiss = np.zeros(samples), np.zeros(samples)
    for phone in phones:
        part = slice(phone.start, phone.start + phone.samples)
        if phone.symbol and phone.symbol in VOWELS + "AO":
            hum[part] = 0.25 + 0.5 * openness([Phone(phone.symbol, 0, RATE)], RATE)[100]
        elif phone.symbol:
            hiss[part] = 0.02
    window = np.hanning(20 * MS) / np.hanning(20 * MS).sum()
    hum, hiss = np.convolve(hum, window, "same"), np.convolve(hiss, window, "same")
    times = np.arange(samples) / RATE
    tone = sum(np.sin(2 * np.pi * 160 * k * times + k) / k for k in range(2, 16))
    sound = 0.3 * hum * tone + hiss * chance.standard_normal(samples)
    return (np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes()


def face(opening: float, frame: int, look: Look = FAIR, sway: float = 5.0) -> NDArray[np.uint8]:
    """One picture: the mouth so far open (0-1), head, lids and light as they are at that frame."""
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    picture[:] = np.linspace(90, 150, HEIGHT)[:, None, None].astype(np.uint8)
    x = WIDTH / 2 + sway * np.sin(frame / 17)
    y = 180 + 0.6 * sway * np.sin(frame / 23 + 1)
    _oval(picture, x, y, 86, 130, (40, 52, 74))  # hair
    _oval(picture, x, y + 18, 66, 96, look.skin)
    for side in (-1, 1):
        lid = 0.1 if frame % 70 < 5 else 1.0
        _oval(picture, x + side * 27, y - 8, 14, 8 * lid, (236, 236, 236))
        _oval(picture, x + side * 27, y - 8, 5, min(5, 8 * lid), (60, 60, 40))
        _oval(picture, x + side * 5, y + 32, 3, 1.5, (70, 84, 120))  # nostrils
    _mouth(picture, x, y + 58, WIDEST * opening, look)
    light = np.float32(1 + 0.015 * np.sin(frame / 5))
    return np.clip(picture * light + _noise(frame % 16), 0, 255).astype(np.uint8)


@cache
def _noise(seed: int) -> NDArray[np.float32]:
    """Grain of a picture, (h, w, 1)."""
    return 2 * np.random.default_rng(seed).standard_normal((HEIGHT, WIDTH, 1), np.float32)


def _mouth(picture: NDArray[np.uint8], x: float, y: float, gap: float, look: Look) -> None:
    _oval(picture, x, y + gap / 2, 25, 8 + gap / 2, look.lips)
    if gap < 0.5:
        cv2.line(picture, (round(x) - 22, round(y)), (round(x) + 22, round(y)), look.crease, 1, cv2.LINE_AA)
        return
    inside, teeth = np.zeros(picture.shape[:2], np.uint8), picture.copy()
    _oval(inside, x, y + gap / 2, 20, gap / 2, (255,))
    _oval(picture, x, y + gap / 2, 20, gap / 2, CAVITY)
    cv2.rectangle(teeth, (round(x) - 20, round(y) - 2), (round(x) + 20, round(y + min(5, gap / 2))), TEETH, -1)
    share = (inside / 255)[..., None] * (np.arange(HEIGHT) <= y + min(5, gap / 2))[:, None, None]
    picture[:] = picture * (1 - share) + teeth * share


def _oval(picture: NDArray[np.uint8], x: float, y: float, wide: float, tall: float, colour: tuple[int, ...]) -> None:
    centre, axes = (round(x * 16), round(y * 16)), (round(wide * 16), max(8, round(tall * 16)))
    cv2.ellipse(picture, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA, shift=4)


def shot(opening: NDArray[np.float64], look: Look = FAIR, stills: range = range(0)) -> list[FramePacket]:
    """Pictures of the face with this opening (0-1) in each frame, coded as the engines code theirs.

    ``stills``: frames at which the picture stays as it was.
    """
    coder = H264Encoder(WIDTH, HEIGHT)
    picture, packets = face(0, 0, look), []
    for frame, value in enumerate(opening):
        if frame not in stills:
            picture = face(float(value), frame, look)
        data, key = coder.encode(picture, frame * FRAME)
        packets.append(FramePacket(frame * FRAME, data, key))
    return packets


def film(path: Path, opening: NDArray[np.float64], pcm: bytes, look: Look = FAIR, stills: range = range(0)) -> Path:
    """A clip of such pictures with sound."""
    write_mp4(path, shot(opening, look, stills), pcm)
    return path
