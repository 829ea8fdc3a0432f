"""Networks from safetensors files: every published name must be there with its shape, and none besides.

It builds networks without weights first, so that a file is read once and nothing is drawn at random.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from actors.face.ditto.nets import appearance, decoder, lmdm, motion_extractor, stitch, warp
from streaming.stages import StageError

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "appearance": appearance.Appearance,
    "motion": motion_extractor.MotionExtractor,
    "stitch": stitch.Stitch,
    "warp": warp.Warp,
    "decoder": decoder.Decoder,
    "lmdm": lmdm.Lmdm,
}
"""By the first part of their file's name: ``<name>.safetensors``."""


class WeightsWrong(StageError):
    """A file of weights is not what the network needs; the message says what is missing or too much."""


def bare(name: str, size: Any = None) -> nn.Module:
    """A network of the given size, the published one if None, that has names and shapes but no numbers."""
    with torch.device("meta"):
        network = NETWORKS[name](size) if size is not None else NETWORKS[name]()
    return network.eval().requires_grad_(False)


def filled(name: str, tensors: Mapping[str, Any], size: Any = None) -> nn.Module:
    """The network with these tensors by published name. Raises WeightsWrong."""
    network = bare(name, size)
    wanted = network.state_dict()
    wrong = [f"lacks {key}" for key in wanted if key not in tensors]
    wrong += [f"has {key}, which nothing reads" for key in tensors if key not in wanted]
    wrong += [
        f"has {key} as {tuple(tensors[key].shape)} {tensors[key].dtype}, not {tuple(want.shape)} {want.dtype}"
        for key, want in wanted.items()
        if key in tensors and (tensors[key].shape != want.shape or tensors[key].dtype != want.dtype)
    ]
    if wrong:
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise WeightsWrong(f"the weights of {name} do not fit: the file {'; '.join(wrong[:3])}{more}; convert it again")
    network.load_state_dict(dict(tensors), assign=True)
    if isinstance(network, decoder.Decoder):
        network.fold()
    return network.eval().requires_grad_(False)


def load(name: str, folder: Path, size: Any = None) -> nn.Module:
    """The network of ``<folder>/<name>.safetensors``. Raises WeightsWrong."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / f"{name}.safetensors"
    try:
        # Copied out of the file's mapping: how a tensor is aligned in memory changes the last bits of a product.
        tensors = {key: tensor.clone() for key, tensor in load_file(path).items()}
    except FileNotFoundError:
        raise WeightsWrong(f"there is no {path}; make it with python -m actors.face.ditto.convert") from None
    except (OSError, SafetensorError) as error:
        raise WeightsWrong(f"{path} cannot be read as safetensors: {error}") from error
    return filled(name, tensors, size)
