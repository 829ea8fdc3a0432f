"""When the listener says that somebody speaks: speech, pauses, noises, and sound cut into blocks in any way."""

from __future__ import annotations

import numpy as np
import pytest

from actors.asr.listen import SileroListener
from actors.asr.silero import Silero, turned
from streaming.stages import HearState, StageError, Voicing
from tests.actors.asr.spoken import Sound, silence, spoken

MS = 16
"""Samples of a millisecond."""


@pytest.fixture(scope="module")
def listener() -> SileroListener:
    return SileroListener()


def news(listener: SileroListener, sound: Sound, block: int = 320) -> list[Voicing]:
    """All that the listener says of ``sound``, given in blocks of ``block`` samples."""
    state, told = HearState(), list[Voicing]()
    for first in range(0, len(sound), block):
        more, state = listener.hear(sound[first : first + block].tobytes(), state)
        told += more
    return told


def when_known(listener: SileroListener, sound: Sound) -> list[int]:
    """Samples that had been heard when each piece of news came, to 20 ms."""
    state, known = HearState(), list[int]()
    for first in range(0, len(sound), 320):
        more, state = listener.hear(sound[first : first + 320].tobytes(), state)
        known += [first + 320] * len(more)
    return known


def voiced(sound: Sound) -> tuple[int, int]:
    """First and last sample of what is loud enough to be speech."""
    loud = np.flatnonzero(np.convolve(np.abs(sound.astype(float)), np.ones(160) / 160, "same") > 120)
    return int(loud[0]), int(loud[-1])


@pytest.mark.parametrize("text", ["Who are you?", "How do the lips follow the sound?", "Stop.", "Yes."])
def test_speech_begins_and_pauses_once_and_at_the_right_moment(listener: SileroListener, text: str) -> None:
    said = spoken(text)
    first, last = (8000 + sample for sample in voiced(said))
    sound = np.concatenate([silence(0.5), said, silence(0.6)])
    began, paused = news(listener, sound)
    assert (began.speaking, paused.speaking) == (True, False)
    assert -40 * MS <= began.at - first <= 130 * MS  # the s of "Stop." is not heard as a voice
    assert -40 * MS <= paused.at - last <= 130 * MS
    known_began, known_paused = when_known(listener, sound)
    assert known_began - first <= 250 * MS and 190 * MS <= known_paused - paused.at <= 230 * MS


def test_a_gap_between_two_sentences_is_a_pause(listener: SileroListener) -> None:
    sound = np.concatenate([silence(0.3), spoken("Who are you?"), silence(0.7), spoken("Stop."), silence(0.5)])
    assert [one.speaking for one in news(listener, sound)] == [True, False, True, False]


def test_the_news_does_not_depend_on_how_the_sound_is_cut(listener: SileroListener) -> None:
    sound = np.concatenate([silence(0.31), spoken("Who are you?"), silence(0.4), spoken("Yes."), silence(0.4)])
    whole = news(listener, sound, len(sound))
    assert len(whole) == 4
    assert all(news(listener, sound, block) == whole for block in (37, 160, 511, 512, 513, 4000))


def test_sessions_side_by_side_hear_to_the_bit_what_each_hears_alone(listener: SileroListener) -> None:
    sounds = [
        np.concatenate([silence(0.2), spoken("Who are you?"), silence(0.5)]),
        silence(1.5, level=300),
        np.concatenate([spoken("Yes."), silence(0.9)]),
    ]
    sizes = (320, 500, 3200)  # one fills a frame now and then, one fills six at once
    alone, together = [HearState()] * 3, [HearState()] * 3
    spoke = False
    for k in range(0, 12):
        blocks = [s[k * n : (k + 1) * n].tobytes() for s, n in zip(sounds, sizes, strict=True)]
        expected = [listener.hear(block, state) for block, state in zip(blocks, alone, strict=True)]
        assert listener.hear_all(list(zip(blocks, together, strict=True))) == expected
        alone = together = [state for _, state in expected]
        spoke = spoke or any(state.speaking for state in alone)
    assert spoke and len({state.memory for state in alone}) == 3


