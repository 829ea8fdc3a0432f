"""What every face asks of a span before it draws it. It knows an engine by its name only."""

from __future__ import annotations

from streaming.media import FRAME, samples
from streaming.stages import FaceState, Span, StageError


def check(span: Span, state: FaceState | None, engine: str) -> None:
    """Raises StageError where sound, place and state do not fit together."""
    if span.pts % FRAME:
        raise StageError(f"a span begins at a whole frame, a multiple of {FRAME} samples, not at {span.pts}")
    try:
        samples(span.pcm24k)
    except ValueError as error:
        raise StageError(str(error)) from error
    if state is not None and (state.engine != engine or state.pts != span.pts):
        raise StageError(
            f"the state is of engine {state.engine!r} at {state.pts}, the span begins at {span.pts} on {engine!r};"
            " send the state that the span before gave, or none"
        )
