"""What is deployed, with which options, and how a start that fails is told. Nothing here starts Ray."""

from __future__ import annotations

import os
import socket
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import ServeDeploySchema

from serve_app import cluster, head, placement
from serve_app.groups import Cluster
from serve_app.settings import SettingsError, load, profiles

ROOT = Path(__file__).resolve().parents[2]
HIDDEN = {"runtime_env": {"env_vars": {"CUDA_VISIBLE_DEVICES": ""}}}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("AVATAR_", "OPENAI_")):
            monkeypatch.delenv(name)


# ---- what is deployed --------------------------------------------------------------------------------------


def test_each_part_is_an_application_of_its_own() -> None:
    assert list(cluster.applications(load(), gateway=True)) == ["asr", "llm", "tts", "face", "gateway"]
    assert list(cluster.applications(load(), gateway=False)) == ["asr", "llm", "tts", "face"]
    assert list(cluster.applications(load(face={"engine": "none"}), gateway=False)) == ["asr", "llm", "tts"]


def test_a_part_without_a_share_of_a_gpu_sees_none() -> None:
    settings = load(ray={"num_gpus": 1, "face": {"gpus": 0.45, "cpus": 1, "replicas": 2}})
    assert placement.options(settings, "face")["ray_actor_options"] == {"num_cpus": 1.0, "num_gpus": 0.45}
    assert placement.options(settings, "face")["num_replicas"] == 2
    assert placement.options(settings, "tts")["ray_actor_options"] == {"num_cpus": 0.0, "num_gpus": 0.0, **HIDDEN}


def test_only_the_gateway_is_replaced_before_it_stops_and_it_stops_after_its_clients() -> None:
    settings = load(gateway={"drain_s": 20})
    gateway, tts = (placement.options(settings, name) for name in ("gateway", "tts"))
    assert (gateway["max_surge_percent"], gateway["graceful_shutdown_timeout_s"]) == (100, 25.0)
    assert "max_surge_percent" not in tts


def test_parts_keep_to_nodes_of_their_own_if_the_settings_say_so() -> None:
    settings = load(ray={"address": "10.8.0.1:6379", "apart": True, "face": {"gpus": 0.45}})
    booked = {name: placement.options(settings, name)["ray_actor_options"]["resources"] for name in ("asr", "gateway")}
    assert booked == {"asr": {"asr": 1.0}, "gateway": {"gateway": 0.5}}, "two gateways: the new one comes first"
    assert placement.options(settings, "face")["max_replicas_per_node"] == 1
    assert "resources" not in placement.options(load(), "gateway")["ray_actor_options"]
    written = load("l4", ray={"apart": True})
    assert placement.config("l4", apart=True) == placement.config("l4", ray=written.ray.model_dump())


def test_no_queue_is_without_end_and_a_death_is_noticed_within_a_second() -> None:
    for name in ("asr", "llm", "tts", "face"):
        options = placement.options(load(), name)
        assert options["max_queued_requests"] > 0
        assert options["health_check_period_s"] == 1.0


def test_an_engine_that_nobody_knows_is_refused_before_ray_is_started() -> None:
    with pytest.raises(SettingsError, match="tts has no engine 'choir'"):
        cluster.applications(load(tts={"engine": "choir"}), gateway=False)


# ---- for `serve deploy` ------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", profiles())
def test_the_config_in_the_tree_is_the_one_that_the_profile_makes(profile: str) -> None:
    written = (ROOT / "cluster" / "serve" / f"{profile}.yaml").read_text()
    assert written == placement.text(profile), f"avatar config --profile {profile} --out cluster/serve/{profile}.yaml"


@pytest.mark.parametrize(
    ("profile", "names"),
    [("cpu", "asr llm tts face gateway"), ("l4", "asr llm tts face gateway"), ("l4-one-process", "llm gpu gateway")],
)
def test_serve_understands_the_config_and_keeps_all_of_it(profile: str, names: str) -> None:
    config = placement.config(profile)
    schema = ServeDeploySchema.model_validate(config)
    assert [application.name for application in schema.applications] == names.split()
    for application, kept in zip(config["applications"], schema.applications, strict=True):
        assert kept.deployments[0].model_dump(exclude_unset=True, exclude_defaults=True).keys() == (
            application["deployments"][0].keys()
        )


def test_stages_can_share_a_process_and_the_gateway_calls_them_there() -> None:
    settings = load(ray={"num_gpus": 1, "together": ["tts", "face"], "gpu": {"gpus": 0.9}})
    made = cluster.applications(settings, gateway=False)
    assert list(made) == ["asr", "llm", "gpu"]
    assert made["gpu"]._bound_deployment.init_args == ({"tts": ("hibari", {}), "face": ("portrait", {})},)


