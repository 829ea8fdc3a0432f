"""Spoken questions for the benchmarks: seeded, so that every run asks the same ones in the same order.

The built-in voice speaks them, hence the last voiced sample is known from its phones and need not be guessed.
The recogniser hears a synthetic voice: its latencies are a person's, its error rate is not.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np

from streaming.media import MIC_RATE, RATE
from streaming.stages import Voice

SEED = 20_261_124

SHORT = (
    "Good morning, can you tell me what you can do for me?",
    "I would like to know who made you and why.",
    "Could you tell me how fast you normally answer?",
    "Excuse me, what time is it now in your clock?",
    "Please explain to me how you move your lips.",
    "Is it possible to interrupt you while you are talking?",
    "Can you work out what is twelve times seven?",
    "Do you really need a graphics card in my computer?",
    "Which language model do you use to answer my questions?",
    "I am curious, tell me something about your voice.",
    "How much is fifteen percent of eighty, please?",
    "Would you be able to run on my old laptop?",
    "Where do the recordings of my voice go afterwards?",
    "Could you describe to me how your face works?",
    "Do you happen to know what day it is today?",
    "Tell me honestly, are you a real person or a program?",
    "What happens to you when one of the processes dies?",
    "How many people can talk to you at the same time?",
    "I have heard of Ray Serve, but what is it exactly?",
    "Under which licence can I use your source code?",
    "Do you speak Spanish, or only the English language?",
    "How do I change the language model that you use?",
    "What do you know about yourself and this project?",
    "How do you recognise what I am saying to you?",
    "Good morning to you, how are you feeling today?",
    "Please add nine and thirty three for me, will you?",
    "Hello there, can you hear me well enough?",
    "Why do you blink and move your head while talking?",
    "What is the weather going to be like tomorrow?",
    "Thank you very much, that was really helpful for me.",
)
LONG = (
    "I have been wondering for quite a while how it is possible that your lips follow the sound so closely, "
    "so could you please explain to me how that is done in a program like you?",
    "My laptop is rather old and has no graphics card at all, and I would like to know whether you could still "
    "run on it without being too slow for a conversation.",
    "Before I show you to my colleagues tomorrow morning, tell me what happens if one of your processes dies "
    "while you are in the middle of a long answer to somebody else.",
    "Suppose that several people want to talk to you at the same time on a cluster with two graphics cards; how "
    "would you share all of the work between the two of them, please?",
    "I do not quite understand the difference between the language model that you use by default and the one "
    "that I could plug in instead, can you tell me more about that?",
)


LEAD_IN = MIC_RATE * 3 // 10


@dataclass(frozen=True, slots=True)
class Question:
    """A question as a microphone would give it."""

    text: str
    pcm16k: bytes
    """PCM16 mono at 16 kHz with 0.3 s of near-silence before the first word."""
    voiced_until: int
    """Sample at 16 kHz after the last voiced one."""
    voiced_from: int = LEAD_IN
    """Sample at 16 kHz of the first voiced one."""

    @property
    def seconds(self) -> float:
        """From the first to the last voiced sample."""
        return (self.voiced_until - LEAD_IN) / MIC_RATE


async def ask_with(voice: Voice, texts: tuple[str, ...]) -> list[Question]:
    """Let the voice speak the questions, in an order that depends on nothing but the seed."""
    dice = random.Random(SEED)
    order = dice.sample(range(len(texts)), len(texts))
    return [await _spoken(voice, texts[k], np.random.default_rng(SEED + k)) for k in order]


async def _spoken(voice: Voice, text: str, noise: np.random.Generator) -> Question:
    pieces = [piece async for piece in voice.speak(text, "default", "en", SEED)]
    phones = [phone for piece in pieces for phone in piece.phones if phone.symbol]
    begin, end = min(p.start for p in phones), max(p.start + p.samples for p in phones)
    pcm16k = overheard(b"".join(piece.pcm24k for piece in pieces), noise)
    at = [LEAD_IN + sample * MIC_RATE // RATE for sample in (begin, end)]
    return Question(text, pcm16k, voiced_until=at[1], voiced_from=at[0])


def overheard(pcm24k: bytes, noise: np.random.Generator) -> bytes:
    """Speech at 24 kHz as a microphone at 16 kHz would give it, LEAD_IN samples after it was opened."""
    sound = np.concatenate([np.zeros(LEAD_IN), _at_mic_rate(pcm24k)])
    return _pcm16(sound + noise.normal(0, 3, len(sound)))  # a room is never digitally silent


def _at_mic_rate(pcm24k: bytes) -> np.ndarray:
    """Speech at 24 kHz as samples at 16 kHz."""
    frame = av.AudioFrame.from_ndarray(np.frombuffer(pcm24k, "<i2").reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = RATE
    resampler = av.AudioResampler(format="s16", layout="mono", rate=MIC_RATE)
    blocks = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([block.to_ndarray()[0] for block in blocks]).astype(np.float64)


def at_mic(pcm24k: bytes, seed: int) -> bytes:
    """Speech at 24 kHz as a microphone in a quiet room gives it, with ``LEAD_IN`` of that room on both sides."""
    sound = np.concatenate([np.zeros(LEAD_IN), _at_mic_rate(pcm24k), np.zeros(LEAD_IN)])
    return _pcm16(sound + np.random.default_rng(seed).normal(0, 3, len(sound)))


def _pcm16(sound: np.ndarray) -> bytes:
    return np.clip(np.round(sound), -32768, 32767).astype("<i2").tobytes()


def silence(seconds: float, seed: int) -> Iterator[bytes]:
    """Blocks of 20 ms of a quiet room."""
    noise = np.random.default_rng(seed)
    for _ in range(round(seconds * 50)):
        yield _pcm16(noise.normal(0, 3, MIC_RATE // 50))
