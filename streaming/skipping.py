"""A clip that is spoken once more after its replica was lost: what of it is new. It knows no call."""

from __future__ import annotations

from streaming.media import SAMPLE_BYTES, samples
from streaming.stages import Spoken


def new_of(first: int, piece: Spoken, at: int) -> Spoken | None:
    """The part of ``piece``, itself the clip's sound from sample ``at`` on, that lies at ``first`` or after.

    None if nothing is left. Phones and words that begin earlier are known from the attempt that was lost.
    """
    if at >= first:
        return piece
    if at + samples(piece.pcm24k) <= first:
        return None
    return Spoken(
        piece.pcm24k[(first - at) * SAMPLE_BYTES :],
        tuple(phone for phone in piece.phones if phone.start >= first),
        tuple(word for word in piece.words if word.start >= first),
    )
