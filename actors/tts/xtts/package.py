"""The one place where coqui-tts is imported, and where a torchaudio that cannot load its library is helped.

On a machine with a CPU build of torch, PyPI's torchaudio links CUDA libraries that are not there and cannot be
imported; ``transformers`` then fails with it. Nothing of that library is needed here: resampling and mel spectrograms
are written in torch. So if, and only if, the import fails, it is repeated without the library. coqui-tts also insists
that ``torchcodec`` is installed, which decodes sound files; recordings come to this engine as samples, so it may be
broken.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import importlib
import logging
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from actors.tts.xtts.engine import INSTALL
from streaming.stages import StageError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Coqui:
    """What is used of the package."""

    Xtts: Any
    XttsConfig: Any
    HifiDecoder: Any
    Tokenizer: Any
    old_names: Callable[[], Any]
    """Context in which torch may read the settings beside XTTS-v2's weights: inert dataclasses, nothing else."""


def coqui() -> Coqui:
    """Import it; 5 to 30 seconds. Raises StageError naming what to install."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its dependencies' own deprecations, which nobody here can mend
            _torchaudio()
            xtts: Any = importlib.import_module("TTS.tts.models.xtts")
            config: Any = importlib.import_module("TTS.tts.configs.xtts_config")
            decoder: Any = importlib.import_module("TTS.tts.layers.xtts.hifigan_decoder")
            tokenizer: Any = importlib.import_module("TTS.tts.layers.xtts.tokenizer")
    except ImportError as error:
        reason = str(error).strip().splitlines()[0]
        raise StageError(f"the voice xtts needs its extra ({reason}); install it: {INSTALL}") from error
    return Coqui(
        xtts.Xtts, config.XttsConfig, decoder.HifiDecoder, tokenizer.VoiceBpeTokenizer, xtts._legacy_safe_globals
    )


def _torchaudio() -> None:
    """Import torchaudio, without its compiled library if that cannot be loaded."""
    try:
        importlib.import_module("torchaudio")
    except (OSError, RuntimeError) as error:  # no CUDA libraries, or those of another version
        log.info("torchaudio is used without its compiled library, because %s", str(error).splitlines()[0])
        stub = ModuleType("torchaudio._extension")
        stub.__dict__.update(
            _IS_TORCHAUDIO_EXT_AVAILABLE=False, _IS_ALIGN_AVAILABLE=False, fail_if_no_align=lambda function: function
        )
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]  # what the failed import left behind
        sys.modules[stub.__name__] = stub
        importlib.import_module("torchaudio")
