"""What a profile takes of the disk, before anything is installed or fetched, and what of its models is here.

Sizes of models are exact: the manifest's. All others are estimates from the sizes of published packages, unpacked;
nobody has installed the GPU profiles on a machine with a GPU yet.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from actors import models as weights
from actors.models import Found
from serve_app.app import choices
from serve_app.finding import Finding
from serve_app.placement import missing
from serve_app.settings import Settings
from serve_app.weights import counted, needed

GB = 1_000_000_000

FREE = 10 * GB
"""Kept free with a GPU: an image that is pulled is there packed and unpacked for a while."""
FREE_CPU = 1 * GB
"""Kept free without: Ray's files and the store."""

PACKAGES = {
    ("asr", "whisper"): 1.8,  # CTranslate2 and cuBLAS of CUDA 12
    ("tts", "xtts"): 6.5,  # torch with its CUDA libraries, coqui-tts
    ("face", "ditto"): 6.5,  # torch again
    ("face", "ditto on tensorrt"): 2.5,  # its graphs are built where torch is: beside the voice
}
"""Stage and engine on a GPU -> gigabytes of packages beside the base."""
COPIED = ("xtts-v2", "ditto")
"""Models that are kept a second time, as safetensors; how large these are is not known before."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that takes room."""

    what: str
    size: int
    """Bytes."""
    exact: bool = False
    """False: an estimate."""


def plan(settings: Settings) -> list[Item]:
    """Everything that this profile puts on a machine's disk."""
    gpu = settings.ray.num_gpus > 0
    items = [Item("system, driver, container engine", 9 * GB)] if gpu else []
    items.append(Item("gateway: Ray, the web" if gpu else "packages of the base", round((0.8 if gpu else 1.5) * GB)))
    for stage, choice in choices(settings).items():
        on = str(choice.arguments.get("runtime", "")).partition("-")[0]
        particular = PACKAGES.get((stage, f"{choice.engine} on {on}"))
        if gpu and (size := particular or PACKAGES.get((stage, choice.engine))):
            items.append(Item(f"packages of {stage}: {choice.engine}", round(size * GB)))
    names = needed(settings)
    pulled = [weights.MODELS[name] for name in names if weights.MODELS[name].optional]  # the others come with packages
    items += [Item(f"model {one.name}", one.size, exact=all(file.sha256 for file in one.files)) for one in pulled]
    items += [Item(f"{name} without pickles", weights.MODELS[name].size) for name in names if name in COPIED]
    if "ditto" in names:
        items.append(Item("Ditto's engines and timing cache", round(1.5 * GB)))
    if gpu and settings.llm.server == "vllm" and urlsplit(settings.llm.base_url).hostname in ("localhost", "127.0.0.1"):
        items += [Item("vLLM beside it", 9 * GB), Item("weights of a 7 B model, 4 bits", round(5.5 * GB))]
    return [*items, Item("logs, Ray's files, conversations", (2 if gpu else 1) * GB)]


def kept_free(settings: Settings) -> int:
    """Bytes that should stay free beside the plan."""
    return FREE if settings.ray.num_gpus else FREE_CPU


def planned(settings: Settings, total: int | None = None) -> Iterator[Finding]:
    """The plan line by line, and whether it fits on the disk here. ``total``: bytes of that disk."""
    items, free = plan(settings), kept_free(settings)
    for item in items:
        yield Finding("ok", "disk plan", f"{item.what}: {_gb(item.size)} ({'exact' if item.exact else 'estimate'})")
    needs = sum(item.size for item in items)
    total = shutil.disk_usage(Path.cwd()).total if total is None else total
    told = f"{settings.profile} takes {_gb(needs)}, and {_gb(free)} should stay free, of a disk of {_gb(total)}"
    if needs + free <= total:
        yield Finding("ok", "disk plan", told)
    else:
        yield Finding("note", "disk plan", told, f"a disk of {_gb(needs + free)}, or fewer engines")


def engines(settings: Settings) -> Iterator[Finding]:
    """Whether every engine that the profile names is in the engine tables."""
    for sentence in missing(settings):
        told, _, mend = sentence.partition("; ")
        yield Finding("missing", "engine", told, mend)


def models(settings: Settings, report: Sequence[Found] | None = None) -> Iterator[Finding]:
    """The weights: of those that the profile needs what is wrong, of the others how many are here."""
    report = weights.survey() if report is None else report
    wanted, spare = needed(settings), 0
    for name in dict.fromkeys(found.file.model for found in report):
        files = [found for found in report if found.file.model == name]
        bad = [found for found in files if found.problem]
        if name not in wanted and all(found.file.optional for found in files):
            spare += not bad
        elif not bad or _whole(name):
            size = sum(found.file.size for found in files) / 1e6
            yield Finding("ok", "model", f"{name}: {counted(files)}, {size:.1f} MB, {files[0].file.licence}")
        elif len(bad) > 1 and all(found.file.optional for found in bad):
            yield Finding("missing", "model", f"{name}: {len(bad)} of {len(files)} files", bad[0].file.mend)
        else:
            for found in bad:
                problem = found.problem.removesuffix(f": {found.file.mend}")
                yield Finding("missing", "model", problem, found.file.mend)
    if spare:
        yield Finding("ok", "models", f"{spare} more that this profile does not need; avatar models list")


def _whole(name: str) -> bool:
    """Whether it is here after all: another one stands in for it."""
    try:
        weights.folder(name)
    except (weights.ModelMissing, weights.ModelWrong, KeyError):
        return False
    return True


def _gb(size: int) -> str:
    return f"{size / GB:.1f} GB" if size >= GB else f"{size / 1e6:.0f} MB"
