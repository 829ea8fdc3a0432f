"""What the shipped profiles promise fits: on their GPUs, in their memory, and in the files that were made of them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from actors.models import MODELS
from actors.tts.polyglot import Polyglot
from cluster.build import CONFIGS
from serve_app import checking, placement, room
from serve_app.app import checked, choices
from serve_app.groups import Cluster
from serve_app.settings import Settings, load, profiles
from serve_app.weights import needed

CARD = 23.0
"""Gigabytes that can be had of an L4's 24."""
CONTEXT = 0.4
"""Of each process with a share of a GPU."""
WHISPER = {"turbo": 1.7, "large-v3": 3.0}
"""What CTranslate2 takes in int8_float16; it has no cap."""
LEAST = {"xtts": 3.4, "ditto": 5.0}
"""What the engines are thought to take; a cap below it would starve them."""
LANGUAGE = 0.33 * CARD
"""What the comment of the profile l4 gives vLLM."""

NAMES = {
    "cpu", "cpu-multilingual", "mac", "l4", "l4-one-process", "l4-api", "two-l4", "two-l4-one-process",
}  # fmt: skip
ON_GPUS = sorted(name for name in NAMES if "l4" in name)


@dataclass(frozen=True, slots=True)
class Piece:
    """What one replica takes of a card."""

    name: str
    gpus: float
    memory: float
    """Gigabytes."""


def pieces(settings: Settings) -> list[Piece]:
    """Every replica with a share of a GPU."""
    ray, found = settings.ray, list[Piece]()
    for name in ray.deployed():
        share = ray.share(name)
        inside = ray.together if name == "gpu" else (name,)
        memory = CONTEXT + CARD * share.caps.torch + share.caps.tensorrt_mb * 2**20 / 1e9
        if "asr" in inside:
            memory += WHISPER[settings.asr.arguments["model"]]
        found += [Piece(name, share.gpus, memory)] * (share.largest if share.gpus else 0)
    return found


def fullest(found: list[Piece], room: float = 1.0) -> float:
    """Most memory that pieces take which Ray could put on one GPU; it looks at fractions alone."""
    if not found:
        return 0.0
    first, rest = found[0], found[1:]
    without = fullest(rest, room)
    return max(without, first.memory + fullest(rest, room - first.gpus)) if first.gpus <= room + 1e-9 else without


def test_these_are_the_profiles() -> None:
    assert set(profiles()) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_profile_names_engines_and_models_that_can_be_pulled(name: str) -> None:
    settings = load(name)
    assert set(choices(settings)) == {"asr", "llm", "tts", "face"}
    assert set(needed(settings)) <= set(MODELS)


@pytest.mark.parametrize("name", sorted(NAMES - set(ON_GPUS)))
def test_a_profile_without_gpus_books_none(name: str) -> None:
    ray: Cluster = load(name).ray
    assert ray.num_gpus == 0 and all(ray.share(deployed).gpus == 0 for deployed in ray.deployed())


@pytest.mark.parametrize("name", ON_GPUS)
def test_at_most_nine_tenths_of_each_gpu_are_booked_and_two_faces_fit_on_none(name: str) -> None:
    ray = load(name).ray
    assert sum(piece.gpus for piece in pieces(load(name))) <= 0.9 * ray.num_gpus + 1e-9
    face = ray.share("gpu" if ray.together else "face")
    assert face.largest == 1 or 2 * face.gpus > 1


@pytest.mark.parametrize("name", ON_GPUS)
def test_the_memory_of_whatever_comes_to_one_gpu_fits(name: str) -> None:
    assert fullest(pieces(load(name))) <= CARD


@pytest.mark.parametrize("name", ON_GPUS)
def test_caps_leave_the_engines_what_they_need(name: str) -> None:
    settings = load(name)
    ray = settings.ray
    if ray.together:
        assert CARD * ray.gpu.caps.torch >= sum(LEAST.values())
    else:
        assert CARD * ray.tts.caps.torch >= LEAST[settings.tts.engine]
        assert CARD * ray.face.caps.torch >= LEAST[settings.face.engine]


