"""When each word is heard: against a voice that knows, and against the pauses of a person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from actors.asr.whisper import RATE, Whisper
from actors.asr.words import HOP, PAUSE, Spot, pauses, settled
from actors.tts.hibari import Hibari
from streaming.media import RATE as VOICE_RATE
from streaming.stages import Word
from tests.actors.asr.spoken import Sound, human_clips, plain, silence, spoken

SENTENCES = (
    "Good morning, can you tell me what you can do for me?",
    "Excuse me, what time is it now in your clock?",
    "I am curious, tell me something about your voice.",
    "My laptop is rather old and has no graphics card at all, and I would like to know whether you could still "
    "run on it without being too slow for a conversation.",
)
LEAD = 0.3


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    return Whisper(threads=2)


async def heard(whisper: Whisper, sound: Sound) -> tuple[Word, ...]:
    """The words of the last transcript."""
    found = [one async for one in whisper.transcribe(sound.tobytes(), "en", True, True)]
    assert plain(" ".join(word.text for word in found[-1].words)) == plain(found[-1].text)
    return found[-1].words


async def known(voice: Hibari, text: str) -> tuple[Sound, list[Word]]:
    """What the built-in voice says, at 16 kHz after a moment of a quiet room, and its words at 24 kHz."""
    pieces = [piece async for piece in voice.speak(text, "default", "en", 1)]
    sound = np.frombuffer(b"".join(piece.pcm24k for piece in pieces), "<i2").astype(np.float64)
    length = len(sound) // 3 * 3
    slower = np.fft.irfft(np.fft.rfft(sound[:length])[: length // 3 + 1], length // 3 * 2) * 2 / 3
    quiet = silence(LEAD)
    return np.concatenate([quiet, np.clip(slower, -32768, 32767).astype("<i2")]), [w for p in pieces for w in p.words]


def times(words: Sequence[Word], rate: int, lead: float = 0.0) -> np.ndarray:
    """Start and end of each word in seconds, shape (words, 2)."""
    return np.array([[word.start, word.start + word.samples] for word in words]) / rate + lead


async def test_words_are_heard_when_the_voice_said_them(whisper: Whisper) -> None:
    """Measured over 36 sentences: half of all starts within 25 ms, half of all ends within 32 ms."""
    voice = Hibari()
    off: list[np.ndarray] = []
    for text in SENTENCES:
        sound, said = await known(voice, text)
        found = await heard(whisper, sound)
        assert [plain(word.text) for word in found] == [plain(word.text) for word in said]
        off.append(np.abs(times(found, RATE) - times(said, VOICE_RATE, LEAD)))
    starts, ends = np.median(np.concatenate(off), axis=0)
    assert starts <= 0.045 and ends <= 0.050, f"{starts * 1000:.0f} ms and {ends * 1000:.0f} ms are the medians"
    assert np.percentile(np.concatenate(off), 90) <= 0.150


async def test_words_of_a_person_lie_in_order_within_the_sound_and_around_its_pauses(whisper: Whisper) -> None:
    for _, sound in human_clips():
        words = await heard(whisper, sound)
        edges = times(words, RATE)
        assert (edges[:, 0] < edges[:, 1]).all() and (edges[1:, 0] >= edges[:-1, 1]).all()
        assert 0 <= edges[0, 0] <= 0.1 and edges[-1, 1] <= len(sound) / RATE
        for begin, over in pauses(sound.astype(np.float32) / np.float32(32768)):
            middle = (begin + over) / 2 / RATE
            assert not ((edges[:, 0] < middle) & (middle < edges[:, 1])).any(), f"a word is said in the pause {middle}"


async def test_words_after_the_first_piece_keep_their_place_in_a_long_recording(whisper: Whisper) -> None:
    """Four clips of a person with two seconds between them, 34 s: each as when it is heard alone."""
    clips = [sound for _, sound in human_clips()]
    alone, at, parts = [], 0, []
    for sound in clips:
        alone.append(times(await heard(whisper, sound), RATE, at / RATE))
        parts += [sound, silence(2)]
        at += len(sound) + 2 * RATE
    together = times(await heard(whisper, np.concatenate(parts)), RATE)
    assert at > 30 * RATE and together.shape == np.concatenate(alone).shape
    assert np.median(np.abs(together - np.concatenate(alone))) <= 0.04
    assert np.abs(together - np.concatenate(alone))[-1].max() <= 0.2


async def test_nobody_who_did_not_ask_is_told_words(whisper: Whisper) -> None:
    found = [one async for one in whisper.transcribe(spoken("Stop.").tobytes(), "en", True)]
    assert [one.words for one in found] == [()]


# ---- pauses ------------------------------------------------------------------------------------------------


def test_a_pause_is_quiet_for_a_while_and_the_edges_always_count() -> None:
    loud, quiet = np.full(RATE // 5, 0.5, np.float32), np.zeros(PAUSE + 4 * HOP, np.float32)
    short = np.zeros(PAUSE // 2, np.float32)
    found = pauses(np.concatenate([short, loud, quiet, loud, short, loud]))
    assert [round(edge / RATE, 2) for pause in found for edge in pause] == [0, 0.06, 0.27, 0.42]
    assert pauses(np.zeros(0, np.float32)) == []


def test_words_leave_the_pauses() -> None:
    words = [Spot("Yes,", 0, 9_000), Spot("I", 9_000, 12_000), Spot("do.", 12_000, 30_000)]
    quiet = [(0, 3_000), (6_000, 10_000), (24_000, 32_000)]
    assert settled(words, quiet, 32_000) == [
        Spot("Yes,", 3_000, 6_000),
        Spot("I", 10_000, 12_000),
        Spot("do.", 12_000, 24_000),
    ]


def test_a_pause_far_from_any_border_moves_nothing_and_no_word_is_lost() -> None:
    words = [Spot("one", 0, 1_000), Spot("two", 1_000, 40_000)]
    assert settled(words, [(20_000, 22_000)], 40_000) == words
    assert settled([], [(0, 10)], 10) == []
    (only,) = settled([Spot("hm", 0, 100)], [(0, 5_000), (5_100, 6_000)], 6_000)
    assert only.start == 5_000 and only.end > only.start