@pytest.mark.filterwarnings("ignore:The `metrics_interval_s` field:DeprecationWarning")
def test_a_number_that_follows_the_load_is_asked_of_our_policy() -> None:
    settings = load(ray={"asr": {"replicas": 0, "most": 3, "ongoing": 4}})
    asr, tts = (placement.options(settings, name) for name in ("asr", "tts"))
    assert (asr["num_replicas"], tts["num_replicas"]) == ("auto", 1)
    scaled = AutoscalingConfig.model_validate(asr["autoscaling_config"])
    assert (scaled.min_replicas, scaled.initial_replicas, scaled.max_replicas) == (0, 0, 3)
    assert scaled.policy.policy_kwargs == {"kind": "asr", "each": 4}


def test_caps_of_memory_and_mps_reach_the_replica_by_its_environment() -> None:
    face = {"gpus": 0.45, "caps": {"torch": 0.3, "tensorrt_mb": 2048}}
    settings = load(ray={"num_gpus": 1, "mps": True, "face": face})
    told = placement.options(settings, "face")["ray_actor_options"]["runtime_env"]["env_vars"]
    assert told == {
        "GPU_CAP_TORCH_FRACTION": "0.3",
        "GPU_CAP_TENSORRT_WORKSPACE_MB": "2048",
        "CUDA_MPS_PIPE_DIRECTORY": "/tmp/nvidia-mps",
        "CUDA_MPS_LOG_DIRECTORY": "/tmp/nvidia-mps-log",
    }
    assert placement.options(settings, "tts")["ray_actor_options"] == {"num_cpus": 0.0, "num_gpus": 0.0, **HIDDEN}


def test_the_config_names_what_builds_an_application() -> None:
    [args] = [one["args"] for one in placement.config("cpu")["applications"] if one["name"] == "tts"]
    built = cluster.application(args)
    assert built._bound_deployment.name == "tts"


# ---- a start that fails ------------------------------------------------------------------------------------


def told(*messages: str) -> SimpleNamespace:
    deployments = {str(k): SimpleNamespace(message=message) for k, message in enumerate(messages)}
    return SimpleNamespace(deployments=deployments, message="Deployment 'tts' failed.")


def test_the_reason_is_the_engines_own_sentence() -> None:
    trace = "The deployment failed to start\nTraceback:\n  File x\nstreaming.stages.StageError: no weights; pull them\n"
    assert cluster._why(told(trace)) == "no weights; pull them"
    assert cluster._why(told("Traceback\nOSError: [Errno 98] Address already in use\n")).startswith("OSError")
    assert cluster._why(told("")) == "Deployment 'tts' failed."


def test_a_cluster_that_does_not_answer_is_told_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(head.NotStarted, match=f"no Ray cluster answers at {address}"):
            head._attach(Cluster(address=address))


def test_a_folder_with_a_long_name_is_refused_for_sockets_lie_in_it() -> None:
    with pytest.raises(head.NotStarted, match=r"46 characters, 45 are the most; set ray\.temp_dir to a shorter one"):
        head._folder(Cluster(temp_dir="/" + 45 * "a"))


# ---- avatar config -----------------------------------------------------------------------------------------


def test_the_command_writes_a_config_and_says_which_engines_are_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "serve.yaml"
    assert placement.main("cpu", out) == 0
    assert out.read_text() == placement.text("cpu")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("AVATAR_TTS__ENGINE", "choir")
    assert placement.main("cpu", None) == 1
    said = capsys.readouterr()
    assert said.out == placement.text("cpu")
    assert said.err.startswith(
        "avatar: tts has no engine 'choir' yet: the profile cpu cannot be started; choose one of"
    )


def test_a_config_with_mps_says_how_its_daemon_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_RAY__MPS", "true")
    third = placement.text("cpu").splitlines()[2]
    assert third.endswith("CUDA_MPS_LOG_DIRECTORY=/tmp/nvidia-mps-log nvidia-cuda-mps-control -d")


def test_replicas_are_told_how_to_log_and_where_traces_go_if_anybody_chose() -> None:
    settings = load(log="json", tracing={"endpoint": "file:///spans"})
    environment = placement.options(settings, "llm")["ray_actor_options"]["runtime_env"]["env_vars"]
    assert environment == {
        "CUDA_VISIBLE_DEVICES": "",
        "AVATAR_LOG__FORMAT": "json",
        "AVATAR_TRACING__ENDPOINT": "file:///spans",
    }


def test_sessions_keep_to_a_replica_where_there_are_several_and_they_keep_caches() -> None:
    settings = load(ray={"face": {"replicas": 2}, "tts": {"most": 3}, "llm": {"replicas": 2}})
    routed = {name: "request_router_config" in placement.options(settings, name) for name in settings.ray.deployed()}
    assert routed == {"asr": False, "llm": False, "tts": True, "face": True, "gateway": False}
    module, _, router = placement.BY_SESSION.partition(":")
    assert hasattr(import_module(module), router), "Ray still has it"
