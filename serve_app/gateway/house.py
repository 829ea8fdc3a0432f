"""What a gateway consists of: stages, limits, and everything else that all its connections share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from serve_app.gateway.admission import Admission, Limits
from serve_app.gateway.leaving import Leaving
from serve_app.instruments import Instruments, Recording
from serve_app.keeper import Archive
from serve_app.persona import Cast
from serve_app.traces import NoTurns, Turns, turns_of
from serve_app.warming import Told, for_client
from streaming.pace import Pace
from streaming.session import Driving, Stages
from streaming.stages import Avatar


@dataclass(frozen=True, slots=True)
class House:
    """What every connection of this gateway shares."""

    stages: Stages
    pace: Pace
    driving: Driving
    admission: Admission = field(default_factory=lambda: Admission(Instruments(), Limits(late=1)))
    """Who may begin; it stands before the instruments."""
    archive: Archive | None = None
    """None: nothing is kept."""
    cast: Cast = field(default_factory=Cast)
    """Who may speak; ``driving`` and the avatar of ``stages`` are those of a persona that leaves them open."""
    tracing: str = ""
    """Where spans go (serve_app/traces.py); empty: nothing is traced."""
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What everybody may know of how the service is set up."""
    leaving: Leaving = field(default_factory=Leaving)
    """Whether this gateway is about to stop."""
    counts: bool = False
    """True: `/debug/counts` is there."""

    def pace_of(self, *, own: bool) -> Pace:
        """The pace of a client of ours, or of one that reports no playhead and takes sound as fast as it comes."""
        usual, blind = self.pace, Pace.blind()
        return usual if own else replace(usual, send_lead=blind.send_lead, reports_playhead=False)

    def turns(self, session: str) -> Turns | NoTurns:
        """What traces a conversation."""
        return turns_of(self.tracing, session)

    @property
    def instruments(self) -> Recording:
        """Where numbers are recorded."""
        return self.admission

    def stages_for(self, avatar: Avatar, told: Told) -> Stages:
        """The stages of a connection that shows ``avatar``; ``told`` tells its client of stages that sleep."""
        return for_client(replace(self.stages, avatar=avatar), told)

    @property
    def usual(self) -> Driving:
        """What goes with each call where nobody asks for a persona."""
        return replace(self.cast.usual.driving(self.driving), languages=self.cast.languages)

    @property
    def shown(self) -> Stages:
        """The stages, with the face that is shown where nobody asks for a persona."""
        return self.cast.usual.shown(self.stages)
