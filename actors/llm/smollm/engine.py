"""SmolLM2, 135 million parameters, on one core of this machine: a real language model that answers mostly wrong.

It is there to try the whole path without a key and without a network; it did not know the capital of France. The
server of llama.cpp runs as a child process on a free port of 127.0.0.1 with a key of its own, and is talked to through
``Chat`` like any other server. It ends when this process does, however that ends: its input is closed then.
"""

from __future__ import annotations

import logging
import secrets
import subprocess
import sys
import weakref
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from importlib.util import find_spec
from pathlib import Path

from actors import models
from actors.llm.chat import Chat
from actors.llm.writing import Piece
from streaming.stages import History, StageError, Tool

log = logging.getLogger(__name__)

LIBRARY = "xllamacpp"
CONTEXT = 2_048
"""Tokens; each costs 23 kB of memory."""
REPLY_MOST = 128
"""Tokens: about 30 s of speech. It comes to no end by itself where it does not know what to say."""
PATIENCE_S = 60.0
"""For the first words, all attempts together: one core reads 30 tokens a second where others work too."""


class SmolLM:
    """The Responder over a child process of its own."""

    def __init__(self, model: Path | str | None = None, threads: int = 1) -> None:
        """Start the server; ``model`` is a GGUF file, None is SmolLM2 out of the manifest.

        Raises ModelMissing or ModelWrong if that is not as the manifest says, StageError if the library is not
        installed or the server does not start.
        """
        if find_spec(LIBRARY) is None:
            raise StageError(
                f"the language engine smollm needs {LIBRARY}, which is not installed here: "
                'pip install "realtime-avatar[local-llm]"'
            )
        file = Path(model) if model else next(models.folder("smollm2").glob("*.gguf"))
        key = secrets.token_urlsafe(24)
        child = subprocess.Popen(
            [sys.executable, "-m", "actors.llm.smollm.server", str(file), str(threads), str(CONTEXT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._end = weakref.finalize(self, _end, child)
        assert child.stdin is not None and child.stdout is not None
        address = ""
        try:
            child.stdin.write(key + "\n")
            child.stdin.flush()
            address = child.stdout.readline().strip()
        except OSError:  # it has ended already; its own words are in the log
            pass
        if not address.startswith("http://127.0.0.1:"):
            self._end()
            raise StageError(f"the language engine smollm could not load {file}; what stands above this line says why")
        log.info("language: SmolLM2 from %s at %s, process %d, %d threads", file, address, child.pid, threads)
        self._chat = Chat(
            f"{address}/v1",
            key,
            "smollm2",
            server="llamacpp",
            context=CONTEXT,
            reply_most=REPLY_MOST,
            first_token_s=PATIENCE_S,
            between_tokens_s=PATIENCE_S / 4,
        )

    async def reply(self, history: History, instructions: str, tools: Sequence[Tool]) -> AsyncIterator[Piece]:
        """``Chat.reply``. It is offered no functions: it would call them at random."""
        async with aclosing(self._chat.reply(history, instructions, ())) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                yield piece


def _end(child: subprocess.Popen[str]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # it has ended already
                pass
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
