"""Faces: engines that turn speech into pictures."""

ENGINES = {"ditto": "actors.face.ditto.engine:Ditto", "portrait": "actors.face.portrait.engine:Portrait"}
"""Engine name to "module:Class"; imported when it is used."""

PLANNERS = {"ditto": "actors.face.ditto.planner:Planner"}
"""The same of what chooses an engine's plans, for engines that have any."""
