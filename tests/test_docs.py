"""What the documents say of the code is what it says: commands, settings, metrics, events, files, links, tables."""

from __future__ import annotations

import argparse
import contextlib
import inspect as signatures
import io
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from serve_app import cli, inspect, settings
from serve_app.bench import __main__ as bench
from serve_app.client import Avatar, connect
from serve_app.gateway import ladder, reading, wire
from streaming.metrics import METRICS
from streaming.states import TRANSITIONS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
TOLD = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
OTHER_VARIABLES = {
    *settings.OUTSIDE,
    *("AVATAR_IMAGES", "AVATAR_VERSION", "AVATAR_GOLDEN_DIR", "AVATAR_HOST", "AVATAR_UPSTREAMS"),
}
"""With our prefix, but of scripts, tests and the proxy."""

documents = pytest.mark.parametrize("path", TOLD, ids=lambda path: path.name)


def text_of(path: Path) -> str:
    """The running text, in one line."""
    return " ".join(FENCED.sub("", path.read_text()).split())


def spans(path: Path) -> list[str]:
    """Everything between backticks in running text."""
    return re.findall(r"`([^`]+)`", text_of(path))


def lines(path: Path) -> list[str]:
    """Every line of the blocks that are typed into a shell."""
    blocks = [body for kind, body in FENCED.findall(path.read_text()) if kind in ("sh", "bash", "console")]
    return [line for body in blocks for line in body.replace("\\\n", " ").splitlines()]


def words(line: str) -> list[str]:
    """A shell's words, without comment, assignments before the command, and whatever follows it."""
    found = shlex.split(line.replace("|", " | ").replace("&&", " && "), comments=True)
    for mark in ("|", "&&", ";", ">"):
        found = found[: found.index(mark)] if mark in found else found
    while found and re.match(r"\w+=", found[0]):
        found = found[1:]
    return found


def is_avatar(word: str) -> bool:
    return word == "avatar" or word.endswith("/bin/avatar")


# ---- the conversation --------------------------------------------------------------------------------------


def test_the_picture_of_the_states_is_drawn_from_the_table() -> None:
    drawn = re.findall(r"^    (\w+) --> (\w+)$", (DOCS / "design.md").read_text(), re.MULTILINE)
    assert drawn == sorted((state, after) for state, reached in TRANSITIONS.items() for after in reached)


def test_every_event_of_the_wire_is_in_the_protocol() -> None:
    kinds = events()
    described = (DOCS / "protocol.md").read_text()
    assert len(kinds) > 40
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in described] == []


def events() -> set[str]:
    """Names of all events, of both directions."""
    source = "".join(Path(str(module.__file__)).read_text() for module in (ladder, reading, wire))
    return set(re.findall(r'"((?:avatar|response|session|conversation|input_audio_buffer)\.[a-z_.]+)"', source))


def test_the_sdk_is_called_as_it_is_told() -> None:
    told = re.search(
        r"connect\(url, (.*?)\)` gives an `Avatar`: (.*?), and an iteration", text_of(DOCS / "protocol.md")
    )
    assert told is not None
    assert told[1] == ", ".join(str(parameter).replace("'", '"') for parameter in parameters(connect)[1:])
    for name, given in re.findall(r"`(\w+)\((.*?)\)`", told[2]):
        assert [parameter.name for parameter in parameters(getattr(Avatar, name))[1:]] == re.findall(r"\w+", given)


def parameters(function: Callable[..., Any]) -> list[signatures.Parameter]:
    """Without their annotations."""
    return [one.replace(annotation=one.empty) for one in signatures.signature(function).parameters.values()]


# ---- commands ----------------------------------------------------------------------------------------------


