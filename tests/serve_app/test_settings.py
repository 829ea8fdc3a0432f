"""Settings: who wins over whom, and what a mistake is called."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from serve_app.groups import Choice
from serve_app.settings import SettingsError, load, profiles
from streaming.pace import Pace
from streaming.session import Driving


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine that runs the tests."""
    import os

    for name in list(os.environ):
        if name.startswith(("AVATAR_", "OPENAI_")):
            monkeypatch.delenv(name)


def profile(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


# ---- who wins ----------------------------------------------------------------------------------------------


def test_the_default_profile_names_the_embedded_engines() -> None:
    settings = load()
    assert (settings.asr.engine, settings.listener.engine) == ("whisper", "silero")
    assert (settings.tts.engine, settings.face.engine) == ("hibari", "portrait")
    assert settings == load("cpu")


@pytest.mark.parametrize("name", profiles())
def test_every_profile_that_ships_can_be_loaded(name: str) -> None:
    assert load(name).profile == name


def test_a_profile_wins_over_defaults_the_environment_over_it_and_the_caller_over_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = profile(tmp_path, "[gateway]\nport = 1001\ndrain_s = 3\n[tts]\nvoice = 'heart'\n")
    assert (load(path).gateway.port, load(path).gateway.host) == (1001, "127.0.0.1")
    monkeypatch.setenv("AVATAR_GATEWAY__PORT", "1002")
    assert (load(path).gateway.port, load(path).gateway.drain_s) == (1002, 3.0)
    settings = load(path, gateway={"port": 1003})
    assert (settings.gateway.port, settings.gateway.drain_s, settings.tts.voice) == (1003, 3.0, "heart")


def test_another_engine_does_not_get_the_arguments_of_the_one_it_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = profile(tmp_path, "[face]\nengine = 'ditto'\narguments = {batch = 1}\nplan = {steps = 5}\navatar = 'x'\n")
    assert load(path, face={"engine": "ditto"}).face == load(path).face
    monkeypatch.setenv("AVATAR_FACE__ENGINE", "portrait")
    face = load(path).face
    assert (face.engine, face.arguments, face.plan, face.avatar) == ("portrait", {}, {}, "x")
    monkeypatch.setenv("AVATAR_FACE__ARGUMENTS__CRF", "20")
    assert load(path).face.arguments == {"crf": 20}
    monkeypatch.setenv("AVATAR_FACE__ENGINE", "ditto")
    assert load(path).face.arguments == {"batch": 1, "crf": 20}


def test_the_environment_may_name_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_PROFILE", str(profile(tmp_path, "[gateway]\nport = 1001\n")))
    assert load().gateway.port == 1001
    assert load("cpu").gateway.port == 8080


def test_arguments_of_an_engine_are_numbers_where_they_look_like_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_ASR__ARGUMENTS__THREADS", "1")
    monkeypatch.setenv("AVATAR_ASR__ARGUMENTS__DEVICE", "cpu")
    assert load().asr.choice() == Choice("whisper", {"threads": 1, "device": "cpu"}, "the settings name it")


# ---- the language model ------------------------------------------------------------------------------------


def test_without_key_and_url_the_guide_answers() -> None:
    assert load().llm.choice() == Choice("guide", {}, "neither OPENAI_BASE_URL nor OPENAI_API_KEY is given")


def test_a_key_chooses_the_model_behind_it_and_is_told_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    settings = load(llm={"model": "big"})
    assert settings.llm.choice() == Choice("chat", {"api_key": "sk-secret", "model": "big"}, "an API key is given")
    assert "sk-secret" not in repr(settings) + settings.llm.choice().why


def test_a_url_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://me:word@localhost:8000/v1")
    choice = load().llm.choice()
    assert (choice.engine, choice.why) == ("chat", "a base URL is given (localhost)")
    assert choice.arguments == {"base_url": "http://me:word@localhost:8000/v1"}


def test_azure_is_chosen_with_its_version_and_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    azure = {"server": "azure", "api_version": "2026-01-01", "deployment": "our-gpt", "context": 16_000}
    choice = load(llm={"base_url": "https://house.example.org", **azure}).llm.choice()
    assert choice.arguments == {"base_url": "https://house.example.org", "api_key": "sk-secret", **azure}
    with pytest.raises(SettingsError, match=r"the setting llm\.server \(AVATAR_LLM__SERVER\) is wrong"):
        load(llm={"server": "oven"})


def test_our_own_variables_win_over_the_common_ones_and_an_engine_that_is_named_over_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://common/v1")
    monkeypatch.setenv("AVATAR_LLM__BASE_URL", "http://ours/v1")
    assert load().llm.base_url == "http://ours/v1"
    assert load(llm={"engine": "guide"}).llm.choice() == Choice("guide", {}, "the settings name it")


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", " ")
    monkeypatch.setenv("AVATAR_LLM__BASE_URL", "")
    assert load().llm.choice().engine == "guide"


# ---- what sessions get -------------------------------------------------------------------------------------


def test_the_defaults_are_those_of_the_core() -> None:
    assert load().reporting_pace() == Pace()
    assert load().driving() == Driving()


def test_seconds_become_samples() -> None:
    pace = load(pace={"send_lead_s": 0.5, "end_of_turn_ms": 300, "look_ahead_ms": 40}).reporting_pace()
    assert (pace.send_lead, pace.end_of_turn, pace.look_ahead) == (12_000, 4_800, 960)


def test_settings_travel_to_another_process() -> None:
    settings = load(llm={"api_key": "sk-secret"})
    copy = pickle.loads(pickle.dumps(settings))
    assert copy == settings
    assert copy.llm.api_key.get_secret_value() == "sk-secret"


# ---- mistakes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        ({"colour": 1}, "there is no setting 'colour'; the top has profile, asr, listener, turn, llm"),
        ({"tts": {"enginee": "x"}}, "there is no setting 'tts.enginee'; tts has engine, arguments, voice, language"),
        ({"ray": {"tts": {"gpu": 1}}}, "there is no setting 'ray.tts.gpu'; ray.tts has replicas, most, gpus"),
        ({"gateway": {"port": "eight"}}, "the setting gateway.port (AVATAR_GATEWAY__PORT) is wrong: Input should"),
        ({"gateway": {"port": 70_000}}, "the setting gateway.port (AVATAR_GATEWAY__PORT) is wrong: Input should"),
        ({"pace": {"utterance_s": 600}}, "the setting pace.utterance_s (AVATAR_PACE__UTTERANCE_S) is wrong"),
        ({"asr": 3}, "the setting asr (AVATAR_ASR) is wrong"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_setting(wishes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(**wishes)
    assert str(refused.value).startswith(sentence)
    assert "\n" not in str(refused.value)


def test_more_gpus_booked_than_there_are_is_refused_for_ray_would_wait_for_ever() -> None:
    fractions = {name: {"gpus": 0.25} for name in ("asr", "llm", "tts", "face")}
    assert load(ray={"num_gpus": 1, **fractions}).ray.tts.gpus == 0.25
    with pytest.raises(
        SettingsError, match=r"1\.25 GPUs are booked and num_gpus is 1; lower the gpus of asr, llm, tts"
    ):
        load(ray={"num_gpus": 1, **fractions, "gateway": {"gpus": 0.25}})
    assert load(ray={"address": "10.0.0.1:6379", "tts": {"gpus": 4}}).ray.tts.gpus == 4


def test_conversations_are_kept_as_text_in_a_file_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    store = load().store
    assert (store.keep, store.days, store.address()) == ("text", 30, "sqlite:////data/realtime-avatar/avatar.db")
    secret = load(store={"url": "postgresql://me:secret@db/avatar"})
    assert secret.store.address() == "postgresql://me:secret@db/avatar"
    assert "secret" not in repr(secret)
    with pytest.raises(SettingsError, match=r"^the setting store .*begins with sqlite:/// or postgresql://; choose"):
        load(store={"url": "mysql://db/avatar"})


def test_more_than_one_gateway_needs_postgresql_or_keeps_nothing() -> None:
    two = {"gateway": {"replicas": 2}}
    with pytest.raises(SettingsError, match=r"^SQLite serves one node; a gateway of 2 replicas needs PostgreSQL: set"):
        load(ray=two)
    for store in ({"keep": "none"}, {"url": "postgresql://db/avatar"}):
        assert load(ray=two, store=store).ray.gateway.replicas == 2


def test_an_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_PORT", "1")
    with pytest.raises(SettingsError, match=r"the environment variable AVATAR_PORT is no setting; .*AVATAR_GATEWAY"):
        load()


def test_an_unknown_variable_below_a_group_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_GATEWAY__PRT", "1")
    with pytest.raises(SettingsError, match=r"there is no setting 'gateway\.prt'; gateway has host, port"):
        load()


def test_an_unknown_profile_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(
        SettingsError, match=r"no profile 'gpu'; choose cpu or .*l4 or .*two-l4 or .*, or a \.toml file"
    ):
        load("gpu")


def test_a_profile_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml cannot be read: No such file"):
        load(tmp_path / "none.toml")
    with pytest.raises(SettingsError, match=r"mine\.toml is not TOML"):
        load(profile(tmp_path, "[tts\n"))


def test_the_number_of_replicas_may_follow_the_load_between_two_bounds() -> None:
    share = load(ray={"asr": {"replicas": 0, "most": 3}}).ray.asr
    assert (share.replicas, share.most, share.largest) == (0, 3, 3)
    with pytest.raises(SettingsError, match=r"most is 1 and replicas 2; let most be the larger, or 0"):
        load(ray={"asr": {"replicas": 2, "most": 1}})
    with pytest.raises(SettingsError, match=r"replicas is 0 and would stay so; let most be 1 or more"):
        load(ray={"asr": {"replicas": 0}})
    with pytest.raises(SettingsError, match=r"2 GPUs are booked and num_gpus is 1"):
        load(ray={"num_gpus": 1, "asr": {"gpus": 0.5, "most": 4}})


def test_stages_that_share_a_process_are_one_deployment() -> None:
    assert load().ray.deployed() == ("asr", "llm", "tts", "face", "gateway")
    shared = load(ray={"together": ["asr", "face"], "asr": {"gpus": 9}, "face": {"gpus": 9}}).ray
    assert shared.deployed() == ("llm", "tts", "gpu", "gateway")


def test_what_everybody_may_know_holds_no_address_and_no_key() -> None:
    chosen = load("cpu", llm={"base_url": "http://models.example/v1", "api_key": "sk-secret"}, store={"days": 7})
    assert chosen.about() == {
        "profile": "cpu",
        "engines": {"asr": "whisper", "llm": "chat", "tts": "hibari", "face": "portrait", "turn": None},
        "kept": {"keep": "text", "days": 7.0},
    }


def test_the_format_of_the_log_has_a_short_name_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().log.format == "text"
    monkeypatch.setenv("AVATAR_LOG", "json")
    assert load().log.format == "json"
    monkeypatch.setenv("AVATAR_LOG", "xml")
    with pytest.raises(SettingsError, match=r"log\.format .*'text' or 'json'"):
        load()
    monkeypatch.delenv("AVATAR_LOG")
    monkeypatch.setenv("AVATAR_LOG__FORMAT", "json")
    assert load().log.format == "json"


def test_traces_go_to_a_collector_or_into_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for endpoint in ("http://localhost:4318/v1/traces", "file:///tmp/spans", ""):
        assert load(tracing={"endpoint": endpoint}).tracing.endpoint == endpoint
    with pytest.raises(SettingsError, match=r"tracing\.endpoint"):
        load(tracing={"endpoint": "localhost:4318"})
