"""What the guide answers by rule: names, the clock, what was said before, and other languages than English.

Each rule reads the text and gives an answer or None. No rule knows the knowledge file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import datetime

from streaming.stages import History

_ENGLISH_ONLY = "I only speak English. Please ask me again in English."

_FOREIGN = frozenset(
    "el la los las qué que cómo como está estás quién dónde cuánto hola gracias por favor es usted puedes hablas "
    "le les une est êtes vous tu je bonjour merci comment où pourquoi parlez avec pas ça "
    "der die das ist wie wer wo warum ich du sie nicht und ein eine hallo danke bitte heißt geht kannst sprichst "
    "che cosa sei sono ciao grazie perché dove chi come parli o os você obrigado quem onde".split()
)
_ENGLISH = frozenset(
    "the a an is are was what who how why where when can you your i me my it this that do does in of to and for "
    "with please tell hello name will".split()
)
_NOT_NAMES = frozenset(
    "a an the not so very too just really fine good well okay ok sorry happy sad tired here back done ready sure "
    "going trying looking asking talking testing what who how american british english german french spanish "
    "italian chinese japanese russian indian dutch from in on at and or but your you it".split()
)
_NAME = re.compile(r"\b(?:my name is|my name's|the name is|the name's|call me)\s+([^\W\d_][\w'’-]*)", re.I)
_I_AM = re.compile(r"^(?:(?:hi|hello|hey|good \w+)[,.!]?\s+)?(?:i am|i'm|i’m|this is)\s+([A-Z][\w'’-]+)[.!]?$", re.I)


def manner(text: str, history: History, now: Callable[[], datetime], me: str) -> str | None:
    """The answer of the first rule that applies; ``me`` is said by whoever is asked for a name in return."""
    plain = re.sub(r"[^\w\s']+", " ", text.lower().replace("’", "'"))
    plain = " ".join(plain.split())
    if not plain:
        waited = not text and any(item.role == "assistant" for item in history)
        return "Are you still there? Ask me anything you like." if waited else "I heard nothing. Please say it again."
    if foreign(text):
        return _ENGLISH_ONLY
    return _clock(plain, now) or _named(text, plain, history, me) or _again(plain, history)


def wants_more(text: str) -> bool:
    """True for "tell me more" and the like: about the question before."""
    plain = re.sub(r"[^a-z ]", "", text.lower()).strip()
    return bool(
        re.fullmatch(
            r"(?:please |and |okay |can you |could you )*(?:tell me |say |explain )?(?:some ?thing )?"
            r"(?:more|go on|continue|in more detail|details|why|why is that|how so|really)(?: about (?:it|that|this))?"
            r"(?: please)?",
            plain,
        )
    )


def foreign(text: str) -> bool:
    """True if a text is not English, as far as its letters and its commonest words tell."""
    letters = [letter for letter in text if letter.isalpha()]
    if letters and sum("LATIN" in unicodedata.name(letter, "") for letter in letters) < len(letters) / 2:
        return True
    words = re.findall(r"[^\W\d_]+", text.lower())
    strange = sum(word in _FOREIGN for word in words)
    return strange >= 2 and strange > sum(word in _ENGLISH for word in words)


def _clock(plain: str, now: Callable[[], datetime]) -> str | None:
    if re.search(r"\bwhat time is it\b|\bwhat(?:'s| is) the (?:current )?time\b|\b(?:have|got) the time\b", plain) or (
        re.search(r"\b(?:tell|know|give|say)\b.*\b(?:the|what) time\b", plain)
    ):
        time = now()
        return f"It is {time.hour % 12 or 12}:{time.minute:02d} {'AM' if time.hour < 12 else 'PM'} by my clock."
    if re.search(r"\bwhat (?:day|date|month|year)\b|\bwhich (?:day|month|year)\b|\b(?:the|today's) date\b", plain):
        day = now()
        return f"Today is {day:%A}, {day:%B} {day.day}, {day.year}."
    return None


def _named(text: str, plain: str, history: History, me: str) -> str | None:
    if re.search(r"\b(?:what is|what's|know|remember|say|tell me) my name\b|^who am i\b", plain):
        earlier = [name for item in history if item.role == "user" and (name := name_in(item.text))]
        return f"You are {earlier[-1]}." if earlier else "You haven't told me. What is your name?"
    name = name_in(text)
    if not name:
        return None
    asked_back = re.search(r"\b(?:what is yours|what's yours|and yours|your name|who are you|and you)\b", plain)
    return f"Nice to meet you, {name}." + (f" {me}" if asked_back else "")


def name_in(text: str) -> str:
    """The name by which somebody introduces himself; empty if nobody does."""
    found = _NAME.search(text) or _I_AM.search(text.strip())
    if found is None or found[1].lower() in _NOT_NAMES or found[1].lower().endswith("ing"):
        return ""
    return found[1][0].upper() + found[1][1:]


def _again(plain: str, history: History) -> str | None:
    mine = [item.text for item in history if item.role == "assistant" and item.text.strip()]
    theirs = [item.text for item in history if item.role == "user" and item.text.strip()]
    if re.search(r"\bwhat did i (?:just )?(?:say|ask|tell)|\bmy last question\b", plain):
        return f"You said: {theirs[-2]}" if len(theirs) > 1 else "Nothing before this. It was your first question."
    if re.search(
        r"\b(?:repeat|say) (?:that|it|this|what you)\b.*|\bwhat did you (?:just )?say\b|\bcome again\b", plain
    ) or re.fullmatch(
        r"(?:(?:i am |i'm )?sorry |please |can you |could you )*(?:repeat|pardon|pardon me|what|again)(?: please)?",
        plain,
    ):
        return mine[-1] if mine else "I haven't said anything yet. Ask me something."
    return None