@pytest.mark.parametrize("name", ON_GPUS)
def test_two_people_are_let_in_for_each_card_and_no_stage_turns_them_away(name: str) -> None:
    settings = load(name)
    ray, most = settings.ray, room.part(settings, lambda name: settings.ray.share(name).largest)
    assert most == 2 * ray.num_gpus
    for stage in ("asr", "llm", "tts", "face"):
        share = ray.share("gpu" if stage in ray.together else stage)
        assert share.largest * share.ongoing >= most


def growing(name: str, most: int, *stages: str) -> list[str]:
    """Faults of growth where these stages of a profile may have so many replicas for each that they have now."""
    ray = load(name).ray
    shares = {one: {**ray.share(one).model_dump(), "most": most * ray.share(one).replicas} for one in stages}
    found = checking.faults(placement.config(name, ray={**ray.model_dump(), **shares, "num_gpus": 64}))
    return [sentence for sentence in found if "autoscaling_config:" in sentence]


@pytest.mark.parametrize("name", ON_GPUS)
@pytest.mark.parametrize("most", [2, 3, 8])
def test_stages_of_gpus_grow_before_anybody_is_turned_away(name: str, most: int) -> None:
    ray = load(name).ray
    assert growing(name, most, *(stage for stage in ray.deployed() if ray.share(stage).gpus)) == []


def test_a_stage_that_grows_alone_is_said_to_grow_in_vain() -> None:
    """Two carry four, but recognition still carries two."""
    [told] = growing("l4", 3, "face", "tts")[:1]
    assert "with 2 it grows at 4 conversations, and the gateways let in what makes 2" in told


@pytest.mark.parametrize("overlay", sorted(CONFIGS))
def test_every_overlay_grows_before_anybody_is_turned_away(overlay: str) -> None:
    profile, overrides = CONFIGS[overlay]
    found = checking.faults(placement.config(profile, apart=True, **overrides), gpus=4)
    assert [sentence for sentence in found if "autoscaling_config" in sentence] == []


def test_one_l4_has_room_for_a_language_model_of_ones_own() -> None:
    assert fullest(pieces(load("l4"))) + LANGUAGE <= CARD
    assert fullest(pieces(load("l4-api"))) + LANGUAGE > CARD, "where there is none, others use its memory"


def test_two_thirds_of_a_card_do_not_hold_what_takes_more() -> None:
    """The search itself: what fits by fractions but not by memory is found."""
    assert fullest([Piece("a", 0.5, 12.0), Piece("b", 0.5, 13.0), Piece("c", 0.6, 30.0)]) == 30.0
    assert fullest([Piece("a", 0.5, 12.0), Piece("b", 0.5, 13.0)]) == 25.0
    assert fullest([Piece("a", 0.6, 12.0), Piece("b", 0.5, 13.0)]) == 13.0


def test_the_language_is_somebody_elses_where_the_profile_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert load("l4-api").llm.choice().engine == "chat"
    assert load("l4").llm.choice().engine == "guide"
    own = load("l4", llm={"base_url": "http://localhost:8000/v1", "server": "vllm"})
    assert own.llm.choice().engine == "chat"


@pytest.mark.parametrize("name", ON_GPUS)
def test_the_face_of_a_gpu_takes_the_arguments_that_the_profile_gives(name: str) -> None:
    choice = choices(load(name))["face"]
    assert (choice.engine, choice.arguments["runtime"]) == ("ditto", "tensorrt")
    checked("face", choice)


def test_several_languages_are_heard_and_spoken_without_a_gpu() -> None:
    settings = load("cpu-multilingual")
    assert settings.asr.arguments == {"model": "base", "languages": ["en", "es", "zh"]}
    assert settings.tts.engine == "polyglot"
    assert Polyglot.known(**settings.tts.arguments)["languages"] == set(settings.asr.arguments["languages"])
    assert needed(settings) == ["silero-v6", "whisper-base", "hibari", "kokoro"]
