"""Lines of the log that say whom they are for: the session, its turn and the stage, wherever these are known.

As text for people, or as JSON (a line each) for machines. Whoever starts a process calls ``write``; replicas are told
how by their environment. No line at level INFO or above holds what a person said.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any, Literal, TextIO, get_args

from streaming.calls import current

FORMAT = "AVATAR_LOG__FORMAT"
"""The setting ``log.format`` as replicas get it; in a cluster's own environment the short name counts as well."""

SHORT = "AVATAR_LOG"

Format = Literal["text", "json"]

OURS = ("actors", "serve_app", "streaming")


class Text(logging.Formatter):
    """``[session turn] message``; the message alone where nobody knows whose it is."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback below it if there is one."""
        call = current()
        whose = f"[{call.session} {call.turn}] " if call.session else ""
        return whose + super().format(record)


class Json(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger and message; session, turn, stage and trace where they are known."""
        call = current()
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if call.session:
            told |= {"session": call.session, "turn": call.turn}
        if call.stage:
            told["stage"] = call.stage
        if call.trace:
            told["trace"] = call.trace.split("-")[1]
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


def handler(form: Format, stream: TextIO | None = None) -> logging.Handler:
    """Writes lines of that form to ``stream``, by default the standard error."""
    made = logging.StreamHandler(stream or sys.stderr)
    made.setFormatter(Json() if form == "json" else Text())
    return made


def write(form: Format, *names: str) -> None:
    """Write what this process logs, from INFO on; with ``names``, only what these loggers do."""
    for name in names or ("",):
        logger = logging.getLogger(name)
        if not any(isinstance(one.formatter, Text | Json) for one in logger.handlers):
            logger.addHandler(handler(form))
            logger.setLevel(logging.INFO)


def write_as_told() -> None:
    """In a replica: write our own lines as its environment says; nothing if it says nothing."""
    for form in get_args(Format):
        if os.environ.get(FORMAT, os.environ.get(SHORT)) == form:
            write(form, *OURS)
