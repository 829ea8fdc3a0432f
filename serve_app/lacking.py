"""What a profile needs of a machine beside packages and models: GPUs, Ditto's engines, a key, arguments that fit.

Each check is one of `avatar doctor`'s (doctor.py): a function of the settings that returns what it found.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from actors import extras as wanting
from actors import models
from actors.engines import STAND_IN, engines
from actors.face.ditto.export.finished import Lack, lacking
from actors.face.ditto.runtime.engines import LIBRARIES, library
from actors.models import tending
from serve_app.app import checked, hearing
from serve_app.finding import Finding
from serve_app.installed import NAME, chosen, extras_of, pip, required, unmet
from serve_app.settings import Settings, SettingsError
from streaming.stages import StageError

DRIVER = 580
"""The oldest series of NVIDIA's driver that runs CUDA 13, for which torch and TensorRT are pinned."""
CUDA_13 = ("xtts", "ditto", "tensorrt", "tensorrt-rtx")
"""Extras whose packages are built for it."""


def fitting(settings: Settings) -> Iterator[Finding]:
    """Whether every engine can be imported and takes the arguments that it is given."""
    near = hearing(settings)
    for stage, choice in chosen(settings).items():
        table = "asr" if stage in near else stage
        if choice.engine in (*engines(table), STAND_IN):  # disk.engines tells of one that there is not
            try:
                checked(table, choice)
            except SettingsError as error:
                if isinstance(cause := error.__cause__, ImportError):
                    told = f"{stage} engine {choice.engine!r} cannot be imported: {cause}"
                    yield Finding("missing", "engine", told, f"install {cause.name}")
                else:
                    yield Finding("missing", "engine", str(error), f"mend {stage}.arguments")


# ---- GPUs --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Card:
    """One GPU, as nvidia-smi tells it."""

    name: str
    memory: str
    driver: str

    @property
    def series(self) -> int:
        """The first number of the driver; 0 if it has none."""
        first = self.driver.partition(".")[0]
        return int(first) if first.isdecimal() else 0


def cards(program: str = "nvidia-smi") -> list[Card]:
    """NVIDIA's GPUs here; none without the program. Raises OSError or SubprocessError if the program fails."""
    if shutil.which(program) is None:
        return []
    query = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    rows = [[part.strip() for part in line.rsplit(",", 2)] for line in answer.splitlines()]
    return [Card(*row) for row in rows if len(row) == 3]


def gpus_wanted(settings: Settings) -> int:
    """How many GPUs this machine must have: those that Ray shall count, or one if an engine runs on nothing else."""
    alone = any(wanting.on_gpu(choice.engine, choice.arguments) for choice in chosen(settings).values())
    return max(settings.ray.num_gpus, int(alone))


def gpu(settings: Settings, program: str = "nvidia-smi") -> Iterator[Finding]:
    """NVIDIA GPUs, and whether they are as many as the profile wants, with a driver that its packages run on."""
    wanted = gpus_wanted(settings)
    try:
        found = cards(program)
    except (OSError, subprocess.SubprocessError) as error:
        mend = "look at the driver" if wanted else "look at the driver; the engines of this profile need none"
        yield Finding("missing" if wanted else "note", "GPU", f"{program} failed: {error}", mend)
        return
    modern = set(extras_of(settings)) & set(CUDA_13)
    for card in found:
        told = f"{card.name}, {card.memory}, driver {card.driver}"
        if wanted and modern and card.series < DRIVER:
            told += f", too old for {', '.join(sorted(modern))}"
            yield Finding("missing", "GPU", told, f"install NVIDIA's driver {DRIVER} or newer")
        else:
            yield Finding("ok", "GPU", told)
    if len(found) < wanted:
        mend = "take a machine that has them, or: avatar run --profile cpu"
        yield Finding("missing", "GPU", f"{len(found) or 'none'} here, and {settings.profile} wants {wanted}", mend)
    elif not found:
        yield Finding("ok", "GPU", "none; the engines of this profile need none")


# ---- what is made on the machine, and what is only known to whoever runs it ----------------------------------


def built(settings: Settings, program: str = "nvidia-smi") -> Iterator[Finding]:
    """The files that Ditto's engine reads, which `avatar models build` makes of the published ones."""
    choice = chosen(settings).get("face")
    if choice is None or choice.engine != "ditto":
        return
    runtime = str(choice.arguments.get("runtime") or "torch")
    given = choice.arguments.get("models")
    folder = Path(given) if given else models.home() / tending.BUILT["ditto"]
    order = f"avatar models build --runtime {'onnx' if runtime == 'torch' else runtime}"
    try:
        lack = lacking(folder, runtime, _version(runtime), _names(program)) if folder.is_dir() else None
    except StageError as error:
        yield Finding("missing", "built", str(error), order)
        return
    if told := _in_words(lack, runtime):
        makes = lack is None or lack.weights or lack.graphs
        first = f"{pip(f'{NAME}[ditto]')}; then " if makes and unmet(required(), "ditto") else ""
        yield Finding("missing", "built", f"{folder}: {told}", first + order)
    else:
        yield Finding("ok", "built", f"{folder}: all that {runtime} reads")


def _in_words(lack: Lack | None, runtime: str) -> str:
    """What a folder lacks; None: there is no folder."""
    if lack is None:
        return "not there"
    if lack.weights:
        return f"without {', '.join(lack.weights)}"
    late = "a start would make them, and may give up before they are done"
    if lack.graphs:
        return f"without graphs of {', '.join(lack.graphs)}; {late}"
    return f"without {runtime}'s engines of {', '.join(lack.engines)} for this machine; {late}" if lack.engines else ""


def _version(runtime: str) -> str:
    """Of the runtime's library; empty if it has none here."""
    try:
        return str(library(runtime).__version__) if runtime in LIBRARIES else ""
    except StageError:
        return ""


def _names(program: str) -> list[str]:
    try:
        return [card.name for card in cards(program)]
    except (OSError, subprocess.SubprocessError):
        return []


def language(settings: Settings) -> Iterator[Finding]:
    """Whether a language model elsewhere is named, or a key to OpenAI's given; none is asked."""
    choice = chosen(settings)["llm"]
    if choice.engine == "chat" and not (choice.arguments.get("base_url") or choice.arguments.get("api_key")):
        mend = "set OPENAI_API_KEY, or AVATAR_LLM__BASE_URL, or AVATAR_LLM__ENGINE=guide"
        yield Finding("missing", "language", "the engine chat has neither an address nor a key", mend)
    else:
        yield Finding("ok", "language", f"{choice.engine}, because {choice.why}")
