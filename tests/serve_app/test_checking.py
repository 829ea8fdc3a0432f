"""A good config has no fault; each way to spoil it is told in a sentence, with its place and what to write."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.serve import config as ray_config
from ray.serve import schema

from serve_app import checking, placement
from serve_app.placing import parts
from serve_app.settings import profiles

SERVE = Path(__file__).resolve().parents[2] / "cluster" / "serve"
Config = dict[str, Any]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith(("AVATAR_", "OPENAI_")):
            monkeypatch.delenv(name)


def good() -> Config:
    return copy.deepcopy(placement.config("cpu"))


def deployment(config: Config, name: str) -> Config:
    [found] = [one["deployments"][0] for one in config["applications"] if one["name"] == name]
    return found


def on_gpus(**shares: tuple[int, float]) -> Config:
    """A config whose deployments have so many replicas, each with such a share of a GPU."""
    config = good()
    for name, (replicas, each) in shares.items():
        one = deployment(config, name)
        one["num_replicas"] = replicas
        one["ray_actor_options"] = {"num_cpus": 0.0, "num_gpus": each}
    return config


# ---- a good one --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", profiles())
def test_the_configs_in_the_tree_have_no_fault_but_engines_that_are_not_there_yet(profile: str) -> None:
    found = checking.faults(checking.read(SERVE / f"{profile}.yaml"))
    assert [sentence for sentence in found if " has no engine " not in sentence] == []


def test_our_keys_are_those_of_ray() -> None:
    models = {
        "config": schema.ServeDeploySchema,
        "application": schema.ServeApplicationSchema,
        "deployment": schema.DeploymentSchema,
        "ray_actor_options": schema.RayActorOptionsSchema,
        "autoscaling_config": ray_config.AutoscalingConfig,
        "policy": ray_config.AutoscalingPolicy,
        "http_options": schema.HTTPOptionsSchema,
        "grpc_options": schema.gRPCOptionsSchema,
        "logging_config": schema.LoggingConfig,
    }
    assert set(parts.KEYS) - set(models) == {"args", "runtime_env"}
    for name, model in models.items():
        assert set(parts.KEYS[name]) == set(model.model_fields), name


# ---- one spoilt in one way ---------------------------------------------------------------------------------


def spoils() -> dict[str, tuple[Callable[[Config], Any], str]]:
    """Name -> what is done to a good config, and the whole fault or its beginning."""
    app = "applications[2]"
    tts = f"{app}.deployments[0]"

    def of(name: str, /, **values: Any) -> Callable[[Config], Any]:
        return lambda config: deployment(config, name).update(values)

    def at(k: int, /, **values: Any) -> Callable[[Config], Any]:
        return lambda config: config["applications"][k].update(values)

    def scaled(**counts: Any) -> Callable[[Config], Any]:
        return of("tts", num_replicas="auto", autoscaling_config=counts)

    return {
        "no applications": (lambda config: config.clear(), "applications: there are none; write a config with"),
        "a key at the top": (
            lambda c: c.update(proxy_locaton="x"),
            "proxy_locaton: there is no such key; write proxy_loc",
        ),
        "a key nobody knows": (lambda c: c.update(zebra=1), "zebra: there is no such key; remove it, or choose one of"),
        "a key of an application": (
            at(2, import_pth="x"),
            f"{app}.import_pth: there is no such key; write import_path",
        ),
        "a key of a deployment": (of("tts", num_replica=2), f"{tts}.num_replica: there is no such key; write num_repl"),
        "a key that only code knows": (
            of("tts", max_constructor_retry_count=2),
            f"{tts}.max_constructor_retry_count: there is no such key; ",
        ),
        "a key of the actor": (
            lambda c: deployment(c, "tts")["ray_actor_options"].update(num_gpu=1),
            f"{tts}.ray_actor_options.num_gpu: there is no such key; write num_gpus",
        ),
        "a key of scaling": (
            scaled(max_replicas=2, min_replica=1),
            f"{tts}.autoscaling_config.min_replica: there is no",
        ),
        "a key of its policy": (
            scaled(max_replicas=2, policy={"policy_function": placement.POLICY, "kwargs": {}}),
            f"{tts}.autoscaling_config.policy.kwargs: there is no such key; ",
        ),
        "a key of args": (
            lambda c: c["applications"][2]["args"].update(profil="cpu"),
            f"{app}.args.profil: there is no such key; write profile",
        ),
        "a wrong name": (
            lambda c: (
                at(2, name="voice")(c),
                of("voice", name="voice")(c),
                c["applications"][2]["args"].update(name="voice"),
            ),
            f"{app}.name: there is no deployment 'voice'; write one of asr, llm, tts, face, gpu, gateway",
        ),
        "a wrong deployment": (of("tts", name="speech"), f"{tts}.name: this is 'speech'; write tts"),
        "wrong args": (
            lambda c: c["applications"][2]["args"].update(name="asr"),
            f"{app}.args.name: this is not what it builds; write tts",
        ),
        "twice": (
            lambda c: c["applications"].append(c["applications"][2]),
            "applications[5].name: tts is there already;",
        ),
        "two in one": (
            lambda c: c["applications"][2]["deployments"].append(copy.deepcopy(deployment(c, "tts"))),
            f"{app}.deployments: there are 2; write one, so that it restarts alone",
        ),
        "one missing": (
            lambda c: c["applications"].pop(2),
            "applications: tts is missing, which the profile cpu calls;",
        ),
        "min > max": (
            scaled(min_replicas=3, max_replicas=2),
            f"{tts}.autoscaling_config.min_replicas: 3 is more than max_replicas, 2; write 2 or less",
        ),
        "initial > max": (
            scaled(min_replicas=1, max_replicas=2, initial_replicas=5),
            f"{tts}.autoscaling_config.initial_replicas: 5 is not between 1 and 2; write 1",
        ),
        "no max": (scaled(min_replicas=1), f"{tts}.autoscaling_config.max_replicas: this is None; write a number"),
        "two numbers": (
            of("tts", autoscaling_config={"max_replicas": 2}),
            f"{tts}.num_replicas: an autoscaling_config decides it; write auto",
        ),
        "no replicas": (of("tts", num_replicas=0), f"{tts}.num_replicas: this is 0; write a number from 1, or an"),
        "a queue without end": (
            of("tts", max_queued_requests=-1),
            f"{tts}.max_queued_requests: calls would wait without",
        ),
        "no queue": (
            lambda c: deployment(c, "tts").pop("max_queued_requests"),
            f"{tts}.max_queued_requests: calls would wait without end; write a number of calls, 32 for instance",
        ),
        "surge": (
            of("tts", max_surge_percent=100),
            f"{tts}.max_surge_percent: a GPU has no room for a second replica;",
        ),
        "sight of GPUs": (
            of("tts", ray_actor_options={"num_cpus": 0, "num_gpus": 0}),
            f"{tts}.ray_actor_options.runtime_env.env_vars: it books no GPU and could take one; write CUDA_VISIBLE_DEV",
        ),
        "two gateways": (
            of("gateway", num_replicas=2),
            "applications[4].deployments[0].num_replicas: 2 gateways cannot share SQLite; write 1, or set AVATAR_STORE",
        ),
        "a timeout": (
            lambda c: c.update(http_options={"request_timeout_s": 60}),
            "http_options.request_timeout_s: it would cut conversations that last longer; remove it",
        ),
        "one route twice": (
            lambda c: (at(1, route_prefix="/a")(c), at(2, route_prefix="/a")(c)),
            f"{app}.route_prefix: /a is that of applications[1] too (/ if it is not written); write null",
        ),
        "routes that nobody wrote": (
            lambda c: (c["applications"][1].pop("route_prefix"), c["applications"][2].pop("route_prefix")),
            f"{app}.route_prefix: / is that of applications[1] too (/ if it is not written); write null",
        ),
        "the gateway's port": (
            lambda c: c.update(http_options={"port": 8080}),
            "http_options.port: 8080 is the gateway's port; write another, or remove it",
        ),
        "one port twice": (
            lambda c: c.update(http_options={"port": 9000}, grpc_options={"port": 9000}),
            "grpc_options.port: 9000 is http_options's port; write another, or remove it",
        ),
        "no such module": (
            at(2, import_path="serve_app.clutser:application"),
            f"{app}.import_path: there is no module serve_app.clutser; write serve_app.cluster:application",
        ),
        "no such function": (
            at(2, import_path="serve_app.cluster:app"),
            f"{app}.import_path: serve_app.cluster has no app; write serve_app.cluster:application",
        ),
        "no such policy": (
            scaled(max_replicas=2, policy={"policy_function": "serve_app.scaling:Polizei"}),
            f"{tts}.autoscaling_config.policy.policy_function: serve_app.scaling has no Polizei; write serve_app.scal",
        ),
        "no such profile": (
            lambda c: [one["args"].update(profile="gpu") for one in c["applications"]],
            "applications[0].args.profile: there is no profile 'gpu'; choose cpu or cpu-multilingual or l4",
        ),
        "two profiles": (
            lambda c: c["applications"][2]["args"].update(profile="l4"),
            f"{app}.args.profile: this is l4 and others have cpu; write the same in all",
        ),
    }


@pytest.mark.parametrize("name", spoils())
def test_what_was_spoilt_is_told(name: str) -> None:
    spoil, beginning = spoils()[name]
    config = good()
    assert checking.faults(config) == []
    spoil(config)
    found = checking.faults(config)
    assert [sentence for sentence in found if sentence.startswith(beginning)] != [], found
    assert all("\n" not in sentence and "; " in sentence for sentence in found)


def test_an_engine_that_is_not_in_the_tables_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_TTS__ENGINE", "choir")
    [told] = checking.faults(good())
    assert told.startswith("applications[0].args.profile: tts has no engine 'choir' yet: the profile cpu cannot be")
    assert "hibari" in told


def test_several_gateways_may_share_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_STORE__URL", "postgresql://db/avatar")
    config = good()
    deployment(config, "gateway")["num_replicas"] = 2
    assert checking.faults(config) == []


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    under = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(deeper for key, value in under for deeper in places(value, (*path, key)))]


def one_of_each() -> list[tuple[Any, ...]]:
    """Every place of a config, but of the applications, which are alike, only one."""
    return [path for path in places(good()) if path and path[1:2] in ((), (2,))]


def test_nonsense_in_any_place_is_a_fault_or_harmless_and_never_a_traceback() -> None:
    for path in one_of_each():
        for nonsense in (None, -1, "x", [], {"x": []}):
            config = good()
            node: Any = config
            for key in path[:-1]:
                node = node[key]
            node[path[-1]] = nonsense
            assert all(isinstance(sentence, str) for sentence in checking.faults(config, gpus=1))


def test_a_key_that_nobody_knows_is_told_wherever_it_stands() -> None:
    """But in ``env_vars``, where names are free."""
    for path in [(), *one_of_each()]:
        config = good()
        node: Any = config
        for key in path:
            node = node[key]
        if not isinstance(node, dict) or path[-1:] == ("env_vars",):
            continue
        node["zebra"] = 1
        assert any("zebra: there is no such key" in sentence for sentence in checking.faults(config)), path


# ---- GPUs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shares", "gpus", "told"),
    [
        ({"asr": (1, 0.2), "tts": (1, 0.25), "face": (1, 0.45)}, 1, ""),
        ({"asr": (1, 0.2), "tts": (1, 0.25), "face": (1, 0.5)}, 1, "= 0.95 of 1 GPUs, and 0.9 of each is the most"),
        ({"tts": (1, 0.95)}, 1, "tts books 0.95 of a GPU and 0.9 is the most; book less"),
        ({"tts": (3, 1)}, 2, "3 GPUs are booked and there are 2; lower the replicas"),
        ({"face": (2, 0.45)}, 2, "two replicas of face fit on one GPU (0.45 each)"),
        ({"face": (2, 0.51)}, 2, ""),
        ({"asr": (1, 0.11), "tts": (2, 0.14), "face": (2, 0.51)}, 2, ""),
        # Both voices on one GPU leave 0.4 of it: the second face never starts.
        ({"tts": (2, 0.3), "face": (2, 0.51)}, 2, "face (0.51) may find no GPU with room when the others start first"),
        ({"asr": (2, 0.2), "face": (2, 0.55)}, 2, "may come to a GPU on which"),
        ({"asr": (20, 0.15), "tts": (20, 0.3), "llm": (20, 0.45)}, 64, "too many replicas share GPUs to say"),
    ],
)
def test_shares_fit_in_whatever_order_they_start(shares: dict[str, tuple[int, float]], gpus: int, told: str) -> None:
    found = checking.faults(on_gpus(**shares), gpus)
    if told:
        [sentence] = found
        assert told in sentence
    else:
        assert found == []


def test_a_face_for_each_node_may_be_small() -> None:
    config = on_gpus(face=(2, 0.45))
    deployment(config, "face")["max_replicas_per_node"] = 1
    assert checking.faults(config, gpus=2) == []


def test_the_most_replicas_count_where_the_number_follows_the_load() -> None:
    config = on_gpus(asr=(1, 0.4))
    deployment(config, "asr").update(num_replicas="auto", autoscaling_config={"min_replicas": 0, "max_replicas": 3})
    [told] = checking.faults(config, gpus=1)
    assert "asr 3 x 0.4 = 1.2 of 1 GPUs" in told


# ---- the file ----------------------------------------------------------------------------------------------


def test_the_command_says_each_fault_on_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text(yaml.safe_dump(good()))
    assert checking.main(path) == 0
    assert capsys.readouterr() == (f"{path}: no fault\n", "")
    path.write_text(yaml.safe_dump({**good(), "zebra": 1}))
    assert checking.main(path) == 1
    out, err = capsys.readouterr()
    assert out == f"{path}: 1 fault\n"
    assert err.startswith("zebra: there is no such key")


@pytest.mark.parametrize(
    ("content", "told"),
    [("a: [", "is not YAML"), ("a: 1\na: 2\n", "the key 'a' is written twice"), ("? [1]\n: 2\n", "is not YAML")],
)
def test_what_is_no_config_is_one_sentence(content: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text(content)
    with pytest.raises(checking.NotRead, match=told) as refused:
        checking.read(path)
    assert "\n" not in str(refused.value)
    with pytest.raises(checking.NotRead, match=r"none\.yaml cannot be read: no such file"):
        checking.read(tmp_path / "none.yaml")
