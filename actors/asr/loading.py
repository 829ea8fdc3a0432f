"""Which Whisper is loaded, on what device and in what precision: each choice is logged with its reason.

A name of the manifest or a folder, never a download: a program that fetches gigabytes when it is started surprises its
owner, and fails where there is no network. ``avatar models`` says how a model of the manifest comes here.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

from actors import models
from actors.models import needs
from streaming.stages import StageError

log = logging.getLogger(__name__)

USUAL = "tiny.en"
FILES = ("model.bin", "config.json", "tokenizer.json")
"""What a folder must hold, and vocabulary.txt or .json; faster-whisper would download a tokenizer that is missing."""
TYPES = {
    "cuda": ("int8_float16", "int8", "float16", "float32"),
    "cpu": ("int8", "int8_float32", "float32"),
}
"""Precisions by device, the best first: int8 takes a third of the memory, and on a CPU half of the time."""


def found(model: Path | str | None) -> Path:
    """The folder of ``large-v3``, ``turbo``, ``base`` and others of the manifest, or of one's own; None is tiny.en.

    Raises ModelMissing or ModelWrong for a name of the manifest, StageError for what is neither name nor whole folder.
    """
    name = str(model or USUAL)
    for known in (name, f"whisper-{name}"):
        if known in models.MODELS:
            return models.folder(known)
    folder = Path(name)
    if not folder.is_dir():
        raise StageError(
            f"recognition cannot load the Whisper model {name!r}; name one of {', '.join(needs.WHISPER)}, or a folder"
        )
    missing = [file for file in FILES if not (folder / file).is_file()]
    if not any((folder / f"vocabulary.{kind}").is_file() for kind in ("txt", "json")):
        missing.append("vocabulary.txt")
    if missing:
        raise StageError(
            f"recognition cannot load the Whisper model {name!r}: the folder lacks {', '.join(missing)}; "
            "it must hold a whole model as CTranslate2 takes it"
        )
    return folder


def device_of(wanted: str, gpus: int) -> tuple[str, str]:
    """``cuda`` or ``cpu``, and why; ``auto`` takes a GPU if there is one. Raises StageError for anything else."""
    if wanted not in ("auto", *TYPES):
        raise StageError(f"recognition runs on cuda, cpu or auto, not on {wanted!r}")
    if wanted != "auto":
        return wanted, "the settings name it"
    return ("cuda", "a GPU is there") if gpus else ("cpu", "CTranslate2 sees no GPU")


def type_of(wanted: str | None, device: str, able: Collection[str]) -> tuple[str, str]:
    """The precision, and why: the best of those that ``device`` is ``able`` to. Raises StageError if it is not."""
    if wanted and wanted not in able:
        raise StageError(
            f"recognition cannot calculate in {wanted} on this {device}; it can in {', '.join(sorted(able))}: "
            "change compute_type, or leave it out"
        )
    if wanted:
        return wanted, "the settings name it"
    better = [kind for kind in TYPES[device] if kind not in able]
    best = next((kind for kind in TYPES[device] if kind in able), "float32")
    lacking = better[: TYPES[device].index(best)]
    return best, f"this {device} lacks {' and '.join(lacking)}" if lacking else f"that is the best on a {device}"


def loaded(model: Path | str | None, device: str, compute_type: str | None, threads: int) -> Any:
    """faster-whisper's model. Raises StageError if it does not load, or the device cannot do what was asked."""
    import ctranslate2
    from faster_whisper import WhisperModel

    folder = found(model)
    device, why = device_of(device, ctranslate2.get_cuda_device_count())
    try:
        kind, reason = type_of(compute_type, device, ctranslate2.get_supported_compute_types(device))
        whisper = WhisperModel(str(folder), device=device, compute_type=kind, cpu_threads=threads)
    except (OSError, RuntimeError, ValueError) as error:
        raise StageError(f"recognition cannot load the Whisper model {str(folder)!r}: {error}") from error
    bands, wanted = len(whisper.feature_extractor.mel_filters), whisper.model.n_mels
    if bands != wanted:
        raise StageError(
            f"the Whisper model {str(folder)!r} hears {wanted} bands of sound and its folder speaks of {bands}: "
            f'add its preprocessor_config.json, with "feature_size": {wanted}'
        )
    log.info("recognition: Whisper from %s; on %s, because %s; %s, because %s", folder, device, why, kind, reason)
    return whisper
