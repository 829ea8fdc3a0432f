"""The house keeps its own rules: packages, sizes, versions, names, and what is packed."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOMS = ("actors", "serve_app", "streaming")
TEXT = {".cfg", ".css", ".html", ".js", ".json", ".md", ".py", ".sh", ".toml", ".ts", ".tsx", ".txt", ".yaml", ".yml"}


def kept() -> list[Path]:
    """Every file that git keeps, or would keep if it were added now."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def texts() -> list[tuple[str, str]]:
    """Name and content of every kept file that people read."""
    return [
        (str(path.relative_to(ROOT)), path.read_text(encoding="utf-8", errors="replace"))
        for path in kept()
        if path.suffix in TEXT or path.name in {"Makefile", "Dockerfile", "run"}
    ]


def code() -> list[Path]:
    return [path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "node_modules" not in path.parts]


# ---- packages ----------------------------------------------------------------------------------------------


def test_every_folder_with_python_in_it_is_a_package() -> None:
    """setuptools leaves out what is none, and says nothing."""
    assert [str(path) for path in code() if not (path.parent / "__init__.py").exists()] == []


def test_the_packed_rooms_are_ours_and_no_others() -> None:
    found = PROJECT["tool"]["setuptools"]["packages"]["find"]
    assert found == {"include": [f"{room}*" for room in ROOMS], "namespaces": False}
    others = {path.parent.name for path in ROOT.glob("*/__init__.py")} - set(ROOMS) - {"tests"}
    assert others == set()


def test_every_requirement_is_pinned_to_a_version_that_it_allows() -> None:
    pins: dict[str, str] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, pinned = line.partition("==")
            pins[canonicalize_name(name)] = pinned
    extras = PROJECT["project"]["optional-dependencies"]
    for row in PROJECT["project"]["dependencies"] + [row for rows in extras.values() for row in rows]:
        wanted = Requirement(row)
        pinned = pins.get(canonicalize_name(wanted.name))
        assert pinned is not None, f"{wanted.name} has no line in constraints.txt"
        assert wanted.specifier.contains(pinned), f"{row} does not allow {pinned}"


def test_whatever_we_import_is_declared() -> None:
    """A package that came along with another one may be gone with its next version."""
    declared = {canonicalize_name(Requirement(row).name) for row in PROJECT["project"]["dependencies"]}
    extras = {
        room: {canonicalize_name(Requirement(row).name) for row in PROJECT["project"]["optional-dependencies"][extra]}
        for room, extra in {
            **{room: room for room in ("bench", "ditto", "kokoro", "paint", "xtts")},
            "evaluating": "eval",
            "smollm": "local-llm",
        }.items()
    }
    owners = packages_distributions()
    strangers: list[str] = []
    for path in code():
        if path.parent.name == "landmarker":  # runs in an environment of its own
            continue
        allowed = declared.union(*(names for room, names in extras.items() if room in path.parts))
        for name in sorted(imported(path) - set(sys.stdlib_module_names) - set(ROOMS)):
            if not {canonicalize_name(owner) for owner in owners.get(name, [name])} & allowed:
                strangers.append(f"{path.relative_to(ROOT)} imports {name}")
    assert strangers == []


def test_what_finds_faces_imports_what_its_own_environment_has() -> None:
    folder = ROOT / "actors" / "face" / "landmarker"
    rows = [row for row in (folder / "requirements.txt").read_text().splitlines() if not row.startswith("#")]
    pinned = {canonicalize_name(Requirement(row).name) for row in rows}
    assert all("==" in row for row in rows)
    names = imported(folder / "worker.py") - set(sys.stdlib_module_names)
    assert names == {"PIL", "cv2", "mediapipe", "numpy"}
    assert {"pillow", "opencv-python-headless", "mediapipe", "numpy"} <= pinned


