"""Trained weights: which files the engines need, where from, and whether this machine has the right ones.

Read ``manifest.py`` for the files, ``places.py`` for where they lie, ``pulling.py`` for how they come. An engine asks
for its folder with ``folder`` or for one file with ``locate``; nothing is fetched while a program runs.
"""

from actors.models.kinds import Model, ModelFile, ModelMissing, ModelWrong
from actors.models.manifest import FILES, MODELS
from actors.models.places import Found, built, folder, home, locate, survey, verified

__all__ = [
    "FILES",
    "MODELS",
    "Found",
    "Model",
    "ModelFile",
    "ModelMissing",
    "ModelWrong",
    "built",
    "folder",
    "home",
    "locate",
    "survey",
    "verified",
]
