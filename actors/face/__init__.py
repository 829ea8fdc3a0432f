"""Faces: engines that turn speech into pictures."""

ENGINES = {"portrait": "actors.face.portrait.engine:Portrait"}
"""Engine name to "module:Class"; imported when it is used."""
