"""A small XTTS with random weights, saved in the published form and loaded as the real one would be.

The seed is fixed, so its sound is always the same noise; two layers of 64 channels, and a vocoder 32 channels wide.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from actors.tts.xtts.checkpoint import vocoder
from actors.tts.xtts.engine import Xtts
from actors.tts.xtts.package import coqui

SPECIALS = ("[STOP]", "[UNK]", "[SPACE]", "[START]", "[en]", "[es]", "[zh-cn]", "[zh]")
LETTERS = "abcdefghijklmnopqrstuvwxyzáéíñóúü0123456789.,;:!?'¿¡-\""
OWN = "ada"
"""The one voice that comes with it."""


@cache
def _made() -> tempfile.TemporaryDirectory[str]:
    """Erased when the tests end."""
    made = tempfile.TemporaryDirectory(prefix="tiny-xtts-")
    save(Path(made.name))
    return made


def folder() -> Path:
    """The folder as `avatar models pull` would leave it."""
    return Path(_made().name)


def xtts(**wishes: Any) -> Xtts:
    """The engine with it, on the CPU."""
    return Xtts(folder(), **{"device": "cpu", **wishes})


def vocabulary(path: Path) -> None:
    """A BPE without merges: every letter is a token."""
    from tokenizers import AddedToken, Tokenizer, models

    letters = {sign: number for number, sign in enumerate((*SPECIALS, *LETTERS))}
    made = Tokenizer(models.BPE(vocab=letters, merges=[], unk_token="[UNK]"))
    made.add_special_tokens([AddedToken(name, special=True) for name in SPECIALS])
    made.save(str(path))


def settings() -> dict[str, Any]:
    """Of a model so small."""
    args = {"gpt_layers": 2, "gpt_n_model_channels": 64, "gpt_n_heads": 4, "gpt_max_audio_tokens": 130}
    args |= {"gpt_max_text_tokens": 120, "gpt_num_audio_tokens": 1026, "gpt_start_audio_token": 1024}
    args |= {"gpt_stop_audio_token": 1025, "gpt_use_perceiver_resampler": True, "decoder_input_dim": 64}
    return {"model": "xtts", "languages": ["en", "es", "zh-cn"], "model_args": {**args, "d_vector_dim": 512}}


def save(made: Path) -> None:
    """Write config.json, vocab.json, model.pth and speakers_xtts.pth."""
    package = coqui()
    (made / "config.json").write_text(json.dumps(settings()))
    vocabulary(made / "vocab.json")
    config = package.XttsConfig()
    config.load_json(str(made / "config.json"))
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = package.Xtts(config)
        model.tokenizer = package.Tokenizer(str(made / "vocab.json"))
        model.init_models()
        model.hifigan_decoder = vocoder(package, config.model_args, 32)
        louder(model.hifigan_decoder.waveform_decoder)
        model.gpt.mel_head.weight.data *= 8  # decided enough that chance does not always choose
        torch.save({"model": model.state_dict()}, made / "model.pth")
        own = {"gpt_cond_latent": torch.randn(1, 32, 64), "speaker_embedding": torch.randn(1, 512, 1)}
        torch.save({OWN: own}, made / "speakers_xtts.pth")


def louder(network: Any) -> None:
    """A new vocoder whispers: with larger weights the sound is as loud as speech, and errors show."""
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv1d | torch.nn.ConvTranspose1d):
            weight = layer.parametrizations.weight.original1 if hasattr(layer, "parametrizations") else layer.weight
            torch.nn.init.normal_(weight, std=1.0 / np.sqrt(weight[0].numel()))
            if hasattr(layer, "parametrizations"):
                layer.parametrizations.weight.original0.data.fill_(1.0)