def imported(path: Path) -> set[str]:
    """First names of all modules that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def test_the_changelog_begins_with_the_version_that_is_installed() -> None:
    newest = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == PROJECT["project"]["version"] == version("realtime-avatar")


# ---- the tree ----------------------------------------------------------------------------------------------


def test_no_kept_file_is_larger_than_2_mb() -> None:
    assert [str(path) for path in kept() if path.stat().st_size > 2_000_000] == []


def test_no_kept_file_names_a_folder_of_somebodys_machine() -> None:
    machine = re.compile(r"(?<![\w.])/(?:work|farm)/\w|bash[_]jobs")
    assert [name for name, text in texts() if machine.search(text)] == []


def test_nothing_is_marked_unfinished() -> None:
    mark = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError|except Exception:\s*pass")
    assert [name for name, text in texts() if name != "tests/test_house.py" and mark.search(text)] == []


def test_files_and_functions_can_be_read_in_one_go() -> None:
    long: list[str] = []
    for path in code():
        text = path.read_text()
        if text.count("\n") > 400:
            long.append(f"{path.name}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                length = node.end_lineno - node.lineno
                if length > 60:
                    long.append(f"{path.name}: {node.name} has {length} lines")
    assert long == []


def test_every_module_says_what_it_tells() -> None:
    empty = [path for path in code() if path.stat().st_size and ast.get_docstring(ast.parse(path.read_text())) is None]
    assert [str(path.relative_to(ROOT)) for path in empty] == []


def tree(readme: str) -> list[str]:
    """Paths in the README's tree: the first block in fences that lists `streaming/`, nested by indentation."""
    block = next(part for part in re.findall(r"```[a-z]*\n(.*?)```", readme, re.DOTALL) if "streaming/" in part)
    found: list[str] = []
    above: list[tuple[int, str]] = []
    for line in block.splitlines():
        bare = re.sub("[│├└─]", " ", line)
        if not bare.strip():
            continue
        indent = len(bare) - len(bare.lstrip())
        while above and above[-1][0] >= indent:
            above.pop()
        name = bare.split()[0]
        parent = above[-1][1] if above else ""
        if name.endswith("/"):
            above.append((indent, parent + name))
        found.append(parent + name)
    return found


def test_a_tree_is_read_by_its_indentation() -> None:
    block = "streaming/   the core\n  media.py  sound\nactors/\n├── tts/  voices\n│   └── hibari.py\n"
    readme = f"```\nmake run\n```\n\n```text\n{block}```\n"
    assert tree(readme) == ["streaming/", "streaming/media.py", "actors/", "actors/tts/", "actors/tts/hibari.py"]


def test_the_readme_names_only_what_exists() -> None:
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("there is no README.md yet")
    text = readme.read_text(encoding="utf-8")
    assert [name for name in tree(text) if not (ROOT / name).exists()] == []
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)`", text)) <= targets, "every `make word` of the README is a target"
    pictures = re.findall(r"!\[[^]]*\]\((?!https?:)([^)]+)\)", text)
    assert [name for name in pictures if not (ROOT / name).exists()] == []


def test_the_clean_machine_script_can_be_run() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)


# ---- what is packed ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our wheel, built from a copy of what git keeps, so that nothing generated slips in."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in kept():
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", out, source], check=True, capture_output=True)
    [built] = out.glob("*.whl")
    return built


def is_source_of_the_page(path: Path) -> bool:
    """The wheel carries the built page instead, and the plain one as it is."""
    web = ROOT / "serve_app" / "web"
    return path.is_relative_to(web) and not path.is_relative_to(web / "plain")


@pytest.mark.system
def test_the_wheel_holds_our_rooms_with_their_data_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        *ROOMS,
        f"realtime_avatar-{PROJECT['project']['version']}.dist-info",
    }
    data = {".npz", ".png", ".mp4", ".toml", ".html", ".js", ".css", ".svg", ".ico", ".json", ".md", ".txt", ".py"}
    wanted = {
        str(path.relative_to(ROOT))
        for path in kept()
        if path.relative_to(ROOT).parts[0] in ROOMS and path.suffix in data and not is_source_of_the_page(path)
    }
    assert wanted - set(names) == set(), "left out of the wheel"
    assert "realtime_avatar-" + PROJECT["project"]["version"] + ".dist-info/licenses/LICENSE" in names


@pytest.mark.system
def test_the_wheel_speaks_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Its own dependencies are taken from the environment that runs the tests; only our code is installed anew."""
    site, clip = tmp_path / "site", tmp_path / "clip.mp4"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel]
    subprocess.run(install, check=True, capture_output=True)
    where = [sys.executable, "-c", "import serve_app; print(serve_app.__file__)"]
    say = [sys.executable, "-m", "serve_app.cli", "say", "Hello from the wheel.", "--out", clip]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    found = subprocess.run(where, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True).stdout
    assert Path(found.strip()).is_relative_to(site)
    done = subprocess.run(say, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert clip.stat().st_size > 10_000
