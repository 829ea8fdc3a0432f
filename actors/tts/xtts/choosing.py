"""Which sound token comes next: the published settings, drawn with a number that the request's own generator gave.

Chance enters as one number in [0, 1) for each token, made outside. So what a request draws depends neither on torch's
global generator nor on what other requests do at the same time, and is the same on every device.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Taste:
    """How freely it speaks. The defaults are those published with XTTS-v2."""

    temperature: float = 0.75
    """0: always the likeliest token."""
    top_k: int = 50
    top_p: float = 0.85
    repetition: float = 5.0
    """Divides the score of a token that was already used; 1 is none."""


def choose(scores: torch.Tensor, used: torch.Tensor, draws: torch.Tensor, taste: Taste) -> torch.Tensor:
    """A token for each row, (rows,) of int64.

    ``scores`` (rows, tokens): the network's, in any precision; ``used`` (rows, tokens): true where it is
    penalised; ``draws`` (rows,): numbers in [0, 1). All shapes are fixed, so that it can be part of a CUDA graph.
    """
    scores = scores.float()
    less = torch.where(scores < 0, scores * taste.repetition, scores / taste.repetition)
    scores = torch.where(used, less, scores)
    if not taste.temperature:
        return scores.argmax(dim=-1)
    best, tokens = torch.topk(scores / taste.temperature, min(taste.top_k, scores.shape[-1]), dim=-1)
    odds = best.softmax(dim=-1)
    before = odds.cumsum(dim=-1) - odds
    odds = odds * (before < taste.top_p)  # the likeliest has nothing before it and always stays
    edges = odds.cumsum(dim=-1)
    place = (edges <= draws[:, None] * edges[:, -1:]).sum(dim=-1, keepdim=True)
    return tokens.gather(-1, place.clamp(max=odds.shape[-1] - 1))[:, 0]
