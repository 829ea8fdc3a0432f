"""What a recogniser writes where nobody spoke, told by its own doubts. Pure: texts and numbers.

Whisper learnt from films with subtitles, so over near-silence it writes what stands in those where nobody speaks:
thanks to viewers, and who made the subtitles. People say "thank you" too; so such a text is dropped only where there
is hardly a voice and the decoder is unsure as well.
"""

from __future__ import annotations

import re
import zlib

_PHANTOMS = frozenset(
    """
    you | bye | bye bye | thank you | thanks | thank you very much | thank you so much | thanks for watching |
    thank you for watching | thank you so much for watching | thank you for listening | please subscribe |
    please subscribe to my channel | like and subscribe | see you next time | see you in the next video | the end |
    subtitles by the amara org community | subtitles by | music | applause | silence |
    gracias | muchas gracias | gracias por ver | gracias por ver el video | suscribete | suscribete al canal |
    no olvides suscribirte | hasta la proxima | subtitulos realizados por la comunidad de amara org | subtitulado por |
    谢谢 | 谢谢大家 | 谢谢观看 | 谢谢收看 | 感谢观看 | 感谢收看 | 请订阅 | 字幕由amara org社区提供 | 字幕志愿者 |
    请不吝点赞订阅转发打赏支持明镜与点点栏目
    """.replace("\n", " ").split(" | ")
)
_ACCENTS = str.maketrans("áéíóúüñ", "aeiouun")
_WIDE = r"[\u3400-\u9fff]"

VOICE = 0.5
"""Probability at which a frame counts as voice without doubt."""
LITTLE = 16_000 * 4 // 10
"""Samples at 16 kHz of such frames below which there is hardly a voice: "thank you" takes 0.4 s."""
SQUEEZED = 2.4
"""Bytes of a text for each that zlib needs for it: Whisper's own limit, above which a text runs in circles."""


def circles(text: str) -> bool:
    """Whether the text holds so little that it must be a decoder running in circles."""
    data = text.encode()
    return len(data) > SQUEEZED * len(zlib.compress(data))


def phantom(text: str, confidence: float, no_speech: float, voice: int) -> bool:
    """Whether nobody said this: a phantom's words, hardly a voice, and a decoder in doubt.

    ``confidence``: mean log probability of a token; ``no_speech``: probability in [0, 1]; ``voice``: samples at 16 kHz
    of frames that hold a voice without doubt.
    """
    doubted = confidence < -0.5 or no_speech > 0.3
    return doubted and voice < LITTLE and _bare(text) in _KNOWN


def _bare(text: str) -> str:
    words = re.sub(r"[^\w]+", " ", text.casefold().translate(_ACCENTS)).strip()
    return re.sub(rf"(?<={_WIDE}) (?={_WIDE})", "", words)


_KNOWN = frozenset(_bare(phrase) for phrase in _PHANTOMS)
