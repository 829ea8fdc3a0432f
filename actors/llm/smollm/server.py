"""The child process of engine.py: llama.cpp's own server for one GGUF file, until its input ends.

`python -m actors.llm.smollm.server FILE THREADS CONTEXT`: reads the key that clients must show from its first line of
input, writes its address as the first line of output, and serves until the input is closed.
"""

from __future__ import annotations

import os
import sys
from typing import Any


def main() -> None:
    """Serve."""
    file, threads, context = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    key = sys.stdin.readline().strip()
    # What the library prints goes to the log; the output is for the address alone.
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    server = served(file, key, threads, context)
    told.write(f"{server.listening_address}\n")
    told.flush()
    sys.stdin.read()


def served(file: str, key: str, threads: int, context: int) -> Any:
    """llama.cpp's server, listening on a free port of this machine alone."""
    import xllamacpp  # pyright: ignore[reportMissingImports]  # of the extra local-llm

    wishes = xllamacpp.CommonParams()
    wishes.model.path = file
    wishes.n_ctx, wishes.n_parallel = context, 1
    wishes.cpuparams.n_threads = wishes.cpuparams_batch.n_threads = threads
    wishes.hostnames, wishes.port, wishes.api_keys, wishes.ui = ["127.0.0.1"], 0, [key], False
    wishes.verbosity = 1
    return xllamacpp.Server(wishes)


if __name__ == "__main__":
    main()
