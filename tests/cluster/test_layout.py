"""What runs without containers is what the shipped files say, and what they say that nobody knows is an error."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from cluster.layout import compose, plan, rayservice
from cluster.layout.box import GIVEN, Unknown, filled
from cluster.layout.database import STORE
from cluster.layout.talk import Person, Reply
from serve_app.units import End, Kept, Picture, Sound, Told
from streaming.media import FRAME

ROOT = Path(__file__).resolve().parents[2]
TOLD = GIVEN | {"AVATAR_STORE__URL": STORE}
CERTIFICATE = ("certificate", "key")
PROGRAMS = Path("/pg/bin")
SECRETS = (ROOT / rayservice.SECRETS).read_text("utf-8")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what is read, to change something in."""
    for name in ("cluster", "dashboards", "serve_app/profiles"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def change(root: Path, file: str, right: str, wrong: str) -> None:
    text = (root / file).read_text("utf-8")
    assert right in text, "the place to change is gone"
    (root / file).write_text(text.replace(right, wrong), "utf-8")


def of_compose(root: Path) -> plan.Plan:
    return plan.of_compose(root, PROGRAMS, CERTIFICATE)


# ---- compose -----------------------------------------------------------------------------------------------


def test_compose_gives_commands_and_environment_as_they_are_written() -> None:
    boxes = {box.name: box for box in of_compose(ROOT).boxes}
    content = yaml.safe_load((ROOT / "cluster/compose.yaml").read_text("utf-8"))["services"]
    for name in ("head", "asr", "tts", "face"):
        assert list(boxes[name].command) == content[name]["command"]
        assert (
            boxes[name].environment.items()
            >= {key: value for key, value in content[name]["environment"].items() if "${" not in value}.items()
        )
    assert boxes["head"].environment["AVATAR_STORE__URL"] == STORE
    assert boxes["head"].environment["OPENAI_API_KEY"] == ""
    assert boxes["redis"].command[:3] == ("redis-server", "--save", "60")


def test_the_gateway_is_there_twice_and_nginx_asks_both() -> None:
    made = of_compose(ROOT)
    first, second = (box for box in made.boxes if box.name in made.gateways)
    assert first.command == second.command
    [nginx] = [box for box in made.boxes if box.name == "nginx"]
    asked = re.findall(r"^ *server (gateway\S*)", nginx.files["/etc/nginx/conf.d/avatar.conf"], re.MULTILINE)
    assert asked == ["gateway-1:8080", "gateway-2:8080"]
    assert nginx.files["/etc/letsencrypt/live/avatar.example.org/fullchain.pem"] == "certificate"


def test_a_change_of_the_file_changes_the_run(tree: Path) -> None:
    change(tree, "cluster/compose.yaml", "--metrics-export-port=9100", "--metrics-export-port=9199")
    change(tree, "cluster/compose.yaml", "stop_grace_period: 30s", "stop_grace_period: 45s")
    change(tree, "cluster/images/face.Dockerfile", "XDG_DATA_HOME=/data", "XDG_DATA_HOME=/elsewhere")
    [face] = [box for box in of_compose(tree).boxes if box.name == "face"]
    assert "--metrics-export-port=9199" in face.command
    assert (face.grace_s, face.environment["XDG_DATA_HOME"]) == (45.0, "/elsewhere")


def test_each_box_starts_behind_what_it_waits_for_and_knows_when_it_is_healthy() -> None:
    order = [box.name for box in of_compose(ROOT).boxes]
    assert order.index("redis") < order.index("head") < order.index("gateway-1")
    for box in of_compose(ROOT).boxes:
        if "start" in box.command:
            assert any(":9100" in word for word in box.healthy), f"{box.name} is not healthy before `deploy`"


def test_prometheus_sees_rays_folder_under_the_name_that_ray_links_to() -> None:
    boxes = {box.name: box for box in of_compose(ROOT).boxes}
    [folder] = [word.removeprefix("--temp-dir=") for word in boxes["head"].command if word.startswith("--temp-dir=")]
    [volume] = [mount.volume for mount in boxes["head"].mounts if mount.at == folder]
    assert any((mount.at, mount.volume) == (folder, volume) for mount in boxes["prometheus"].mounts)


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("${REDIS_IMAGE:-docker.io/library/redis:7.2-bookworm}", "${REDIS_IMAGE}", "REDIS_IMAGE"),
        ("OPENAI_API_KEY: ${OPENAI_API_KEY:-}", "OPENAI_API_KEY: ${OPENAI_TOKEN}", "OPENAI_TOKEN"),
        ("OPENAI_API_KEY: ${OPENAI_API_KEY:-}", "OPENAI_API_KEY: ${OPENAI_API_KEY:?say}", "of a kind"),
        ("docker.io/library/redis", "docker.io/library/valkey", "valkey"),
        ("  stop_grace_period: 30s\n  volumes: [models", "  pid: host\n  volumes: [models", "carries out pid"),
        ("stop_grace_period: 30s", "stop_grace_period: 1m", "1m"),
        ("{ test: [CMD, redis-cli, ping]", "{ test: [CMD-SHELL, redis-cli ping]", "CMD-SHELL"),
        ("redis: { condition: service_healthy }", "valkey: { condition: service_healthy }", "wait"),
    ],
)
def test_what_nobody_knows_is_an_error(tree: Path, right: str, wrong: str, told: str) -> None:
    change(tree, "cluster/compose.yaml", right, wrong)
    with pytest.raises(Unknown, match=re.escape(told)):
        compose.boxes(tree, TOLD)


