"""All texts of a replica step together: whoever waits for tokens drives, and everybody else rides along.

There is no thread and no lock here: the engine's one thread calls ``advance`` for the request whose turn it is, and the
same steps give the other requests their tokens. A text holds its row until its last token, not until its listener has
taken it, so a slow listener keeps nobody out. This file knows no sound.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

from collections import deque

import torch

from actors.tts.xtts.gpt import Gpt


class Request:
    """One text on its way to tokens."""

    def __init__(self, prompt: torch.Tensor, seed: int) -> None:
        """``prompt``: what ``Gpt.prompt`` gave; the same ``seed`` draws the same tokens."""
        self.prompt = prompt
        self.latents: list[torch.Tensor] = []
        """One for each token so far, (channels,) each: what the vocoder hears."""
        self.tokens: list[int] = []
        self.done = False
        self.row: int | None = None
        self._chance = torch.Generator().manual_seed(seed)

    def draw(self) -> float:
        """The next number of its own chance, in [0, 1)."""
        return float(torch.rand((), generator=self._chance, dtype=torch.float64))


class Together:
    """The requests in rows, and those that wait for one, first come first served."""

    def __init__(self, gpt: Gpt) -> None:
        self._gpt = gpt
        self._rows: list[Request | None] = [None] * gpt.rows
        self._waiting: deque[Request] = deque()

    def enter(self, request: Request) -> None:
        """Let it have the next free row."""
        self._waiting.append(request)

    def leave(self, request: Request) -> None:
        """Nobody wants it any more; also for one that is done."""
        if request in self._waiting:
            self._waiting.remove(request)
        self._free(request)

    def advance(self, steps: int) -> None:
        """Up to ``steps`` tokens for every request that has a row."""
        for _ in range(steps):
            self._seat()
            riding = [request for request in self._rows if request]
            if not riding:
                return
            tokens, latents = self._gpt.step([request.draw() if request else 0.0 for request in self._rows])
            for request in riding:
                assert request.row is not None
                request.tokens.append(tokens[request.row])
                request.latents.append(latents[request.row].clone())
                if request.tokens[-1] == self._gpt.stop or len(request.tokens) >= self._gpt.most:
                    request.done = True
                    self._free(request)

    def _seat(self) -> None:
        for row, request in enumerate(self._rows):
            if request is None and self._waiting:
                request = self._rows[row] = self._waiting.popleft()
                request.row = row
                self._gpt.begin(row, request.prompt)

    def _free(self, request: Request) -> None:
        if request.row is not None:
            self._gpt.end(request.row)
            self._rows[request.row] = None
            request.row = None
