"""A multilingual Whisper so small that a test can make it: random weights, every language, noise as text.

One encoder and one decoder layer of 32 numbers, 128 mel bands as large-v3 has them, and a vocabulary of 256 bytes,
107 special tokens and 1,501 times. CTranslate2 takes a vocabulary that holds an empty word for a multilingual one.
The files are written with CTranslate2's own writer, without torch: 0.9 MB, in a fifth of a second.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEADS, MELS, FRAMES, PLACES = 32, 2, 128, 1_500, 448
TIMES = 1_501


def make(folder: Path, *, seed: int = 7) -> Path:
    """Write the model into ``folder``; the same bytes for the same ``seed``."""
    from ctranslate2.specs import WhisperSpec

    words, special = _vocabulary()
    draw = _Draw(seed)
    spec: Any = WhisperSpec(1, HEADS, 1, HEADS)
    spec.encoder.conv1.weight, spec.encoder.conv1.bias = draw(WIDTH, MELS, 3), draw(WIDTH)
    spec.encoder.conv2.weight, spec.encoder.conv2.bias = draw(WIDTH, WIDTH, 3), draw(WIDTH)
    spec.encoder.position_encodings.encodings = draw(FRAMES, WIDTH)
    spec.decoder.position_encodings.encodings = draw(PLACES, WIDTH)
    spec.decoder.embeddings.weight = draw(len(words), WIDTH, scale=0.5)
    likely = np.array([[1.0 if word.isascii() and word.isalpha() else 0.0] for word in words], np.float32)
    likely[words.index("<|endoftext|>")], likely[_spoken(special)] = 1.0, 0.3  # so that texts are letters
    spec.decoder.projection.weight = spec.decoder.embeddings.weight * likely
    for side in (spec.encoder, spec.decoder):
        draw.norm(side.layer_norm)
        (layer,) = side.layer
        draw.attention(layer.self_attention, fused=True)
        if side is spec.decoder:
            draw.attention(layer.attention, fused=False)
        draw.linear(layer.ffn.linear_0, 2 * WIDTH, WIDTH)
        draw.linear(layer.ffn.linear_1, WIDTH, 2 * WIDTH)
        draw.norm(layer.ffn.layer_norm)
    spec.register_vocabulary(words)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [words.index("<|endoftext|>")]
    spec.config.lang_ids = _spoken(special)
    spec.config.alignment_heads = [(0, 0), (0, 1)]
    spec.validate()
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    (folder / "tokenizer.json").write_text(json.dumps(_tokenizer(words, special)), "utf-8")
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": MELS}), "utf-8")
    return folder


def _spoken(special: dict[str, int]) -> list[int]:
    """Numbers of the language tokens."""
    return [number for name, number in special.items() if name[2:-2] in _languages()]


class _Draw:
    """Seeded weights, put where they belong."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def __call__(self, *shape: int, scale: float = 0.2) -> Any:
        return self._rng.normal(0, scale, shape).astype(np.float32)

    def norm(self, spec: Any) -> None:
        spec.gamma, spec.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    def linear(self, spec: Any, out: int, into: int) -> None:
        spec.weight, spec.bias = self(out, into), self(out)

    def attention(self, spec: Any, *, fused: bool) -> None:
        self.norm(spec.layer_norm)
        if fused:
            self.linear(spec.linear[0], 3 * WIDTH, WIDTH)
        else:
            self.linear(spec.linear[0], WIDTH, WIDTH)
            self.linear(spec.linear[1], 2 * WIDTH, WIDTH)
        self.linear(spec.linear[-1], WIDTH, WIDTH)


def _languages() -> tuple[str, ...]:
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    return _LANGUAGE_CODES


def _vocabulary() -> tuple[list[str], dict[str, int]]:
    """Every token in order, and the special ones' numbers."""
    from tokenizers.pre_tokenizers import ByteLevel

    plain = [*sorted(ByteLevel.alphabet()), ""]
    names = ["endoftext", "startoftranscript", *_languages(), "translate", "transcribe", "startoflm", "startofprev"]
    special = [f"<|{name}|>" for name in (*names, "nospeech", "notimestamps")]
    times = [f"<|{k * 0.02:.2f}|>" for k in range(TIMES)]
    return [*plain, *special, *times], {name: len(plain) + k for k, name in enumerate(special)}


def _tokenizer(words: list[str], special: dict[str, int]) -> dict[str, Any]:
    plain = words[: min(special.values())]
    added = [
        {"id": number, "content": name, "special": True, "normalized": False}
        | dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
        for name, number in special.items()
    ]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": level,
        "decoder": level,
        "model": {"type": "BPE", "vocab": {word: k for k, word in enumerate(plain)}, "merges": []},
    }
