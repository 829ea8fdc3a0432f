"""From file to file, with stages that answer at once: a question becomes replies and a report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pytest

from serve_app.errors import UserError
from serve_app.recording import Take, joined
from serve_app.talk import MOST_CHARACTERS, How, Manner, ask, report, say
from streaming.media import FRAME, MIC_RATE, RATE, FramePacket, frames_for, samples
from streaming.session import Driving, Stages
from streaming.stages import (
    Avatar,
    FaceState,
    HearState,
    History,
    Phone,
    Span,
    Spoken,
    StageError,
    StageLost,
    TextDelta,
    Tool,
    Transcript,
    Voicing,
    Word,
)

FAST = Manner(fast=True)
LIVE = Manner(fast=True, vad=True)
PAUSE = MIC_RATE // 5


class LoudnessListener:
    """Whatever is not zero is speech; 200 ms of zeros are a pause."""

    def hear(self, pcm16k: bytes, state: HearState) -> tuple[list[Voicing], HearState]:
        at, news = state.at, []
        loud = np.flatnonzero(np.frombuffer(pcm16k, "<i2"))
        state = replace(state, at=at + samples(pcm16k))
        if len(loud):
            if not state.speaking:
                news.append(Voicing(True, at + int(loud[0])))
            state = replace(state, speaking=True, voiced_until=at + int(loud[-1]) + 1)
        elif state.speaking and state.at - state.voiced_until >= PAUSE:
            news.append(Voicing(False, state.voiced_until))
            state = replace(state, speaking=False)
        return news, state


class LengthTranscriber:
    """Says how many tenths of a second of speech it was given."""

    async def transcribe(
        self, pcm16k: bytes, language: str | None, final: bool, words: bool = False, hints: str = ""
    ) -> AsyncIterator[Transcript]:
        loud = int(np.count_nonzero(np.frombuffer(pcm16k, "<i2")))
        text = f"{round(loud * 10 / MIC_RATE)} tenths" if loud else ""
        yield Transcript(text, (), "en", final)


class Deaf:
    async def transcribe(
        self, pcm16k: bytes, language: str | None, final: bool, words: bool = False, hints: str = ""
    ) -> AsyncIterator[Transcript]:
        yield Transcript("", (), "en", final)


class Parrot:
    async def reply(self, history: History, instructions: str, tools: Sequence[Tool]) -> AsyncIterator[TextDelta]:
        for word in ("I", "heard", *history[-1].text.split()):
            yield TextDelta(f"{word} ")
        yield TextDelta("of speech.")


class Beeper:
    """One tenth of a second for every word, one phone and one word each."""

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        if any(ord(letter) > 0x2000 for letter in text):
            raise StageError("the voice speaks English only; write English")
        for index, word in enumerate(text.split()):
            start, length = index * RATE // 10, RATE // 10
            sound = b"\1\0" * length
            yield Spoken(sound, (Phone(word[0], start, length),), (Word(word, start, length),))


class Numbers:
    """Draws every frame as its number."""

    async def animate(
        self, span: Span, avatar: Avatar, state: FaceState | None
    ) -> AsyncIterator[FramePacket | FaceState]:
        for k in range(span.skip, span.want_frames):
            pts = span.pts + k * FRAME
            yield FramePacket(pts, str(pts // FRAME).encode(), pts == 0)
        yield FaceState("numbers", span.pts + span.want_frames * FRAME, b"")


AVATAR = Avatar("default", 384, 576, 384, 576)


def stages(**others) -> Stages:
    return replace(Stages(LoudnessListener(), LengthTranscriber(), Parrot(), Beeper(), Numbers(), AVATAR), **others)


def speech(seconds: float) -> bytes:
    return b"\0\1" * round(seconds * MIC_RATE)


def quiet(seconds: float) -> bytes:
    return bytes(2 * round(seconds * MIC_RATE))


def complete(take: Take) -> None:
    """Every frame once, in order, exactly as many as the sound needs."""
    assert [packet.pts for packet in take.packets] == [FRAME * k for k in range(frames_for(samples(bytes(take.sound))))]


# ---- talk --------------------------------------------------------------------------------------------------


async def test_a_recording_is_one_turn_whatever_its_pauses() -> None:
    takes, told = await ask(stages(), speech(0.6) + quiet(1) + speech(0.4), FAST)
    [take] = takes
    assert (take.question, take.text, take.cut) == ("10 tenths", "I heard 10 tenths of speech.", False)
    complete(take)
    assert take.seconds == pytest.approx(0.6)
    assert [word.text for word in take.words] == take.text.split()
    assert [b.start - a.start for a, b in pairwise(take.phones)] == [RATE // 10] * 5
    assert {key: told[key] for key in ("transcript", "reply", "frames", "fps", "audio_seconds", "paced")} == {
        "transcript": "10 tenths",
        "reply": "I heard 10 tenths of speech.",
        "frames": 15,
        "fps": 25,
        "audio_seconds": 0.6,
        "paced": False,
    }


async def test_live_turns_are_found_and_answered_in_order() -> None:
    takes, told = await ask(stages(), quiet(0.3) + speech(0.5) + quiet(1) + speech(0.8), LIVE)
    assert [take.question for take in takes] == ["5 tenths", "8 tenths"]
    assert [turn["reply"] for turn in told["turns"]] == [
        "I heard 5 tenths of speech.",
        "I heard 8 tenths of speech.",
    ]
    for take in takes:
        complete(take)
    film = joined(takes)
    assert [packet.pts for packet in film.packets] == [FRAME * k for k in range(30)]
    assert told["frames"] == 30 and told["latency_ms"] == told["turns"][0]["latency_ms"]


async def test_speech_that_goes_on_just_as_the_turn_ended_cuts_the_reply() -> None:
    takes, told = await ask(stages(), speech(0.5) + quiet(0.49) + speech(0.8), LIVE)
    assert [(take.question, take.text, take.cut) for take in takes] == [
        ("5 tenths", "", True),
        ("8 tenths", "I heard 8 tenths of speech.", False),
    ]
    assert told["reply"] == "I heard 8 tenths of speech." and told["turns"][0]["cut"]
    assert joined(takes).sound == bytes(takes[1].sound)


async def test_the_last_voiced_sample_is_where_latency_begins() -> None:
    takes, _ = await ask(stages(), quiet(0.2) + speech(0.5) + quiet(0.7), FAST)
    assert takes[0].voiced_until == round(0.7 * MIC_RATE)
    takes, _ = await ask(stages(), speech(0.5), FAST)
    assert takes[0].voiced_until == MIC_RATE // 2, "speech to the very end: the end of the recording"


async def test_at_the_pace_of_speech_nothing_comes_before_it_was_said() -> None:
    _, told = await ask(stages(), speech(0.2), Manner())
    latency = told["latency_ms"]
    order = [latency[kind] for kind in ("final_transcript", "first_text", "first_audio", "first_frame")]
    assert told["paced"] and order == sorted(order) and order[0] >= 0


def test_a_report_counts_from_the_end_of_speech() -> None:
    take = Take(1, "hello", 16_000, text="Hi.", sound=bytearray(2 * RATE))
    take.came = {"final_transcript": 11.25, "first_text": 11.5}
    told = report([take], lambda sample: 10 + sample / MIC_RATE, paced=True)
    assert told["latency_ms"] == {
        "final_transcript": 250,
        "first_text": 500,
        "first_audio": None,
        "first_frame": None,
    }


async def test_without_a_face_there_is_sound_only() -> None:
    [take], told = await ask(stages(face=None), speech(0.5), FAST)
    assert take.seconds == pytest.approx(0.6) and take.packets == [] and told["frames"] == 0


async def test_sound_without_words_is_said_to_be_so() -> None:
    with pytest.raises(UserError, match="no words were understood"):
        await ask(stages(transcriber=Deaf()), speech(0.5), FAST)


@dataclass
class Breaking:
    """A stage that fails as it is told to, in every one of the roles."""

    error: Exception | None
    calls: list[str] = field(default_factory=list)

    async def fail(self) -> None:
        self.calls.append("called")
        if self.error:
            raise self.error
        await asyncio.Event().wait()

    async def transcribe(
        self, pcm16k: bytes, language: str | None, final: bool, words: bool = False, hints: str = ""
    ) -> AsyncIterator[Transcript]:
        await self.fail()
        yield Transcript("", (), "en", final)

    async def reply(self, history: History, instructions: str, tools: Sequence[Tool]) -> AsyncIterator[TextDelta]:
        yield TextDelta("Well, ")
        await self.fail()

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        yield Spoken(b"\1\0" * 2400)
        await self.fail()

    async def animate(
        self, span: Span, avatar: Avatar, state: FaceState | None
    ) -> AsyncIterator[FramePacket | FaceState]:
        yield FramePacket(span.pts, b"0", True)
        await self.fail()


@pytest.mark.parametrize("role", ["transcriber", "responder", "voice", "face"])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StageError("out of paint; buy some"), "out of paint; buy some"),
        (RuntimeError("a bug"), "broke: RuntimeError: a bug"),
        (StageLost("the replica died"), "the replica died"),
        (None, "gave no answer in time"),
    ],
)
async def test_a_stage_that_breaks_or_hangs_is_one_sentence(role: str, error: Exception | None, said: str) -> None:
    impatient = How(driving=Driving(first_s=0.05, next_s=0.05))
    breaking = Breaking(error)
    with pytest.raises(UserError, match=said):
        await ask(stages(**{role: breaking}), speech(0.5), FAST, impatient)
    assert len(breaking.calls) == 2 if isinstance(error, StageLost) and role != "responder" else breaking.calls


# ---- say ---------------------------------------------------------------------------------------------------


async def test_a_text_is_spoken_as_it_stands() -> None:
    [take] = await say(stages(), "Good morning. How are you today?")
    assert take.text == "Good morning. How are you today?"
    assert [word.text for word in take.words] == take.text.split()
    complete(take)


async def test_five_thousand_characters_are_the_most() -> None:
    [take] = await say(stages(), "word " * (MOST_CHARACTERS // 5 - 1) + "done.")
    assert len(take.words) == MOST_CHARACTERS // 5
    complete(take)
    with pytest.raises(UserError, match="100,000 characters, 5,000 are the most"):
        await say(stages(), "x" * 100_000)


@pytest.mark.parametrize("text", ["", "   \n"])
async def test_nothing_to_say_is_said(text: str) -> None:
    with pytest.raises(UserError, match="nothing to say"):
        await say(stages(), text)


@pytest.mark.parametrize("text", ["…", "🙂🙂🙂", "你好，世界。"])
async def test_what_the_voice_cannot_speak_is_one_sentence(text: str) -> None:
    with pytest.raises(UserError, match=r"no words that can be spoken|speaks English only"):
        await say(stages(), text)
