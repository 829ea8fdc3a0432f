"""A bar for those who watch, silence for those who do not."""

from __future__ import annotations

import io

from serve_app.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_one_line_that_is_taken_away_in_the_end() -> None:
    terminal, now = Terminal(), [0.0]
    progress = Progress(terminal, clock=lambda: now[0])
    progress.show("listening", 1, 4, "1 of 4 s")
    now[0] = 0.05
    progress.show("listening", 2, 4, "too soon to draw again")
    progress.show("answering", note="9 pictures")
    progress.close()
    assert terminal.getvalue().split("\r") == [
        "",
        "listening  [######..................] 1 of 4 s",
        "answering  9 pictures                         ",
        "                     ",
        "",
    ]


def test_a_pipe_sees_nothing() -> None:
    pipe = io.StringIO()
    progress = Progress(pipe)
    progress.show("listening", 1, 4)
    progress.close()
    assert pipe.getvalue() == ""
