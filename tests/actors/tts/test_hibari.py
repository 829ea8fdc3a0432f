"""The embedded voice: what is said, how exactly it is labelled, what is refused."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.tts.align import label_shift
from actors.tts.asked import LONGEST_CLIP
from actors.tts.blocks import BLOCK
from actors.tts.hibari import Hibari
from streaming.media import samples
from streaming.stages import BadInput, StageError

FRESH = """
The gardener planted seventy tulips along the wall before the frost came back. Nothing moved in the harbour except
one small ferry with a green light. Bring a warm coat, a bottle of water, and something to read. Did anybody remember
to feed the fish? My brother built a wooden boat in the cellar, but he could not get it out through the door. Plum
jam tastes best when it is made from fruit that nobody wanted. At the end of the platform a man was playing the
violin, and people stopped to listen. Most of the maps in this room are older than the building. Give me five minutes.
"""


def level(pcm: bytes) -> np.ndarray:
    """Root mean square of every 5 ms, of full scale."""
    sound = np.frombuffer(pcm, "<i2") / 32768
    return np.sqrt((sound[: len(sound) // 120 * 120].reshape(-1, 120) ** 2).mean(axis=1))


async def test_the_phones_cover_the_clip_without_gap_or_overlap(say: Any) -> None:
    clip = await say("Well, I can help you with that: it costs $5.20. Shall I?")
    at = 0
    for phone in clip.phones:
        assert phone.start == at and phone.samples > 0
        at += phone.samples
    assert at == clip.samples
    assert clip.phones[-1].symbol == ""


async def test_the_sounds_are_those_of_the_words_with_their_stress(say: Any) -> None:
    clip = await say("Maybe.")
    assert [(phone.symbol, phone.stress) for phone in clip.phones if phone.symbol] == [
        ("m", 0),
        ("A", 1),
        ("b", 0),
        ("i", 0),
    ]


async def test_the_labels_lie_where_the_sound_is(say: Any) -> None:
    clip = await say(" ".join(FRESH.split()))
    assert clip.samples >= 25 * 24000
    assert abs(label_shift(clip.pcm, clip.phones)) <= 20
    late = [replace(phone, start=phone.start + 1320) for phone in clip.phones]
    assert label_shift(clip.pcm, late) == pytest.approx(label_shift(clip.pcm, clip.phones) - 55, abs=1)


async def test_what_is_labelled_silent_is_silent(say: Any) -> None:
    clip = await say(" ".join(FRESH.split()))
    loud = level(clip.pcm)
    for phone in clip.phones:
        if not phone.symbol and phone.samples >= 4800:
            inner = loud[(phone.start + 480) // 120 : (phone.start + phone.samples - 480) // 120]
            assert inner.max() < 0.01 * np.percentile(loud, 95)


async def test_words_are_the_written_ones_and_lie_on_their_sounds(say: Any) -> None:
    clip = await say("“Really?” It costs $5.20 at 7:30 pm – see https://example.org/a, or C#.")
    assert [word.text for word in clip.words] == [
        *("Really", "It", "costs", "$5.20", "at", "7:30", "pm", "see", "https://example.org/a", "or", "C#")
    ]
    edges = {phone.start for phone in clip.phones} | {phone.start + phone.samples for phone in clip.phones}
    for word in clip.words:
        assert word.start in edges and word.start + word.samples in edges
    for before, after in zip(clip.words, clip.words[1:], strict=False):
        assert before.start + before.samples <= after.start


async def test_it_comes_in_small_blocks_each_with_what_begins_in_it(say: Any) -> None:
    clip = await say("The mountain railway opens in May. It closes in October.")
    at = 0
    for block in clip.blocks:
        length = samples(block.pcm24k)
        assert 0 < length <= BLOCK * 3 // 2
        assert all(at <= thing.start < at + length for thing in (*block.phones, *block.words))
        at += length


async def test_the_first_sound_comes_at_once_and_the_clip_ends_in_a_breath(say: Any) -> None:
    for text in ("Sure.", "Five people.", "Hello there!", "Oh?"):
        clip = await say(text)
        loud = np.flatnonzero(level(clip.pcm) > 0.01 * level(clip.pcm).max()) * 5
        assert loud[0] <= 30
        assert clip.samples / 24 - loud[-1] == pytest.approx(300, abs=60)


async def test_pieces_are_joined_without_clicks_and_with_a_pause(say: Any) -> None:
    clip = await say("Stop here. Go on.")
    (pause,) = [phone for phone in clip.phones[1:-1] if not phone.symbol and phone.samples > 2400]
    assert 250 <= pause.samples / 24 <= 350
    around = np.frombuffer(clip.pcm, "<i2")[pause.start : pause.start + pause.samples].astype(int)
    assert np.abs(np.diff(around)).max() < 0.01 * 32768


async def test_only_the_first_piece_is_made_before_the_first_sound(voice: Hibari, monkeypatch: Any) -> None:
    made: list[str] = []
    piece = voice._piece
    monkeypatch.setattr(voice, "_piece", lambda reading, *rest: made.append(reading.signs) or piece(reading, *rest))
    async with aclosing(voice.speak("One. " * 300, "heart", "en", 0)) as stream:  # type: ignore[type-var]
        await anext(stream)
        assert len(made) == 1


async def test_the_same_arguments_give_the_same_bytes_and_a_seed_changes_only_the_breath(say: Any) -> None:
    first, again, other = (
        await say("Many thanks.", seed=1),
        await say("Many thanks.", seed=1),
        await say("Many thanks.", seed=2),
    )
    assert first == again
    assert first.pcm != other.pcm and first.words == other.words
    both = [np.frombuffer(clip.pcm, "<i2") / 32768 for clip in (first, other)]
    assert np.abs(both[0] - both[1]).max() < 0.1


async def test_two_clips_at_once_do_not_disturb_each_other(say: Any) -> None:
    texts = ("Both of us speak. Do you hear?", "Nobody listens to me. Why?")
    alone = [await say(text) for text in texts]
    assert list(await asyncio.gather(*(say(text) for text in texts))) == alone


async def test_a_stream_that_is_left_early_leaves_the_voice_ready(voice: Hibari, say: Any) -> None:
    async with aclosing(voice.speak("Never mind what I say. " * 20, "heart", "en", 0)) as stream:  # type: ignore[type-var]
        await anext(stream)
    assert (await say("Next.")).words[0].text == "Next"


async def test_what_cannot_be_said_is_left_out_with_one_line_in_the_log(say: Any, caplog: Any) -> None:
    caplog.set_level(logging.WARNING)
    clip = await say("Hello 😀 there 你好 friend! 😀")
    assert [word.text for word in clip.words] == ["Hello", "there", "friend"]
    (line,) = caplog.messages
    assert "leaves out 4 signs" in line


async def test_the_longest_clip_is_spoken_and_a_longer_one_refused(say: Any) -> None:
    text = ("word " * 400).strip() + "!"
    assert len(text) == LONGEST_CLIP
    assert len((await say(text)).words) == 400
    with pytest.raises(BadInput, match="2001 characters is too long; cut it into clips of at most 2000"):
        await say(text + "!")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no text to speak"),
        (" \n ", "no text to speak"),
        ("😀👍", "nothing in '😀👍' has a sound; send words"),
        ("你好，世界", "cannot say '你好世界'; send text in Latin letters"),
        ("...", r"nothing in '\.\.\.' has a sound; send words"),
        ("x" * 100_000, "100000 characters is too long"),
    ],
)
async def test_text_without_speech_in_it_is_refused_with_what_to_do(say: Any, text: str, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        await say(text)


async def test_another_language_or_voice_is_refused(say: Any) -> None:
    with pytest.raises(StageError, match="speaks English \\(en\\), not 'zh'"):
        await say("Hello.", language="zh")
    with pytest.raises(BadInput, match="unknown voice 'bob'; the embedded voice is called default or heart"):
        await say("Hello.", name="bob")
    assert (await say("Hello.", name="heart", language="en-GB")).words


def test_a_package_that_is_not_installed_says_how_to_install_it(monkeypatch: Any) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StageError, match="pip install hibari-tts"):
        Hibari()


def test_weights_that_were_changed_are_refused(monkeypatch: Any, tmp_path: Path) -> None:
    from actors.tts import weights

    (tmp_path / "vocab.json").write_bytes(b"{}")
    with pytest.raises(StageError, match=r"its sha256 differs.*pip install --force-reinstall"):
        weights.checked(tmp_path, {"vocab.json": weights.SHA256["vocab.json"]})
    with pytest.raises(StageError, match="is missing"):
        weights.checked(tmp_path)
