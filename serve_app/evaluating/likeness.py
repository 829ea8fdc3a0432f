"""Whether a cloned voice sounds like the person: cosine of two embeddings of a speaker encoder, if there is one.

No encoder is loaded for it: a voice engine that has one may offer ``embedding(pcm24k)``. An encoder that the voice was
itself conditioned on flatters it; held against an earlier figure it still tells a change.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from actors.tts import voices
from serve_app.evaluating.calls import Utterance
from serve_app.evaluating.figures import Figure
from serve_app.settings import Settings
from streaming.stages import Voice

NAME = "likeness of the voice"


def measured(voice: Voice, settings: Settings, said: Sequence[Utterance]) -> Figure:
    """Mean cosine between the recording of the voice and what was spoken with it, in [-1, 1]."""
    embedding = getattr(voice, "embedding", None)
    if embedding is None:
        return Figure(NAME, "likeness", (), f"the voice {settings.tts.engine} offers no speaker encoder")
    try:
        recording = voices.find(settings.tts.voice).pcm24k()
    except voices.VoiceUnknown:
        return Figure(NAME, "likeness", (), f"the voice {settings.tts.voice!r} was made of no recording")
    if not said:
        return Figure(NAME, "likeness", (), "nothing was spoken")
    wanted = _unit(embedding(recording))
    cosines = [float(_unit(embedding(one.pcm24k)) @ wanted) for one in said]
    return Figure(NAME, "likeness", (float(np.mean(cosines)),), f"{len(said)} utterances")


def _unit(values: Sequence[float]) -> np.ndarray:
    vector = np.asarray(values, np.float64).ravel()
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
