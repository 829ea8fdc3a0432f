"""What both directions of one client's socket must agree on: its wishes, its items, and its responses.

This file reads no message and writes none.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import replace
from typing import Any

from serve_app.gateway.audio import PCM16K
from serve_app.gateway.items import Items
from serve_app.gateway.ladder import Asked, Response
from serve_app.gateway.wishes import ClientError, Wishes, usual_detection
from serve_app.persona import AvatarUnknown, Cast, Persona, PersonaUnknown
from streaming.events import Event, SpeechEnded, SpeechStarted
from streaming.pace import Pace
from streaming.session import Driving
from streaming.stages import Avatar


class Conduct:
    """What both directions of one client's socket must agree on."""

    def __init__(
        self,
        session: str,
        avatar: Avatar,
        pace: Pace | None = None,
        *,
        own: bool,
        cast: Cast | None = None,
        persona: str = "",
    ) -> None:
        """``avatar`` is shown where a persona has none of its own; ``persona`` is who was asked for at the door."""
        self.session = session
        self._avatar = avatar
        self._faces: dict[str, Avatar | None] = {"": None, avatar.id: avatar}
        """Those that were asked for, by id; "" leaves the choice to the persona."""
        self.cast = cast or Cast()
        self.own = own
        """It offered ``realtime-avatar.v1``."""
        usual = usual_detection(pace or Pace())
        wishes = Wishes("h264", True, heard=PCM16K, detection=usual) if own else Wishes(detection=usual)
        self.wishes = replace(wishes, persona=persona)
        self.begun = False
        """True once something was said: then video, persona and avatar are chosen."""
        self.items = Items()
        self.responses: dict[int, Response] = {}
        self.waiting: Asked | None = None
        """The reply that was asked for and has not begun."""
        self.asides: deque[Asked] = deque()
        """The same of replies beside the conversation, in the order they were asked for."""
        self.spoke_from = self.spoke_until = 0
        """Microphone samples of the newest speech."""
        self.added: set[str] = set()
        """Items of the client's that it was not told of yet."""
        self.stopped = 0
        """The newest reply that the client itself stopped."""
        self.resume_token: str | None = None
        """With it the conversation can be taken up again; None if it cannot."""

    @property
    def persona(self) -> Persona:
        """Who speaks."""
        return self.cast.find(self.wishes.persona)

    @property
    def avatar(self) -> Avatar:
        """The face that is shown: one that the client chose itself counts more than the persona's."""
        return self._faces.get(self.wishes.face) or self.persona.avatar or self._avatar

    def choose(self, wishes: Wishes) -> None:
        """These are the client's wishes from now on. Raises ClientError for what there is not."""
        try:
            self.cast.find(wishes.persona)
            if wishes.face == self.avatar.id:  # as it was shown, said back
                self._faces[wishes.face] = self.avatar
            if wishes.face not in self._faces:
                self._faces[wishes.face] = self.cast.face(wishes.face)
        except PersonaUnknown as error:
            raise ClientError("unknown_persona", str(error), param="avatar.persona") from None
        except AvatarUnknown as error:
            raise ClientError("unknown_avatar", str(error), param="avatar.id") from None
        spoken = self.cast.languages
        if wishes.language and spoken is not None and wishes.language not in spoken:
            says = f"the voice does not speak {wishes.language!r}; it speaks {', '.join(sorted(spoken))}"
            raise ClientError("unknown_language", says, param="avatar.language")
        before, self.wishes = self.wishes, wishes
        if self.begun:
            self._refuse_late(before)

    @property
    def greeting(self) -> str:
        """What is said when the client has joined. Stock clients expect nothing unasked: they ask for a persona."""
        wishes = self.wishes
        wanted = (self.own or wishes.persona) if wishes.greeting is None else wishes.greeting
        return self.persona.greeting if wanted else ""

    @property
    def active(self) -> Response | None:
        """The response that is under way, as far as the client knows."""
        newest = max(self.responses, default=0)
        return None if newest <= 0 or self.responses[newest].over else self.responses[newest]

    @property
    def aside(self) -> int:
        """Replies beside the conversation that are under way or will be."""
        return len(self.asides) + sum(turn < 0 for turn in self.responses)

    @property
    def usual(self) -> Asked:
        """What a reply is that nobody asked for."""
        wishes = self.wishes
        read = len(wishes.instructions) + len(json.dumps(wishes.tools)) + self.items.characters()
        return Asked(wishes.silent, most=wishes.most, read=read)

    def response_of(self, item: str) -> Response | None:
        """The response whose message this item is."""
        return next((response for response in self.responses.values() if response.message == item), None)

    def described(self) -> dict[str, Any]:
        """The session as its client is shown it."""
        shown = self.wishes.described(self.session, self.avatar)
        shown["avatar"]["persona"] = self.persona.id
        if self.resume_token:
            shown["avatar"]["resume_token"] = self.resume_token
        return shown

    def _refuse_late(self, before: Wishes) -> None:
        """Raise ClientError if what cannot change any more was changed; ``before`` then holds again."""
        now = self.wishes, self.wishes.codec, self.persona, self.avatar
        self.wishes = before
        for what, was, is_now in zip(
            ("video", "persona", "avatar"), (before.codec, self.persona, self.avatar), now[1:], strict=True
        ):
            if was != is_now:
                raise ClientError("too_late", f"choose the {what} before the first word")
        self.wishes = now[0]

    def happened(self, event: Event) -> None:
        """When the person spoke: the messages that tell of it come later."""
        if isinstance(event, SpeechStarted):
            self.spoke_from = event.at
        elif isinstance(event, SpeechEnded):
            self.spoke_until = event.at

    def driving(self, usual: Driving) -> Driving:
        """What goes with every call of a stage: what the client chose itself counts more than the persona."""
        chosen = self.wishes.driving(self.persona.driving(usual), self.cast.voices)
        return replace(chosen, languages=self.cast.languages)
