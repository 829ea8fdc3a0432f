"""What a recording means to the networks: computed once, kept as numbers beside the recording.

A voice's conditioning is a prompt for the transformer and an embedding for the vocoder, 130 kB together. It is made
from samples, never from a file that somebody sent, and cached as safetensors under the hash of the samples and of the
model. A voice that came with a call, because this machine does not have it, is kept in memory only: where it is erased,
nothing of it stays on other machines' disks.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from actors.files import whole
from actors.tts import voices
from actors.tts.xtts.checkpoint import Loaded
from streaming.media import RATE
from streaming.stages import BadInput

log = logging.getLogger(__name__)

_KEPT = 32
"""Voices whose conditioning stays in memory, 4 MB, and recordings that came with a call, up to 46 MB."""
_PROMPT_S, _CHUNK_S, _EMBEDDED_S = 30, 4, 30
"""Seconds of a recording that make the prompt, in how long parts, and that make the embedding."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """A voice as the networks take it, on their device."""

    prompt: torch.Tensor
    """(1, 32, channels)."""
    embedding: torch.Tensor
    """(1, 512, 1)."""


class Speakers:
    """Every voice that can be spoken with; one thread only, but for ``learn``."""

    def __init__(self, loaded: Loaded, device: torch.device, usual: str = "") -> None:
        """``usual``: what the name "default" means; empty is the model's first own voice. Raises BadInput."""
        self._model, self._identity, self._device = loaded.model, loaded.identity, device
        self._own = {name: _settled(*(part.to(device) for part in one)) for name, one in loaded.own.items()}
        self._usual = usual or next(iter(self._own), "")
        self._known: OrderedDict[str, Speaker] = OrderedDict()
        self._sent: OrderedDict[str, bytes] = OrderedDict()
        if usual:
            self.find(usual)

    def learn(self, pcm24k: bytes) -> None:
        """Keep a recording that came with a call, in memory."""
        self._sent[voices.identity(pcm24k)] = pcm24k
        while len(self._sent) > _KEPT:
            self._sent.popitem(last=False)

    def find(self, name: str) -> Speaker:
        """The voice called so. Raises VoiceAbsent for one whose recording is not here, BadInput for no voice at all."""
        if name == "default":
            name = self._usual
        if name in self._own:
            return self._own[name]
        if not voices.may_be(name):
            own = f"; its own are {', '.join(self._own)}" if self._own else ""
            told = (
                f"there is no voice {name!r}" if name else "no voice was chosen, and XTTS-v2 has none of its own here"
            )
            raise BadInput(f"{told}; choose one that GET /voices lists{own}")
        at_home = voices.here(name)
        if not at_home and name not in self._sent:
            self._known.pop(name, None)
            raise voices.VoiceAbsent(f"no voice is called {name!r}; GET /voices lists those that there are")
        if name not in self._known:
            self._known[name] = self._kept(name) if at_home else self._heard(self._sent[name])
        self._known.move_to_end(name)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return self._known[name]

    def _kept(self, name: str) -> Speaker:
        """From the cache beside the recordings, or made and put there."""
        try:
            pcm24k = voices.find(name).pcm24k()
        except voices.VoiceUnknown as error:  # erased this very moment
            raise voices.VoiceAbsent(str(error)) from None
        path = self._place(name, pcm24k)
        try:
            found = load_file(str(path), device=str(self._device))
            return _settled(found["prompt"], found["embedding"])
        except FileNotFoundError:
            pass
        except (SafetensorError, KeyError) as error:
            log.warning("xtts: %s is made again, for it cannot be read: %s", path, error)
        speaker = self._heard(pcm24k)
        _write(path, speaker)
        return speaker

    def _place(self, name: str, pcm24k: bytes) -> Path:
        key = hashlib.sha256(pcm24k + bytes.fromhex(self._identity)).hexdigest()[:20]
        return voices.own_folder() / f"{name}.xtts-{key}.safetensors"

    @torch.inference_mode()
    def embedding(self, pcm24k: bytes) -> NDArray[np.float32]:
        """(512,) whose voice a sound is."""
        sound = torch.from_numpy(np.frombuffer(pcm24k, "<i2").astype(np.float32) / 32_768)[None]
        found = self._model.get_speaker_embedding(sound[:, : _EMBEDDED_S * RATE], RATE)
        return found.reshape(-1).float().cpu().numpy()

    @torch.inference_mode()
    def _heard(self, pcm24k: bytes) -> Speaker:
        sound = torch.from_numpy(np.frombuffer(pcm24k, "<i2").astype(np.float32) / 32_768)[None]
        prompt = self._model.get_gpt_cond_latents(sound, RATE, length=_PROMPT_S, chunk_length=_CHUNK_S)
        embedding = self._model.get_speaker_embedding(sound[:, : _EMBEDDED_S * RATE], RATE)
        return _settled(prompt, embedding)


def _settled(prompt: torch.Tensor, embedding: torch.Tensor) -> Speaker:
    """Memory of their own, aligned and in order: from a file they are neither, and then the last bits differ."""
    first, second = (torch.empty(part.shape, device=part.device).copy_(part) for part in (prompt, embedding))
    return Speaker(first, second)


def _write(path: Path, speaker: Speaker) -> None:
    """Whole or not at all; a cache that cannot be written only costs time again."""
    numbers: dict[str, Any] = {"prompt": speaker.prompt, "embedding": speaker.embedding}
    try:
        with whole(path) as part:
            save_file({name: tensor.cpu().contiguous() for name, tensor in numbers.items()}, str(part))
    except (OSError, SafetensorError) as error:
        log.warning("xtts: a voice is not kept as numbers, because %s", error)
