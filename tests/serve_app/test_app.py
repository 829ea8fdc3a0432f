"""Composition: settings become stages, side by side and aloud; what cannot work is said before a model is loaded."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from actors import asr, face, llm, tts
from actors.face.avatars import find
from serve_app.app import build_stages, choices
from serve_app.settings import Settings, SettingsError, load
from streaming.media import MIC_RATE
from streaming.stages import StageError
from tests.stubs import Ears, Echo, Hum, Mask, Scribe

met = threading.Barrier(2)


class Slow(Hum):
    """Loads only if another engine is being loaded at the same time."""

    def __init__(self) -> None:
        met.wait(timeout=20)


class SlowMask(Mask):
    def __init__(self) -> None:
        met.wait(timeout=20)


class Broken(Hum):
    def __init__(self) -> None:
        raise StageError("the weights are damaged; run: avatar models pull")


class Hungry(Hum):
    def __init__(self, food: str) -> None:
        self.food = food


@pytest.fixture(autouse=True)
def stubs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines of the tests, beside the real ones."""
    here, beside = f"{__name__}:", "tests.stubs:"
    for stage, engines in {
        asr: {"scribe": beside + "Scribe", "ears": beside + "Ears"},
        llm: {"echo": beside + "Echo"},
        tts: {
            "hum": beside + "Hum",
            **{name.lower(): here + name for name in ("Slow", "Broken", "Hungry")},
            "absent": "a_library_that_nobody_has:Voice",
        },
        face: {"mask": beside + "Mask", "slow": here + "SlowMask"},
    }.items():
        for name, path in engines.items():
            monkeypatch.setitem(stage.ENGINES, name, path)


def stubbed(**wishes: Any) -> Settings:
    engines = {"asr": "scribe", "listener": "ears", "llm": "echo", "tts": "hum", "face": "mask"}
    return load(**{stage: {"engine": name, **wishes.pop(stage, {})} for stage, name in engines.items()}, **wishes)


def test_every_stage_gets_the_engine_that_the_settings_name() -> None:
    stages = build_stages(stubbed())
    built = [
        type(stage) for stage in (stages.listener, stages.transcriber, stages.responder, stages.voice, stages.face)
    ]
    assert built == [Ears, Scribe, Echo, Hum, Mask]
    assert stages.avatar == find("default").avatar


def test_models_are_loaded_side_by_side() -> None:
    """Each of the two waits for the other: one after the other they would never come up."""
    stages = build_stages(stubbed(tts={"engine": "slow"}, face={"engine": "slow"}))
    assert (type(stages.voice), type(stages.face)) == (Slow, SlowMask)


def test_each_choice_is_one_line_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "serve_app.app"):
        build_stages(stubbed())
    said = sorted(message.rsplit(" (", 1)[0] for message in caplog.messages)
    assert said == [
        f"{stage}: {engine}, because the settings name it"
        for stage, engine in (
            ("asr", "scribe"),
            ("face", "mask"),
            ("listener", "ears"),
            ("llm", "echo"),
            ("tts", "hum"),
        )
    ]


def test_whoever_waits_is_told_how_far_it_is() -> None:
    told: list[tuple[str, str]] = []
    build_stages(stubbed(), lambda name, state: told.append((name, state)))
    assert sorted(told) == sorted(
        (name, state) for name in ("asr", "face", "listener", "llm", "tts") for state in ("starting", "ready")
    )


def test_a_judge_of_turns_is_loaded_only_where_one_is_named() -> None:
    assert build_stages(stubbed()).judge is None
    wished = stubbed(turn={"engine": "ears", "eagerness": "low"})
    assert type(build_stages(wished).judge) is Ears
    assert (wished.reporting_pace().judging, wished.reporting_pace().end_incomplete) == (True, 8 * MIC_RATE)
    assert not stubbed().reporting_pace().judging


def test_no_face_is_a_choice() -> None:
    settings = stubbed(face={"engine": "none"})
    assert build_stages(settings).face is None
    assert list(choices(settings)) == ["asr", "llm", "tts"]


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"engine": "choir"}, r"tts has no engine 'choir'; choose one of: .*hibari.*hum"),
        (
            {"engine": "absent"},
            r"tts engine 'absent' is not installed here: No module named 'a_library_that.*avatar doctor",
        ),
        ({"engine": "hungry"}, r"the arguments of tts engine 'hungry' do not fit: missing a required argument: 'food'"),
        ({"arguments": {"pitch": 2}}, r"the arguments of tts engine 'hum' do not fit: .*'pitch'"),
    ],
)
def test_an_engine_that_cannot_be_made_is_refused_before_any_is_loaded(wish: dict[str, Any], sentence: str) -> None:
    told: list[str] = []
    with pytest.raises(SettingsError, match=sentence):
        build_stages(stubbed(tts=wish), lambda name, state: told.append(name))
    assert told == []


def test_an_engine_that_does_not_load_says_why_in_its_own_words() -> None:
    with pytest.raises(StageError, match="the weights are damaged; run: avatar models pull"):
        build_stages(stubbed(tts={"engine": "broken"}))


def test_an_avatar_that_nobody_knows_is_refused_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"no avatar 'mona'; there are: .*default"):
        build_stages(stubbed(face={"avatar": "mona"}))