def test_a_proxy_that_names_another_number_of_gateways_is_an_error(tree: Path) -> None:
    change(tree, "cluster/proxy/nginx.conf", "    # server 127.0.0.1:8081 max_fails=1 fail_timeout=5s;\n", "")
    with pytest.raises(Unknown, match="1 lines name a gateway, and there are 2"):
        of_compose(tree)


def test_placeholders_are_filled_as_compose_does() -> None:
    assert filled("a ${X:-b} $$c", {}, "here") == "a b $c"
    assert filled("${X:-b}", {"X": "y"}, "here") == "y"
    with pytest.raises(Unknown, match=re.escape("here: nobody says what ${X} is")):
        filled("${X}", {}, "here")


# ---- Serve -------------------------------------------------------------------------------------------------


def test_the_serve_config_is_the_shipped_one_but_for_engines_and_gateways() -> None:
    made = yaml.safe_load(of_compose(ROOT).deploy.files[plan.SERVE])
    shipped = yaml.safe_load((ROOT / "cluster/serve/l4-apart.yaml").read_text("utf-8"))
    for one in made["applications"]:
        one["args"]["profile"] = "l4"
    assert made["applications"][-1]["deployments"][0].pop("num_replicas") == 2
    assert shipped["applications"][-1]["deployments"][0].pop("num_replicas") == 1
    assert made == shipped


def test_the_profile_is_the_shipped_one_with_embedded_engines() -> None:
    text = plan.engines(ROOT, "/layout/l4.toml")
    for engine in ("hibari", "portrait"):
        assert f'engine = "{engine}"' in text
    assert not re.search("xtts|ditto|turbo", "".join(line for line in text.splitlines(True) if "engine" in line))
    assert plan.sections(text).keys() >= plan.sections((ROOT / "serve_app/profiles/l4.toml").read_text("utf-8")).keys()


def test_a_new_release_changes_the_gateway_alone() -> None:
    before = of_compose(ROOT).deploy.files[plan.SERVE]
    old, new = (yaml.safe_load(text)["applications"] for text in (before, plan.newer(before)))
    assert [one["name"] for one, other in zip(old, new, strict=True) if one != other] == ["gateway"]


# ---- the RayService ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rendered() -> str:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed: no overlay can be rendered")
    import subprocess

    folder = ROOT / rayservice.OVERLAYS / "l4"
    return subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=True).stdout