def test_rows_are_sessions_and_do_not_hear_each_other() -> None:
    silero = Silero()
    sound = np.concatenate([silence(0.1), spoken("Who are you?")])
    odds, memory = list[float](), (np.zeros((1, 2, 128), np.float32), np.zeros((1, 2, 128), np.float32))
    padded = np.concatenate([np.zeros(64, np.int16), sound])
    for k in range(len(sound) // 512):
        windows = np.stack([padded[k * 512 : k * 512 + 576], np.zeros(576, np.int16)])
        row, memory = silero.step(windows, memory)
        odds.append(float(row[0]))
        assert row.shape == (2,) and row[1] < 0.1
    assert max(odds) > 0.9
    assert odds == pytest.approx(silero.track(sound)[: len(odds)], abs=1e-5)


def test_another_network_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"rows cannot be sessions; give it silero_vad_v6\.onnx"):
        turned(b"some other network")


def test_the_state_goes_to_another_listener(listener: SileroListener) -> None:
    sound = np.concatenate([silence(0.3), spoken("Who are you?"), silence(0.4)])
    middle = 9_001
    early, state = listener.hear(sound[:middle].tobytes(), HearState())
    late, _ = SileroListener().hear(sound[middle:].tobytes(), state)
    assert early + late == news(listener, sound)
    assert len(state.memory) < 4_000 and state.at == middle // 512 * 512


def test_noises_are_not_speech(listener: SileroListener) -> None:
    rng = np.random.default_rng(1)
    time = np.arange(2 * 16_000) / 16_000
    burst = np.clip(rng.normal(0, 9000, 4000) * np.exp(-np.arange(4000) / 900), -32768, 32767).astype("<i2")
    noises = {
        "a loud hiss": silence(2, level=3000),
        "hum of the mains": (4000 * np.sin(2 * np.pi * 50 * time)).astype("<i2"),
        "a tone": (8000 * np.sin(2 * np.pi * 440 * time)).astype("<i2"),
        "a cough": np.concatenate([silence(0.5), burst, silence(0.5)]),
        "knocking": np.concatenate([silence(0.5), burst[:1600], silence(0.2), burst[:1600], silence(0.5)]),
    }
    assert {name: news(listener, sound) for name, sound in noises.items()} == {name: [] for name in noises}


def test_two_voiced_frames_are_too_short_and_three_are_speech(
    listener: SileroListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(odds: list[float]) -> list[Voicing]:
        rest = iter(odds)
        monkeypatch.setattr(listener._silero, "step", lambda windows, memory: (np.array([next(rest)]), memory))
        return news(listener, np.zeros(512 * len(odds), "<i2"), 512)

    assert told([0.9, 0.9, 0.1, 0.9, 0.9, 0.1]) == []
    assert told([0.1, 0.5, 0.35, 0.35, 0.1]) == [Voicing(True, 512)]
    # Down to 0.35 it goes on; a dip shorter than six frames is no pause; the pause counts from the last voiced frame.
    dip = [0.9] * 3 + [0.1] * 5 + [0.36] + [0.34] * 6
    assert told(dip) == [Voicing(True, 0), Voicing(False, 9 * 512)]


def test_a_shorter_pause_may_be_asked_for() -> None:
    sound = np.concatenate([silence(0.3), spoken("Stop."), silence(0.5)])
    quick, usual = when_known(SileroListener(100), sound), when_known(SileroListener(200), sound)
    assert quick[0] == usual[0] and 60 * MS <= usual[1] - quick[1] <= 130 * MS


def test_no_sound_is_no_news(listener: SileroListener) -> None:
    told, state = listener.hear(b"", HearState())
    assert told == [] and state.at == 0


def test_bad_input_is_refused(listener: SileroListener) -> None:
    with pytest.raises(StageError, match="sent 3 bytes"):
        listener.hear(b"abc", HearState())
    with pytest.raises(StageError, match="not written by SileroListener"):
        listener.hear(b"", HearState(memory=b"somebody else's"))


def test_a_session_may_want_to_be_surer_or_less_sure(listener: SileroListener) -> None:
    soft = (spoken("Who are you?") // 40).astype(np.int16)
    sound = np.concatenate([silence(0.5), soft, silence(0.6)])

    def heard(threshold: float | None) -> list[bool]:
        news, state = listener.hear(sound.tobytes(), HearState(threshold=threshold))
        assert state.threshold == threshold
        return [one.speaking for one in news]

    assert heard(None) == heard(0.5) == [True, False]
    assert heard(0.05)[:2] == [True, False]
    assert heard(1.0) == []
