"""Voices that people brought: a recording and what is known of it, named after its samples, never changed.

An engine that clones finds the recording here by its id. On another machine, whose library does not have it, the engine
raises VoiceAbsent, and actors/handles.py repeats the call with the recording. Whether a recording is good enough is
decided in serve_app/voices.py.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from actors.data import data_folder
from actors.files import write
from streaming.stages import BadInput

_ID = re.compile(r"voice-[0-9a-f]{20}")


class VoiceUnknown(LookupError):
    """There is no voice of that id."""


class VoiceAbsent(BadInput):
    """This machine does not have the recording; the same call may be repeated with it."""


@dataclass(frozen=True, slots=True)
class Brought:
    """A voice that somebody brought."""

    id: str
    name: str
    language: str
    """ISO 639-1, of what is said in the recording."""
    created: str
    """ISO 8601, UTC: when the consent was given."""
    sha256: str
    """Of the recording's samples, in hexadecimal."""
    consent: bool
    measures: dict[str, float]
    """What was measured of the recording, as ``serve_app/voices.py`` names it."""

    def pcm24k(self) -> bytes:
        """The recording, PCM16 mono at 24 kHz. Raises VoiceUnknown if it was erased in the meantime."""
        try:
            return (own_folder() / f"{self.id}.pcm").read_bytes()
        except FileNotFoundError:
            raise VoiceUnknown(f"the voice {self.id} was erased; choose another") from None


def own_folder() -> Path:
    """Where they lie, beside what engines made of them; gateways of one service need to see the same one."""
    return data_folder() / "voices"


def identity(pcm24k: bytes) -> str:
    """The id of the voice with these samples."""
    return "voice-" + hashlib.sha256(pcm24k).hexdigest()[:20]


def library() -> dict[str, Brought]:
    """All voices by id, the oldest first."""
    folder = own_folder()
    found = [_read(path) for path in folder.glob("voice-*.json")] if folder.is_dir() else []
    return {voice.id: voice for voice in sorted(found, key=lambda voice: (voice.created, voice.id))}


def find(voice_id: str) -> Brought:
    """One voice. Raises VoiceUnknown."""
    if not here(voice_id):
        raise VoiceUnknown(f"no voice is called {voice_id!r}")
    return _read(own_folder() / f"{voice_id}.json")


def may_be(name: str) -> bool:
    """Whether ``name`` is the id of a voice that somebody brought, here or elsewhere."""
    return _ID.fullmatch(name) is not None


def here(voice_id: str) -> bool:
    """Whether this machine's library has it."""
    return may_be(voice_id) and (own_folder() / f"{voice_id}.json").is_file()


def store(voice: Brought, pcm24k: bytes) -> None:
    """Keep a voice: the samples first, so that whatever is listed is complete. Raises OSError."""
    folder = own_folder()
    folder.mkdir(parents=True, exist_ok=True)
    told = json.dumps(asdict(voice), ensure_ascii=False, indent=2) + "\n"
    write(folder / f"{voice.id}.pcm", pcm24k)
    write(folder / f"{voice.id}.json", told.encode())


def remove(voice_id: str) -> None:
    """Erase a voice, and what engines made of it. Raises VoiceUnknown."""
    voice = find(voice_id)
    for path in (own_folder() / f"{voice.id}.json", *own_folder().glob(f"{voice.id}.*")):
        path.unlink(missing_ok=True)


def _read(path: Path) -> Brought:
    return Brought(**json.loads(path.read_text("utf-8")))
