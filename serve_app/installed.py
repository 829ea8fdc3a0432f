"""What a profile needs beyond the base and pip installs: the packages of its engines' extras, and one library.

Each check is one of `avatar doctor`'s (doctor.py): a function of the settings that returns what it found. Only the
runtime of TensorRT is loaded, for whether it can be is the question; no model is, and no torch.
"""

from __future__ import annotations

import ctypes
import importlib.metadata as metadata
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

from actors import extras as wanting
from actors.face.ditto.runtime.engines import LIBRARIES, library, reads_volumes
from serve_app.app import choices, hearing
from serve_app.finding import Finding
from serve_app.groups import Choice
from serve_app.images import CUBLAS_12
from serve_app.settings import Settings
from streaming.stages import StageError

NAME = "realtime-avatar"
CUBLAS = "libcublas.so.12"
"""What CTranslate2 opens on a GPU; torch brings the one of CUDA 13."""


def checkout() -> Path | None:
    """The folder of our source tree, if we run from one."""
    home = Path(__file__).resolve().parents[1]
    return home if (home / "pyproject.toml").exists() else None


def pip(*wanted: str) -> str:
    """The line that installs this, beside the Python that runs, with the pins where they are."""
    home = checkout()
    name = _near(Path(sys.prefix) / "bin" / "pip", home) if sys.prefix != sys.base_prefix else "pip"
    pins = [f"-c {_near(home / 'constraints.txt', home)}"] if home else []
    return " ".join([name, "install", *pins, *(f"'{one}'" for one in wanted)])


def _near(path: Path, home: Path | None) -> str:
    """As one writes it in the checkout, if that is where we are."""
    return str(path.relative_to(home)) if home and home == Path.cwd() and path.is_relative_to(home) else str(path)


def required() -> list[str]:
    """The requirements of our own package, those of its extras too."""
    try:
        return metadata.requires(NAME) or []
    except metadata.PackageNotFoundError:
        return [NAME]


@dataclass(frozen=True, slots=True)
class Unmet:
    """What of some requirements is not as it is required."""

    absent: tuple[str, ...]
    """Names of packages that are not installed."""
    others: tuple[str, ...]
    """Name, version and what is needed, of those that are installed in another one."""
    right: int
    """How many are as they should be."""

    def __bool__(self) -> bool:
        return bool(self.absent or self.others)


def unmet(rows: Iterable[str], extra: str = "") -> Unmet:
    """What is not installed as it is required: by the base, or by an extra alone."""
    absent, others, right = list[str](), list[str](), 0
    for row in rows:
        wanted = Requirement(row)
        of_base = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
        of_extra = wanted.marker is not None and not of_base and wanted.marker.evaluate({"extra": extra})
        if not (of_extra if extra else of_base):
            continue
        try:
            found = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            absent.append(wanted.name)
            continue
        if wanted.specifier.contains(found, prereleases=True):
            right += 1
        else:
            others.append(f"{wanted.name} is {found}, needed is {wanted.specifier}")
    return Unmet(tuple(absent), tuple(others), right)


def chosen(settings: Settings) -> dict[str, Choice]:
    """Every engine of these settings, by its stage."""
    return {**hearing(settings), **choices(settings)}


def extras_of(settings: Settings) -> dict[str, str]:
    """Extras that these settings need -> what for."""
    wanted: dict[str, str] = {}
    for choice in chosen(settings).values():
        for name in wanting.needed(choice.engine, choice.arguments):
            wanted.setdefault(name, f"the engine {choice.engine}")
    if not settings.store.one_node:
        wanted["postgres"] = "the store"
    if settings.tracing.endpoint.startswith("http"):
        wanted["otlp"] = "traces"
    return wanted


def extras(settings: Settings, rows: Sequence[str] | None = None) -> Iterator[Finding]:
    """The packages that the chosen engines need beyond the base. ``rows``: the requirements of our own package."""
    rows = required() if rows is None else rows
    wanted = extras_of(settings)
    for name, what in wanted.items():
        own = [row for row in rows if name not in LIBRARIES or not row.startswith("tensorrt")]  # loaded instead
        state = unmet(own, name)
        told = [f"without {', '.join(state.absent)}"] if state.absent else []
        told += [*state.others, *_unloaded(name)]
        if told:
            why = "; on PyPI it is a stub that fetches itself from NVIDIA's own index" if name == "tensorrt" else ""
            yield Finding("missing", "extra", f"{name}, for {what}: {'; '.join(told)}{why}", pip(f"{NAME}[{name}]"))
        else:
            yield Finding("ok", "extra", f"{name}, for {what}")
    if not wanted:
        yield Finding("ok", "extras", "none are needed")


def _unloaded(runtime: str) -> list[str]:
    """Why a runtime's library cannot be used, if it is one and cannot."""
    if runtime not in LIBRARIES:
        return []
    try:
        version = library(runtime).__version__
    except StageError as error:
        return [str(error).rpartition("; ")[0]]
    if reads_volumes(runtime, version) or find_spec("torch"):
        return []
    return [f"{runtime} is {version}, which needs torch beside it"]


def cublas(settings: Settings, load: Callable[[str], object] = ctypes.CDLL) -> Iterator[Finding]:
    """What Whisper calls on a GPU, which no extra brings."""
    choice = chosen(settings)["asr"]
    if choice.engine != "whisper" or not wanting.on_gpu(choice.engine, choice.arguments):
        return
    try:
        load(CUBLAS)
    except OSError as error:
        folder = Path(sysconfig.get_path("purelib")) / "nvidia" / "cublas" / "lib"
        mend = f"{pip(CUBLAS_12)}; then set LD_LIBRARY_PATH={folder}"
        yield Finding("missing", "library", f"for whisper on a GPU: {error}", mend)
    else:
        yield Finding("ok", "library", f"{CUBLAS}, for whisper on a GPU")
