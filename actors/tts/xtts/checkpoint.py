"""A folder with XTTS-v2's published files to a model in memory; weights are read as numbers, never as code.

``model.pth`` is a pickle. It is read once by torch's weights-only reader, which builds tensors and a few inert settings
and refuses all else, and written as ``model.safetensors`` beside it, which later starts read. This file knows no sound.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import hashlib
import logging
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch.nn.utils import parametrize

from actors.files import whole
from actors.tts.xtts.engine import PULL
from actors.tts.xtts.package import Coqui
from streaming.stages import StageError

log = logging.getLogger(__name__)

PUBLISHED, CONVERTED, SPEAKERS = "model.pth", "model.safetensors", "speakers_xtts.pth"

_TRAINING = ("torch_mel_spectrogram_style_encoder", "torch_mel_spectrogram_dvae", "dvae")
_ALIASES = ("gpt.gpt_inference.", "gpt.gpt.wte.")  # other names of tensors that are there already
_STOCK_WIDTH = 512  # of the vocoder's first layer; no file of settings tells it


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model ready to speak, on the CPU in float32."""

    model: Any
    """coqui-tts's Xtts: ``gpt``, ``hifigan_decoder``, ``tokenizer``, ``config``."""
    identity: str
    """SHA-256 of the published weights, in hexadecimal."""
    own: dict[str, tuple[torch.Tensor, torch.Tensor]]
    """The model's own voices: name -> prompt (1, 32, channels) and embedding (1, 512, 1); may be empty."""


def load(folder: Path, package: Coqui) -> Loaded:
    """The model of a folder. Raises StageError if a file is missing or is not XTTS-v2's."""
    for name in ("config.json", "vocab.json"):
        if not (folder / name).is_file():
            raise StageError(f"there is no {name} of XTTS-v2 in {folder}; run: {PULL}")
    weights, identity = _weights(folder, package)
    try:
        config = package.XttsConfig()
        config.load_json(str(folder / "config.json"))
        model = package.Xtts(config)
        model.tokenizer = package.Tokenizer(str(folder / "vocab.json"))
        model.init_models()
        model.hifigan_decoder = _vocoder(weights, config, package) or model.hifigan_decoder
        model.load_state_dict(weights, strict=True)
    except Exception as error:
        raise StageError(f"the files in {folder} are not a whole XTTS-v2 ({_briefly(error)}); run: {PULL}") from error
    for module in model.hifigan_decoder.waveform_decoder.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
    torch.nn.Module.eval(model)  # its own would add a second transformer that shares these weights
    return Loaded(model.requires_grad_(False), identity, _speakers(folder))


def _weights(folder: Path, package: Coqui) -> tuple[dict[str, torch.Tensor], str]:
    """The tensors by name, and the identity of what was published."""
    published, converted = folder / PUBLISHED, folder / CONVERTED
    if converted.is_file():
        try:
            with safe_open(str(converted), "pt") as file:
                told = file.metadata() or {}
            if not published.is_file() or told.get("bytes") == str(published.stat().st_size):
                return load_file(str(converted)), told.get("sha256") or _sha256(converted)
            log.info("xtts: %s is converted again, because %s has another size now", CONVERTED, PUBLISHED)
        except SafetensorError as error:
            raise StageError(f"{converted} cannot be read ({error}); remove it and start again") from error
    if not published.is_file():
        raise StageError(f"there is no XTTS model in {folder}; run: {PULL}")
    weights = _unaliased(_published(published, package))
    told = {"sha256": _sha256(published), "bytes": str(published.stat().st_size)}
    _write(converted, weights, told)
    return weights, told["sha256"]


def _published(path: Path, package: Coqui) -> Mapping[str, torch.Tensor]:
    try:
        with package.old_names():
            return torch.load(path, map_location="cpu", weights_only=True)["model"]
    except (pickle.UnpicklingError, RuntimeError, KeyError, EOFError, TypeError) as error:
        raise StageError(f"{path} is no checkpoint that is safe to read ({_briefly(error)}); run: {PULL}") from error


def _unaliased(published: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = {}
    for name, tensor in published.items():
        name = name.removeprefix("xtts.")  # as its trainer saves it
        if name.split(".")[0] not in _TRAINING and not name.startswith(_ALIASES):
            weights[name] = tensor.contiguous()
    return weights


def _write(path: Path, weights: dict[str, torch.Tensor], told: dict[str, str]) -> None:
    """Whole or not at all; a folder that may not be written only costs the next start its time."""
    try:
        with whole(path) as part:
            save_file(weights, str(part), metadata=told)
        log.info("xtts: wrote %s, because later starts then read no pickle", path)
    except (OSError, SafetensorError) as error:
        log.warning("xtts: %s could not be written (%s); every start reads %s again", path, error, PUBLISHED)


def _vocoder(weights: Mapping[str, torch.Tensor], config: Any, package: Coqui) -> Any:
    """A vocoder as wide as these weights, if that is not the stock width."""
    width = weights["hifigan_decoder.waveform_decoder.conv_pre.weight"].shape[0]
    return None if width == _STOCK_WIDTH else vocoder(package, config.model_args, width)


def vocoder(package: Coqui, args: Any, width: int) -> Any:
    """An untrained vocoder for a model of these settings, ``width`` channels wide at its first layer."""
    return package.HifiDecoder(
        input_sample_rate=args.input_sample_rate,
        output_sample_rate=args.output_sample_rate,
        output_hop_length=args.output_hop_length,
        ar_mel_length_compression=args.gpt_code_stride_len,
        decoder_input_dim=args.decoder_input_dim,
        d_vector_dim=args.d_vector_dim,
        cond_d_vector_in_each_upsampling_layer=args.cond_d_vector_in_each_upsampling_layer,
        upsample_initial_channel_decoder=width,
    )


def _speakers(folder: Path) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    path = folder / SPEAKERS
    if not path.is_file():
        return {}
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        return {name: (one["gpt_cond_latent"], one["speaker_embedding"]) for name, one in found.items()}
    except (pickle.UnpicklingError, RuntimeError, KeyError, EOFError, TypeError, AttributeError) as error:
        raise StageError(f"{path} holds no voices of XTTS-v2 ({_briefly(error)}); run: {PULL}") from error


def _briefly(error: Exception) -> str:
    """Its first line, not too long: torch explains at length."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
