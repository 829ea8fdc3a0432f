"""The one error that a person at the command line gets to read, as one line and without a traceback."""

from __future__ import annotations


class UserError(Exception):
    """Something that the person can mend. The message is one line: what is wrong, and what to do."""


class NoWords(UserError):
    """Nothing was said in what was brought."""