def test_a_pod_gets_the_command_and_the_variables_that_kuberay_gives(rendered: str) -> None:
    boxes = {box.name: box for box in rayservice.Rendered(rendered, GIVEN, SECRETS).boxes(ROOT)}
    assert [*boxes] == ["redis", "head", "gateway-1", "gateway-2", "asr-1", "tts-1", "face-1"]
    head, face = boxes["head"], boxes["face-1"]
    assert head.command[-1].startswith("ulimit -n 65536; ray start --block ")
    assert " --head " in head.command[-1] and " --redis-password=$REDIS_PASSWORD" in head.command[-1]
    assert '--resources="{\\"face\\": 1}"' in face.command[-1] and " --num-gpus=1 " in face.command[-1]
    assert face.environment["RAY_AUTH_MODE"] == "token" and face.environment["AVATAR_GATEWAY__DRAIN_S"] == "20"
    assert head.environment["RAY_REDIS_ADDRESS"] == "redis:6379"
    assert boxes["gateway-1"].environment["AVATAR_STORE__URL"] == "postgresql://avatar@postgres/avatar"
    assert boxes["gateway-1"].environment["PGPASSWORD"] == GIVEN["PGPASSWORD"]
    assert "REDIS_PASSWORD" not in boxes["gateway-1"].environment, "a secret of another name"
    assert boxes["gateway-1"].leave == ("sleep", "25") and boxes["gateway-1"].grace_s == 60.0


def test_the_store_is_the_postgresql_of_the_overlay(rendered: str) -> None:
    store = rayservice.Rendered(rendered, GIVEN, SECRETS).store(PROGRAMS)
    assert (store.name, store.healthy[0]) == ("postgres", "pg_isready")
    assert store.environment.items() >= {"POSTGRES_PASSWORD": GIVEN["PGPASSWORD"], "POSTGRES_USER": "avatar"}.items()
    [kept] = store.mounts
    assert store.environment["PGDATA"].startswith(kept.at)


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("key: REDIS_PASSWORD", "key: REDIS_WORD", "REDIS_WORD"),
        ("memory: 6Gi", "memory: 6G", "6G"),
        ("image: realtime-avatar/face:", "image: realtime-avatar/mouth:", "mouth"),
    ],
)
def test_what_nobody_knows_in_a_pod_is_an_error(rendered: str, right: str, wrong: str, told: str) -> None:
    assert right in rendered
    with pytest.raises(Unknown, match=told):
        rayservice.Rendered(rendered.replace(right, wrong), GIVEN, SECRETS).boxes(ROOT)


def test_prometheus_scrapes_as_the_pod_monitor_says() -> None:
    [job] = yaml.safe_load(rayservice.scraped(ROOT, ["head:9100"]))["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["head:9100"]}]
    shipped = yaml.safe_load((ROOT / "dashboards/prometheus.yml").read_text("utf-8"))["scrape_configs"][0]
    assert job["metric_relabel_configs"] == shipped["metric_relabel_configs"]


# ---- whoever speaks with it --------------------------------------------------------------------------------

PIECE = bytes(2 * FRAME)
WHOLE: list[Told] = [
    Sound(1, 0, PIECE),
    Picture(1, 0, b"a", True),
    Sound(1, FRAME, PIECE),
    Picture(1, FRAME, b"b", False),
    End(1, 2 * FRAME, 0),
]


def noticed(told: list[Told]) -> list[str]:
    person, reply = Person(), Reply(0.0)
    for unit in told:
        person.take(reply, unit)
    person.check(reply)
    return person.wrong


def test_an_answer_that_is_whole_is_right() -> None:
    assert noticed(WHOLE) == []


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ([one for one in WHOLE if one != WHOLE[0]], "sound from 960, not from 0"),
        ([WHOLE[0], *WHOLE], "sound from 0, not from 960"),
        ([one for one in WHOLE if one != WHOLE[3]], "1 pictures of 2"),
        ([*WHOLE[:2], WHOLE[1], *WHOLE[2:]], "picture 0, not 960"),
        ([one for one in WHOLE if one != WHOLE[2]], "960 samples of 1920"),
        ([*WHOLE[:3], Kept(1, 2 * FRAME), WHOLE[4]], "went on with less"),
    ],
)
def test_whatever_is_missing_or_there_twice_is_noticed(told: list[Told], fault: str) -> None:
    assert any(fault in wrong for wrong in noticed(told)), noticed(told)
