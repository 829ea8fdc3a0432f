"""A newcomer's path for each way is in docs/operations.md: at most five commands, and each of them is what it says.

What one machine can do without a container engine is run in tests/system/test_paths.py, for it takes a minute. The rest
needs a container engine, root, a cluster or a cloud account: it is planned with stand-ins, or only read (`READ_ONLY`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from serve_app import cli, clouds, deploying
from serve_app.deploying import Done, really
from tests.cluster.paths import PATHS, ROOT, whole

RUN = {"laptop", "ray"}
"""Run in tests/system/test_paths.py, but for `make`, which would install what is installed."""
PLANNED = {"compose", "compose-l4", "vm", "gke", "cloudrun"}
"""Their `avatar deploy` is run here with stand-ins for the programs that it calls."""
READ_ONLY = {"systemd", "tls", "google", "kubernetes", "launcher"}
"""Nothing of these can be run here: root and systemd, a web server, a cloud account, a cluster, machines."""
STAND_INS = ("docker", "terraform", "gcloud", "kubectl", "curl", "nvidia-smi")


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Programs that write down how they are called, and find all well."""
    folder, log = tmp_path / "bin", tmp_path / "log"
    folder.mkdir()
    script = f'#!/bin/sh\ncalled="$(basename "$0") $*"; echo "$called" >>{log}\n'
    script += 'case "$called" in *quotas*) echo 8;; esac\n'
    for name in (*STAND_INS, "make"):
        (folder / name).write_text(script, "utf-8")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("AVATAR_KEY", "ak_of_nobody")
    return lambda: log.read_text("utf-8").replace(str(ROOT), "HOME").splitlines() if log.exists() else []


def but_for_room(command: Sequence[str], limit_s: float) -> Done:
    """The real runner, but that there is always room on the disk of the machine that tests."""
    return Done(0, "") if command[0] == sys.executable else really(command, limit_s)


def test_every_way_has_its_path() -> None:
    assert PATHS.keys() == RUN | PLANNED | READ_ONLY
    for way in ("compose", "vm", "gke", "cloudrun"):
        assert cli.parser().parse_args(["deploy", way]).way in PATHS
    with pytest.raises(SystemExit):
        cli.parser().parse_args(["deploy", "laptop"])


@pytest.mark.parametrize("name", PATHS)
def test_a_path_is_at_most_five_commands(name: str) -> None:
    commands = [part for line in whole(name) for part in re.split(r"&&|\|\||;", line)]
    assert 1 <= len(commands) <= 5, commands


