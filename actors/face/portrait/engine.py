"""The CPU face: spans of a reply to pictures, packets and the next state.

Every picture is a function of the reply's sound and phones up to LOOK_AHEAD past its frame, of the seed and of the
state; how the reply was cut into spans does not change a bit of it. It knows no session, only a cache of encoders
that may be lost at any time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2

from actors.face.avatars import DEFAULT, Entry, describe, find
from actors.face.coders import Coders, Picture
from actors.face.portrait import memory as memories
from actors.face.portrait.gesture import pose_of
from actors.face.portrait.hearing import WARM_UP, Sound, begin, hear, loudness_now
from actors.face.portrait.listen import Ears
from actors.face.portrait.memory import Memory, StateUnreadable
from actors.face.portrait.motion import around, lips_from_phones
from actors.face.portrait.pose import Pose
from actors.face.portrait.render import Renderer
from actors.face.portrait.rig import load
from actors.face.spans import check
from streaming.media import FRAME, FramePacket, frames_for
from streaming.stages import Avatar, FaceState, Span, StageError

ENGINE = "portrait"
LOOK_AHEAD = 6_720
"""Samples at 24 kHz (0.28 s) of sound and phones that a frame needs past its end, unless the reply ends there."""

_FACES_KEPT = 4
_NO_END = 1 << 40


class Portrait:
    """One flat picture that moves its head, eyes and lips."""

    def __init__(self, folder: Path | None = None) -> None:
        """``folder``: an avatar's own folder, or a folder of such folders beside the built-in ones.

        Raises rig.AvatarBroken if the first avatar cannot be read.
        """
        cv2.setNumThreads(1)  # a frame is small; several sessions share the cores better than one frame does
        self._folder = folder
        self._own = Entry(describe(folder), folder) if folder and (folder / "rig.toml").is_file() else None
        self.avatar: Avatar = self._own.avatar if self._own else find(DEFAULT, folder).avatar
        self._ears = Ears()
        self._faces: OrderedDict[tuple[str, int, int], Renderer] = OrderedDict()
        self._coders = Coders()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="portrait")
        self._face(self.avatar)

    def draw(self, span: Span, avatar: Avatar, state: FaceState | None) -> Iterator[Picture | FaceState]:
        """The span's pictures in order, skipped ones too, then the state for the next span.

        A span that is not the reply's last holds at least LOOK_AHEAD samples past its last frame. Raises StageError
        on a span, state or avatar that this engine cannot use.
        """
        check(span, state, ENGINE)
        first = span.pts // FRAME
        face = self._face(avatar)
        sound = Sound(span.pcm24k, span.pts)
        memory = self._memory(span, first, sound, state)
        end = frames_for(sound.end) if span.last else _NO_END
        for frame in range(first, first + span.want_frames):
            yield Picture(frame * FRAME, face.draw(self._pose(span, frame, end, sound, memory)))
        yield FaceState(ENGINE, (first + span.want_frames) * FRAME, memories.pack(memory))

    def animate(self, span: Span, avatar: Avatar, state: FaceState | None) -> AsyncIterator[FramePacket | FaceState]:
        """The span's packets in order, but for the first ``span.skip``, then the next state. Raises StageError."""
        return self._coders.packets(span, avatar, lambda: self.draw(span, avatar, state), self._executor)

    def _face(self, avatar: Avatar) -> Renderer:
        look = (avatar.id, avatar.width, avatar.height)
        if look in self._faces:
            self._faces.move_to_end(look)
            return self._faces[look]
        try:
            own = self._own if self._own and self._own.avatar.id == avatar.id else None
            entry = own or find(avatar.id, self._folder)
            face = Renderer(load(entry.folder), avatar.width, avatar.height)
        except (LookupError, ValueError) as error:
            raise StageError(f"the face cannot be {avatar.id!r}: {error}") from error
        self._faces[look] = face
        while len(self._faces) > _FACES_KEPT:
            self._faces.popitem(last=False)
        return face

    def _memory(self, span: Span, first: int, sound: Sound, state: FaceState | None) -> Memory:
        if state is not None:
            try:
                return memories.unpack(state.data)
            except StateUnreadable as error:
                raise StageError(str(error)) from error
        memory = begin(span.seed, span.idle_frame, self._ears.mean)
        for frame in range(first - WARM_UP, first):
            hear(sound, frame, memory)
        return memory

    def _pose(self, span: Span, frame: int, end: int, sound: Sound, memory: Memory) -> Pose:
        middle = frame * FRAME + FRAME // 2
        near = around(span.phones, middle)
        memory.has_phones = memory.has_phones or bool(near)
        hear(sound, frame, memory)
        if memory.has_phones:
            lips = lips_from_phones(near, frame, loudness_now(memory))
        else:
            lips = self._ears.lips(memory)
        return replace(pose_of(frame, near, end - 1 - frame, memory), lips=lips)
