"""The transformer, one token for all rows at a time, over a cache of fixed size.

A step always computes every row, used or not: decoding reads all weights once whatever the number of rows, so idle
rows cost little, a row's numbers do not depend on its neighbours, and on CUDA the step can be recorded once as a graph
and replayed (launching its kernels one by one is most of the time there). The layers are those of coqui-tts's GPT; only
attention is computed here. This file knows no text and no sound.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F

from actors.tts.xtts.choosing import Taste, choose

log = logging.getLogger(__name__)

_REACH = 128
"""Attention looks at a whole multiple of so many places where the size may change from step to step."""
_FILLER = 1
"""The token that the published loop writes where the prompt stands, and so penalises from the beginning."""


class Gpt:
    """Rows of text that become sound tokens; one thread only."""

    def __init__(self, gpt: Any, rows: int, taste: Taste, *, graph: bool = False) -> None:
        """``gpt``: coqui-tts's, on its device in its precision. ``graph``: record the step (CUDA)."""
        self.stop: int = gpt.stop_audio_token
        self.most: int = gpt.max_gen_mel_tokens
        """Tokens of one text."""
        weight = gpt.mel_head.weight
        self._gpt, self._taste, self._device, self.rows = gpt, taste, weight.device, rows
        width, layers, heads = gpt.model_dim, len(gpt.gpt.h), gpt.heads
        self.room: int = gpt.max_prompt_tokens + gpt.max_text_tokens + gpt.max_mel_tokens
        shape = (layers, rows, self.room, heads, width // heads)
        self._keys, self._values = weight.new_zeros(shape), weight.new_zeros(shape)
        self._places = torch.arange(self.room, device=self._device)
        self._row = torch.arange(rows, device=self._device)
        self._live = torch.zeros(rows, dtype=torch.bool, device=self._device)
        self._length = torch.zeros(rows, dtype=torch.long, device=self._device)
        """Places of the cache that are filled."""
        self._written = torch.zeros_like(self._length)
        self._token = torch.zeros_like(self._length)
        self._used = torch.zeros(rows, gpt.num_audio_tokens, dtype=torch.bool, device=self._device)
        self._draws = torch.zeros(rows, device=self._device)
        self._latents = weight.new_zeros(rows, width)
        self._longest = [0] * rows
        self._graph = self._recorded() if graph else None

    def prompt(self, voice: torch.Tensor, tokens: Sequence[int]) -> torch.Tensor:
        """A voice's prompt (1, n, channels) and a text's tokens as the transformer's input (length, channels)."""
        gpt = self._gpt
        text = torch.tensor([[gpt.start_text_token, *tokens, gpt.stop_text_token]], device=self._device)
        words = gpt.text_embedding(text) + gpt.text_pos_embedding(text)
        return torch.cat([voice.to(words), words], dim=1)[0]

    @torch.inference_mode()
    def begin(self, row: int, prompt: torch.Tensor) -> None:
        """Give a row a new text: fill its cache with ``prompt``; the next step gives its first token."""
        length = len(prompt)
        x = prompt[None]
        for number, block in enumerate(self._gpt.gpt.h):
            query, key, value = self._split(block, x)
            self._keys[number, row, :length] = key[0].transpose(0, 1)
            self._values[number, row, :length] = value[0].transpose(0, 1)
            x = _rest(block, x, F.scaled_dot_product_attention(query, key, value, is_causal=True))
        self._live[row] = True
        self._length[row] = self._longest[row] = length
        self._written[row] = 0
        self._token[row] = self._gpt.start_audio_token
        self._used[row] = False
        self._used[row, [_FILLER, self._gpt.start_audio_token]] = True

    def end(self, row: int) -> None:
        """The row is free."""
        self._live[row] = False
        self._longest[row] = 0

    @torch.inference_mode()
    def step(self, draws: Sequence[float]) -> tuple[list[int], torch.Tensor]:
        """The next token of each row, drawn with ``draws``, and the latents (rows, channels) it was drawn from.

        Rows without a text give tokens that mean nothing. The latents are overwritten by the next step.
        """
        self._draws.copy_(torch.tensor(draws))
        self._longest = [length + 1 if length else 0 for length in self._longest]
        if self._graph:
            self._graph.replay()
        else:
            self._advance(min(self.room, -max(self._longest) // _REACH * -_REACH))
        return self._token.tolist(), self._latents

    def _advance(self, reach: int) -> None:
        """One step, all in place. ``reach``: places of the cache to look at, a whole multiple of _REACH or all."""
        gpt = self._gpt
        x = (gpt.mel_embedding(self._token) + gpt.mel_pos_embedding.emb(self._written))[:, None]
        seen = (self._places[:reach] <= self._length[:, None])[:, None, None]
        for number, block in enumerate(gpt.gpt.h):
            query, key, value = self._split(block, x)
            self._keys[number][self._row, self._length] = key[:, :, 0]
            self._values[number][self._row, self._length] = value[:, :, 0]
            keys, values = (all_[number][:, :reach].transpose(1, 2) for all_ in (self._keys, self._values))
            x = _rest(block, x, F.scaled_dot_product_attention(query, keys, values, attn_mask=seen))
        self._latents.copy_(gpt.final_norm(gpt.gpt.ln_f(x))[:, 0])
        self._token.copy_(choose(gpt.mel_head(self._latents), self._used, self._draws, self._taste))
        self._used.scatter_(1, self._token[:, None], True)
        self._length += self._live
        self._written += self._live

    @torch.inference_mode()
    def _recorded(self) -> Any:
        """The step as a CUDA graph, over the whole cache. No row is live yet, so trying it changes nothing."""
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):  # libraries choose their kernels first
                self._advance(self.room)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other engines may work beside it
            self._advance(self.room)
        log.info("xtts: a step is one CUDA graph over %d places, because launching its kernels costs most", self.room)
        return graph

    def _split(self, block: Any, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Query, key and value, each (rows, heads, places, channels of a head)."""
        rows, places, width = x.shape
        parts = block.attn.c_attn(block.ln_1(x)).split(width, dim=2)
        return tuple(part.view(rows, places, self._gpt.heads, -1).transpose(1, 2) for part in parts)


def _rest(block: Any, x: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
    """A layer after its attention (rows, heads, places, channels of a head)."""
    x = x + block.attn.c_proj(attended.transpose(1, 2).reshape(x.shape))
    return x + block.mlp(block.ln_2(x))
