"""What a client was shown of one reply, or of all, read out of a journal and made into an MP4.

It reads lines that somebody gives it; where they are stored it does not know.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from actors.face.video import as_h264, write_mp4
from streaming.commands import Audio, Cut, Ended, Frames, Show
from streaming.journal import decode
from streaming.media import FRAME, SAMPLE_BYTES, FramePacket, samples


@dataclass(slots=True)
class Reply:
    """One reply as far as it was shown."""

    sound: bytearray = field(default_factory=bytearray)
    packets: list[FramePacket] = field(default_factory=list[FramePacket])
    over: bool = False

    def take(self, order: Show) -> None:
        """A message that tells of this reply."""
        match order.message:
            case Audio(_, pts, pcm):
                self.sound[pts * SAMPLE_BYTES :] = pcm  # a client that came back was sent some of it once more
            case Frames(_, packets):
                self.packets = [kept for kept in self.packets if kept.pts < packets[0].pts] + list(packets)
            case Cut(_, pts) | Ended(_, pts):
                del self.sound[pts * SAMPLE_BYTES :]
                self.packets = [packet for packet in self.packets if packet.pts < pts]
                self.over = True
            case _:
                pass


class Shown:
    """The replies of a conversation that are to be seen again."""

    def __init__(self, turn: int = 0) -> None:
        """``turn``: the only reply that is wanted; 0 wants all."""
        self.turn = turn
        self._replies: dict[int, Reply] = {}

    @property
    def over(self) -> bool:
        """True once nothing that comes later is of use."""
        return self.turn in self._replies and self._replies[self.turn].over

    @property
    def replies(self) -> list[Reply]:
        """Those with pictures, in their order."""
        return [reply for _, reply in sorted(self._replies.items()) if reply.packets]

    def read(self, lines: list[str]) -> None:
        """Take what is wanted out of the next lines of the journal."""
        for line in lines:
            for command in json.loads(line).get("commands", ()):
                turn = command["message"].get("turn", 0) if command["kind"] == "Show" else 0
                if turn and self.turn in (0, turn):
                    self._replies.setdefault(turn, Reply()).take(decode(command))

    def mp4(self) -> bytes:
        """The clip: each reply begins on a whole frame after the one before. Raises VideoUnreadable."""
        sound, packets = bytearray(), list[FramePacket]()
        for reply in self.replies:
            sound += bytes(-len(sound) % (FRAME * SAMPLE_BYTES))
            begin = max(samples(bytes(sound)), packets[-1].pts + FRAME if packets else 0)
            sound += bytes(begin * SAMPLE_BYTES - len(sound))
            packets += [replace(packet, pts=packet.pts + begin) for packet in as_h264(reply.packets)]
            sound += reply.sound
        with tempfile.TemporaryDirectory(prefix="realtime-avatar-") as folder:
            path = Path(folder) / "film.mp4"
            write_mp4(path, packets, bytes(sound))
            return path.read_bytes()
