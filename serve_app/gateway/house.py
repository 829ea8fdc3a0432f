"""What a gateway consists of: stages, limits, and everything else that all its connections share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serve_app.gateway.admission import Admission
from serve_app.instruments import Instruments, Recording
from serve_app.keeper import Archive
from serve_app.persona import Cast
from streaming.pace import Pace
from streaming.session import Driving, Stages


@dataclass(frozen=True, slots=True)
class House:
    """What every connection of this gateway shares."""

    stages: Stages
    pace: Pace
    driving: Driving
    admission: Admission = field(default_factory=lambda: Admission(Instruments()))
    """Who may begin; it stands before the instruments."""
    archive: Archive | None = None
    """None: nothing is kept."""
    cast: Cast = field(default_factory=Cast)
    """Who may speak; ``driving`` and the avatar of ``stages`` are those of a persona that leaves them open."""
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What everybody may know of how the service is set up."""
    counts: bool = False
    """True: `/debug/counts` is there."""

    @property
    def instruments(self) -> Recording:
        """Where numbers are recorded."""
        return self.admission

    @property
    def usual(self) -> Driving:
        """What goes with each call where nobody asks for a persona."""
        return self.cast.usual.driving(self.driving)

    @property
    def shown(self) -> Stages:
        """The stages, with the face that is shown where nobody asks for a persona."""
        return self.cast.usual.shown(self.stages)
