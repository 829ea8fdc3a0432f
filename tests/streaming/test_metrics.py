"""What a conversation tells the meter."""

from __future__ import annotations

import pytest

from streaming.commands import Animate, Command, Speak
from streaming.conversation import Conversation
from streaming.events import Event, ReplyEnded, ReplyText, StageFailed, TalkPressed, Tick, Typed
from streaming.media import RATE
from streaming.metrics import METRICS, Meter
from streaming.pace import Pace
from tests.streaming.stories import drawn, spoken

Recorded = list[tuple[str, float, dict[str, str]]]


def metered(pace: Pace | None = None) -> tuple[Conversation, Meter, Recorded]:
    recorded: Recorded = []
    return Conversation("story", pace), Meter(lambda *what: recorded.append(what)), recorded


def live(talk: Conversation, meter: Meter, *events: Event) -> list[Command]:
    commands: list[Command] = []
    for event in events:
        done = talk.on(event)
        meter(event, done)
        commands += done
    return commands


def test_every_name_is_declared_once_and_says_its_unit() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        assert (metric.kind == "histogram") == bool(metric.buckets)
        assert metric.help and metric.name.startswith("avatar_")


def test_the_latencies_of_a_turn_are_taken_from_its_events() -> None:
    talk, meter, recorded = metered()
    commands = live(talk, meter, Tick(0), Typed("hi"), Tick(200), ReplyText(1, "Hi there. "), ReplyText(1, "Well. "))
    speak = next(c for c in commands if isinstance(c, Speak))
    live(talk, meter, Tick(500))
    for event in spoken(speak, RATE):
        live(talk, meter, event)
    told = {name: value for name, value, _ in recorded}
    assert told["avatar_asr_final_seconds"] == 0.0
    assert told["avatar_llm_first_token_seconds"] == 0.2
    assert told["avatar_tts_first_audio_seconds"] == 0.3
    assert told["avatar_voice_to_voice_seconds"] == 0.5
    assert [name for name, _, _ in recorded].count("avatar_voice_to_voice_seconds") == 1


def test_a_reply_without_its_pictures_counts_them_as_missing() -> None:
    talk, meter, recorded = metered(Pace.file())
    commands = live(talk, meter, Typed("hi"), ReplyText(1, "Hi. "), ReplyEnded(1))
    speak = next(c for c in commands if isinstance(c, Speak))
    live(talk, meter, *spoken(speak, RATE), StageFailed(1, "face", "gone"))
    assert ("avatar_frames_missing_total", 25, {}) in recorded
    assert ("avatar_errors_total", 1, {"stage": "face", "lost": "false"}) in recorded
    assert ("avatar_turns_total", 1, {"outcome": "completed"}) in recorded


def test_pictures_and_speech_are_counted() -> None:
    talk, meter, recorded = metered(Pace.file())
    commands = live(talk, meter, Typed("hi"), ReplyText(1, "Hi. "), ReplyEnded(1))
    pending = list(commands)
    while pending:
        command = pending.pop(0)
        if isinstance(command, Speak):
            pending += live(talk, meter, *spoken(command, RATE))
        if isinstance(command, Animate):
            pending += live(talk, meter, *drawn(command))
    assert sum(value for name, value, _ in recorded if name == "avatar_frames_total") == 25
    assert sum(value for name, value, _ in recorded if name == "avatar_speech_seconds_total") == pytest.approx(1.0)
    assert "avatar_frames_missing_total" not in [name for name, _, _ in recorded]


def test_an_interruption_is_a_cut_turn() -> None:
    talk, meter, recorded = metered()
    live(talk, meter, Typed("hi"), TalkPressed(0))
    assert ("avatar_turns_total", 1, {"outcome": "cut"}) in recorded
    assert ("avatar_barge_ins_total", 1, {}) in recorded


def test_sound_that_nobody_asked_for_has_no_latency() -> None:
    _, meter, recorded = metered()
    meter(ReplyText(1, "x"), [])
    assert recorded == []
