"""Which device XTTS-v2 runs on, and in which precision."""

# pyright: reportMissingImports=false
from __future__ import annotations

import logging
from typing import Any

import torch

from streaming.stages import StageError

log = logging.getLogger(__name__)

_HALVED = (
    "gpt", "final_norm", "mel_head", "mel_embedding", "mel_pos_embedding", "text_embedding", "text_pos_embedding",
)  # fmt: skip
"""Parts of the transformer that work for every token; what listens to a recording once stays in float32."""


def placed(model: Any, wanted: str) -> torch.device:
    """Move a model to ``wanted`` (auto, cpu, cuda, mps), in half precision on CUDA. Raises StageError."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    name = next(name for name in there if there[name]) if wanted == "auto" else wanted
    if not there.get(name.split(":")[0]):
        raise StageError(f"the voice xtts cannot run on {name!r}: torch finds none; set device to auto")
    why = "the settings name it" if wanted != "auto" else f"torch found {'no GPU' if name == 'cpu' else 'it'}"
    half = name.startswith("cuda")
    log.info("xtts runs on %s in %s, because %s", name, "float16" if half else "float32", why)
    device = torch.device(name)
    model.to(device)
    if half:
        for part in _HALVED:
            getattr(model.gpt, part).half()
        model.hifigan_decoder.waveform_decoder.half()
    return device
