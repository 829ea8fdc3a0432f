"""Which language is spoken: what the client says, else what was found out by listening, once, and then kept.

The first utterance that is long and sure enough pins its language, and from then on every order to recognise carries
it: a "sí" alone sounds like "see". Somebody else may come to the microphone, so a long utterance that is surely in
another language moves the pin. Only finals count: they hold the most sound. This file hears nothing itself.
"""

from __future__ import annotations

from streaming.pace import Pace


class Tongue:
    """The language of one conversation, as far as it is known."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._chosen = ""
        self._pinned = ""

    @property
    def language(self) -> str | None:
        """ISO 639-1 of what is spoken; None: whoever recognises has to find out."""
        return self._chosen or self._pinned or None

    def at_pace(self, pace: Pace) -> None:
        """Other limits from now on."""
        self._pace = pace

    def choose(self, language: str) -> None:
        """The client says what is spoken. ``""`` takes that back: then it is found out anew."""
        if language != self._chosen:
            self._chosen, self._pinned = language, ""

    def heard(self, detected: str, certainty: float, voiced: int) -> bool:
        """A final sounded like ``detected``, with this probability in [0, 1], by ``voiced`` samples at 16 kHz.

        True if that moves the pin: the text was written down in a language that is not spoken.
        """
        pace = self._pace
        if self._chosen or not detected or detected == self._pinned:
            return False
        if not self._pinned:
            if certainty >= pace.language_sure and voiced >= pace.language_after:
                self._pinned = detected
            return False
        if certainty < pace.language_moved or voiced < pace.language_moved_after:
            return False
        self._pinned = detected
        return True