@pytest.mark.parametrize("name", PATHS)
def test_a_path_is_shell(name: str) -> None:
    done = subprocess.run(["bash", "-n"], input=PATHS[name].text, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", [name for name, path in PATHS.items() if list(path.of_ours())])
def test_our_own_commands_are_such(name: str) -> None:
    for words in PATHS[name].of_ours():
        assert cli.parser().parse_args(words).work


@pytest.mark.parametrize("name", PATHS)
def test_every_file_target_service_and_variable_that_a_path_names_is_there(name: str) -> None:
    there = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    terraform = "".join(file.read_text("utf-8") for file in (ROOT / "cluster/terraform/gcp").glob("*.tf"))
    variables = set(re.findall(r'^variable "(\w+)"', terraform, re.MULTILINE))
    known = {"init", "apply"}
    for words in PATHS[name].words():
        for word in words:
            file = word.removeprefix("-chdir=")
            if file.startswith(("cluster/", "constraints")) and file != str(clouds.SECRETS):
                assert (ROOT / file).exists(), f"{file} is not there"
        if words[0] == "make":
            assert set(words[1:]) <= set(there)
        if words[0] == "terraform":
            assert {word for word in words[2:] if not word.startswith("-")} <= known
            assert {word.split("=")[1] for word in words if word.startswith("-var=")} <= variables
        if words[:2] == ["docker", "compose"]:
            _of_compose(words)
        if words[0] == "cluster/images/build.sh":
            assert all((ROOT / "cluster/images" / f"{image}.Dockerfile").exists() for image in words[1:])


@pytest.mark.parametrize("name", [name for name in PATHS if name != "tls"])
def test_a_path_serves_the_built_page_and_not_the_plain_one(name: str) -> None:
    recipes = re.findall(r"^([a-z-]+):.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    building = {f"make {target}" for target, recipe in recipes if "serve_app.page" in recipe}
    building |= {"cluster/images/build.sh", ".venv/bin/python -m serve_app.page"}  # the first makes a wheel, if need be
    assert {"make run", "make install", "make wheel"} < building
    assert "make wheel" in (ROOT / "cluster/images/build.sh").read_text("utf-8")
    assert any(order in line for line in whole(name) for order in building)


def test_the_service_of_systemd_is_installed_where_its_unit_looks_for_it(tmp_path: Path) -> None:
    shown = subprocess.run(["make", "-n", "install", f"DESTDIR={tmp_path}"], cwd=ROOT, capture_output=True, text=True)
    orders = [line for line in shown.stdout.splitlines() if str(tmp_path) in line and not line.startswith("echo")]
    environment, page, package, unit = orders
    unit_file = ROOT / "cluster/systemd/realtime-avatar.service"
    [program] = re.findall(r"^ExecStart=(\S+)/bin/avatar run$", unit_file.read_text("utf-8"), re.MULTILINE)
    assert environment.endswith(f" -m venv {tmp_path}{program}")
    assert page == f"{tmp_path}{program}/bin/python -m serve_app.page --pack --or-plain"
    assert package.startswith(f"{tmp_path}{program}/bin/python -m pip ") and package.endswith("-c constraints.txt .")
    assert unit.split()[-2:] == [
        "cluster/systemd/realtime-avatar.service",
        f"{tmp_path}/etc/systemd/system/{unit_file.name}",
    ]


def test_what_the_launcher_runs_on_its_head_is_there() -> None:
    from ray.scripts.scripts import cli as launcher

    content = yaml.safe_load((ROOT / "cluster/gcp/ray.yaml").read_text("utf-8"))
    mounted = {name.replace("/home/ubuntu", "~", 1) for name in content["file_mounts"]}
    remote: list[str] = []
    for program, order, *given in (words for words in PATHS["launcher"].words() if words[0] != "make"):
        assert program == ".venv/bin/ray"
        parsed = launcher.commands[order].make_context(order, list(given)).params
        assert parsed["cluster_config_file"] == "cluster/gcp/ray.yaml"
        remote += [parsed["cmd"]] if order == "exec" else []
    key, deploy = (line.split() for line in remote)
    assert key[0] == "~/venv/bin/avatar" and cli.parser().parse_args(key[1:]).work
    assert deploy[:2] == ["~/venv/bin/serve", "deploy"] and deploy[2] in mounted


def _of_compose(words: list[str]) -> None:
    content = yaml.safe_load((ROOT / "cluster" / "compose.yaml").read_text("utf-8"))
    service = next(word for word in words[words.index("run") + 1 :] if not word.startswith("-"))
    profiles = content["services"][service]["profiles"]  # a service that is named needs none of them on the line
    assert "--profile" not in words[: words.index("run")] or words[words.index("--profile") + 1] in profiles


@pytest.mark.parametrize("name", sorted(PLANNED))
def test_the_plan_of_a_deployment_is_shown_by_its_own_words(
    name: str,
    stand_ins: Callable[[], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    secrets = tmp_path / "secret.yaml"
    secrets.write_text('PGPASSWORD: "p"\n', "utf-8")
    monkeypatch.setattr(clouds, "SECRETS", secrets)
    networks = tmp_path / "terraform.tfvars"
    networks.write_text('administrators = { me = "192.0.2.1/32" }', "utf-8")
    monkeypatch.setattr(clouds, "VARIABLES", networks)
    plan = deploying.main
    monkeypatch.setattr(deploying, "main", lambda *given, **options: plan(*given, **options, run=but_for_room))
    [words] = [words for words in PATHS[name].of_ours() if "--apply" in words]
    shown = [other[:-1] for other in PATHS[name].of_ours() if "--dry-run" in other]
    assert shown in ([], [words[:-1]]), "what is shown is not what is done"
    assert cli.main([*words[:-1], "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "missing" not in said
    assert "talk to it\n     avatar bench --url " in said
    assert said.endswith("nothing was changed; do it with --apply\n")
    assert not any(" apply" in line or " up " in line or " replace " in line for line in stand_ins())


def test_the_secrets_that_a_path_names_are_a_copy_of_the_example_and_never_committed() -> None:
    assert (ROOT / clouds.SECRETS.with_suffix(".example.yaml")).exists()
    assert f"/{clouds.SECRETS}" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


# ---- the first command of every way with containers ---------------------------------------------------------------


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """What build.sh reads, without a wheel."""
    tree = tmp_path / "tree"
    (tree / "cluster").mkdir(parents=True)
    shutil.copytree(ROOT / "cluster" / "images", tree / "cluster" / "images")
    shutil.copy2(ROOT / "pyproject.toml", tree / "pyproject.toml")
    return tree


def built(tree: Path, *names: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(tree / "cluster/images/build.sh"), *names]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)


def test_images_are_built_from_a_fresh_checkout(
    source: Path, stand_ins: Callable[[], list[str]], tmp_path: Path
) -> None:
    make = tmp_path / "bin" / "make"
    making = "mkdir dist && touch dist/realtime_avatar-0.1.0-py3-none-any.whl\n"
    make.write_text(make.read_text("utf-8") + making, "utf-8")
    done = built(source, "cpu", PYTHON_DIGEST="sha256:0")
    assert (done.returncode, done.stderr) == (0, "")
    wheel, image = stand_ins()
    assert wheel == "make wheel"
    assert image.startswith("docker buildx build --platform linux/amd64 --build-arg PYTHON_DIGEST=sha256:0")
    assert "--tag realtime-avatar/cpu:0.1.0 --load" in image


def test_images_are_pushed_to_a_registry_that_knows_who_we_are(
    source: Path, stand_ins: Callable[[], list[str]]
) -> None:
    (source / "dist").mkdir()
    (source / "dist" / "realtime_avatar-0.1.0-py3-none-any.whl").touch()
    images = "us-central1-docker.pkg.dev/mine/avatar"
    done = built(source, PYTHON_DIGEST="sha256:0", AVATAR_IMAGES=images, PUSH="1")
    assert (done.returncode, done.stderr) == (0, "")
    login, *builds = stand_ins()
    assert login == "gcloud auth configure-docker us-central1-docker.pkg.dev --quiet"
    assert [re.search(r"--tag (\S+) --push", line)[1] for line in builds if "--push" in line] == [  # type: ignore[index]
        f"{images}/{name}:0.1.0" for name in ("cpu", "gateway", "asr", "tts", "face", "all", "builder")
    ]


def test_images_are_not_built_of_a_version_that_there_is_not(source: Path, stand_ins: Callable[[], list[str]]) -> None:
    done = built(source, "cpu", PYTHON_DIGEST="sha256:0", AVATAR_VERSION="9.9.9")
    assert done.returncode == 2
    assert "made no wheel of version 9.9.9" in done.stderr
    assert stand_ins() == ["make wheel"]