def asked(parser: argparse.ArgumentParser, given: list[str]) -> tuple[int, str]:
    """Exit code and what was printed when a parser reads these words; 0 and nothing if it takes them."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            parser.parse_args(given)
        except SystemExit as end:
            return int(end.code or 0), said.getvalue()
    return 0, ""


@documents
def test_every_command_line_can_be_typed(path: Path) -> None:
    wrong: list[str] = []
    for line in lines(path):
        typed = words(line)
        if typed[:1] == ["docker"]:  # what runs inside a container
            typed = next((typed[at:] for at, word in enumerate(typed) if is_avatar(word)), [])
        if typed and is_avatar(typed[0]):
            reader, rest = (inspect.parser(), typed[2:]) if typed[1:2] == ["inspect"] else (cli.parser(), typed[1:])
            code, said = asked(reader, rest)
            wrong += [f"{line}: {said}"] if code else []
    assert wrong == []


@documents
def test_every_command_that_is_mentioned_exists_with_its_options(path: Path) -> None:
    """Mentioned ones may leave out what they need; their values are not looked at."""
    wrong: list[str] = []
    for span in spans(path):
        if not re.match(r"(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?avatar [a-z-]", span):
            continue
        given = words(span)[1:]
        named = given[: next((at for at, word in enumerate(given) if word.startswith("-")), len(given))]
        reader, order = (inspect.parser(), []) if named[:1] == ["inspect"] else (cli.parser(), named)
        code, told = asked(reader, [*order, "--help"])
        options = {word.partition("=")[0] for word in given if word.startswith("--")}
        absent = [option for option in sorted(options) if not re.search(rf"{option}\b(?!-)", told)]
        wrong += [f"{span}: {told if code else absent}"] if code or absent else []
    assert wrong == []


@documents
def test_every_profile_that_a_command_names_is_there(path: Path) -> None:
    text = "\n".join([*lines(path), *spans(path)])
    named = set(re.findall(r"(?:--profile|AVATAR_PROFILE=) ?([a-z][\w/.-]+)", text))
    own = {name for name in named if name.endswith(".toml")}
    overlays = {"dev", "scale-to-zero"}  # of `avatar deploy gke`
    services = yaml.safe_load((ROOT / "cluster/compose.yaml").read_text())["services"].values()
    of_compose = {name for service in services for name in service["profiles"]}
    assert [name for name in sorted(named - own) if name not in {*settings.profiles(), *overlays, *of_compose}] == []
    assert [name for name in sorted(own) if not (ROOT / name).exists()] == []


@documents
def test_every_program_of_ours_that_python_runs_is_there(path: Path) -> None:
    wrong: list[str] = []
    for line in [*lines(path), *spans(path)]:
        typed = words(line) if "python" in line else []
        if typed[1:2] != ["-m"] or len(typed) < 3 or typed[2].split(".")[0] in ("pip", "venv", "pytest"):
            continue
        place = ROOT / typed[2].replace(".", "/")
        if not place.with_suffix(".py").exists() and not (place / "__main__.py").exists():
            wrong.append(line)
        if typed[2] == "serve_app.bench" and "NAME" not in line:
            code, said = asked(bench.parser(), typed[3:])
            wrong += [f"{line}: {said}"] if code else []
    assert wrong == []


@documents
def test_every_target_of_make_is_there(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    typed = [words(line) for line in [*lines(path), *spans(path)] if re.match(r"make [a-z-]+", line)]
    assert [word for _, *named in typed for word in named if word not in targets and "=" not in word] == []


# ---- settings and metrics ----------------------------------------------------------------------------------


def known(name: str) -> bool:
    """Whether there is such a setting; what an engine's arguments hold is the engine's affair."""
    model: object = settings.Settings
    for part in name.split("."):
        fields = getattr(model, "model_fields", None)
        if fields is None:
            return "dict" in str(model)
        if part not in fields:
            return False
        model = fields[part].annotation
    return True


def set_names(path: Path) -> Iterator[str]:
    """Spans that name a setting, `group.name`, perhaps with a value; NAME is any deployment."""
    groups = "|".join(settings.Settings.model_fields)
    for span in spans(path):
        if re.match(rf"(?:{groups})\.(?!py\b|ts\b|toml\b)[\w.]+(?: = .*)?$", span):
            yield span.replace(".NAME.", ".face.")


@documents
def test_every_setting_is_one(path: Path) -> None:
    wrong = [name for name in set_names(path) if not known(name.partition(" = ")[0])]
    variables = set(re.findall(r"\bAVATAR_[A-Z_]+[A-Z]\b", path.read_text())) - OTHER_VARIABLES
    wrong += [name for name in variables if not known(name.removeprefix("AVATAR_").lower().replace("__", "."))]
    assert wrong == []


@documents
def test_every_value_that_a_setting_is_shown_with_can_be_given(path: Path) -> None:
    wrong: list[str] = []
    for shown in set_names(path):
        try:
            settings.load("cpu", **(tomllib.loads(shown) if " = " in shown else {}))
        except (tomllib.TOMLDecodeError, settings.SettingsError) as error:
            wrong.append(f"{shown}: {error}")
    assert wrong == []


def test_a_setting_that_is_none_is_noticed() -> None:
    assert known("ray.face.caps.torch") and known("tts.arguments.speed") and known("log")
    assert not known("face.plans") and not known("store.keep.long")


@documents
def test_every_metric_is_in_the_table(path: Path) -> None:
    names = {metric.name for metric in METRICS}
    told = set(re.findall(r"(?<![-\w])avatar_[a-z_]+\b", path.read_text()))
    assert [name for name in sorted(told) if name not in names] == []


# ---- files, links, sections --------------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    """What headings can be linked to as."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@documents
def test_every_link_leads_somewhere(path: Path) -> None:
    text = FENCED.sub("", path.read_text())
    targets = re.findall(r"\]\((?!https?:)([^)\s]+)\)", text) + re.findall(r'src="(?!https?:)([^"]+)"', text)
    wrong: list[str] = []
    for target in targets:
        file, _, anchor = target.partition("#")
        place = (path.parent / file).resolve() if file else path
        if not place.exists() or (anchor and anchor not in anchors(place)):
            wrong.append(target)
    assert wrong == []


ROOMS = ("actors", "serve_app", "streaming", "cluster", "dashboards", "tests")
SOURCE = re.compile(r"[\w./*-]+\.(?:py|ts|tsx|js|mjs|tf|sh|tftpl)")


@documents
def test_every_file_of_the_tree_that_is_named_exists(path: Path) -> None:
    """A path is told from the root, from the package that a chapter is about, or by the file's name alone."""
    tree = "\n".join(str(file) for room in ROOMS for file in (ROOT / room).rglob("*.*"))
    wrong: list[str] = []
    for span in spans(path):
        if SOURCE.fullmatch(span):
            name = re.escape(span).replace(r"\*", "[^/\n]*")
            wrong += [] if re.search(rf"/{name}$", tree, re.MULTILINE) else [span]
        elif re.match(rf"(?:{'|'.join(ROOMS)})/[\w./-]+$", span) and "NAME" not in span and not (ROOT / span).exists():
            wrong.append(span)
    assert wrong == []


def test_every_benchmark_has_its_section_and_every_section_its_benchmark() -> None:
    sections = re.findall(r"<!-- bench:([\w-]+) -->", (DOCS / "performance.md").read_text())
    assert sorted(sections) == sorted(bench.NAMES)
