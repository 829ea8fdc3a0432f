"""The work of `avatar talk` and `avatar say`: settings before, files after; the conversation is in talk.py.

Whatever can be wrong with names and files is said before a model is loaded. Every file appears whole, at the end,
or not at all.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from actors.face.video import write_mp4
from serve_app import app, credential, settings
from serve_app import talk as talking
from serve_app.errors import UserError
from serve_app.files import check_writable, whole, write_json
from serve_app.persona import Persona, PersonaUnknown, cast_of
from serve_app.progress import Progress
from serve_app.recording import Film, Take, joined
from serve_app.settings import Settings
from serve_app.wav import read_question
from streaming.pace import Pace
from streaming.session import Stages


def talk(chosen: argparse.Namespace) -> int:
    """Answer the question in a sound file; write the film and what else was asked for."""
    manner = talking.Manner(fast=chosen.fast, vad=chosen.vad)
    _check_call(chosen)
    wished = settings.load(chosen.profile)
    _check_names([chosen.out, chosen.report, chosen.labels, chosen.journal], read=chosen.question)
    pcm = read_question(chosen.question, manner.limit_s(_pace(wished)))
    if chosen.url:
        takes, told = _call(chosen, wished, pcm, manner)
    else:
        takes, told = _ask(chosen, wished, pcm, manner)
    film = joined(takes)
    _write(chosen.out, film, chosen.labels)
    if chosen.report:
        write_json(chosen.report, told)
    return 0


def _ask(
    chosen: argparse.Namespace, wished: Settings, pcm: bytes, manner: talking.Manner
) -> tuple[list[Take], dict[str, Any]]:
    """Ask the stages of this machine."""
    with ExitStack() as stack:
        sink = None
        if chosen.journal:
            sink = stack.enter_context(stack.enter_context(whole(chosen.journal)).open("w", encoding="utf-8"))
        persona = _persona(wished, chosen.persona)
        how = _how(wished, persona, stack.enter_context(Progress()), sink)
        return asyncio.run(_talk(wished, persona, pcm, manner, how, over_ray=chosen.ray))


def _call(
    chosen: argparse.Namespace, wished: Settings, pcm: bytes, manner: talking.Manner
) -> tuple[list[Take], dict[str, Any]]:
    """Ask a running service."""
    from serve_app import calling

    heard = wished.listener.choice()
    listener = app.checked("asr", heard)(**heard.arguments)
    line = calling.Line(chosen.url, credential.key_of(chosen))
    with Progress() as progress:
        return asyncio.run(calling.ask(line, pcm, manner, listener, progress))


def _check_call(chosen: argparse.Namespace) -> None:
    """Raise UserError for options that do not go together with --url, or need it."""
    if not chosen.url:
        if chosen.key or chosen.key_file:
            raise UserError("--key is for a service elsewhere; name it with --url")
        return
    for option, why in {
        "labels": "phones do not cross the wire",
        "journal": "what happens inside the service does not cross the wire",
        "ray": "the service knows where its stages run",
    }.items():
        if getattr(chosen, option):
            raise UserError(f"--{option} does not go with --url, for {why}; leave one of them out")
    if chosen.fast and chosen.vad:
        raise UserError("--vad over the wire needs the pace of speech, to hear each answer out; leave out --fast")


async def _talk(
    wished: Settings, persona: Persona, pcm: bytes, manner: talking.Manner, how: talking.How, *, over_ray: bool
) -> tuple[list[Take], dict[str, Any]]:
    async with _stages(wished, persona, how.progress, over_ray=over_ray) as stages:
        return await talking.ask(stages, pcm, manner, how)


def say(chosen: argparse.Namespace) -> int:
    """Speak a text; write the film and, if asked for, what was spoken when."""
    wished = settings.load(chosen.profile)
    _check_names([chosen.out, chosen.labels])
    talking.check_text(chosen.text)
    persona = _persona(wished, chosen.persona)
    with Progress() as progress:
        film = joined(asyncio.run(_say(wished, persona, chosen.text, _how(wished, persona, progress))))
    _write(chosen.out, film, chosen.labels)
    return 0


async def _say(wished: Settings, persona: Persona, text: str, how: talking.How) -> list[Take]:
    async with _stages(wished, persona, how.progress, over_ray=False) as stages:
        return await talking.say(stages, text, how)


def _pace(wished: Settings) -> Pace:
    """The service's pace, without a bound on what is sent ahead: a file takes everything."""
    return replace(wished.reporting_pace(), send_lead=None)


def _persona(wished: Settings, name: str | None) -> Persona:
    """Who speaks. Raises UserError if there is none of that name, or a persona is wrong."""
    try:
        return cast_of(wished).find(name or "")
    except PersonaUnknown as error:
        raise UserError(str(error)) from None


def _how(wished: Settings, persona: Persona, progress: Progress, sink: TextIO | None = None) -> talking.How:
    patient = replace(persona.driving(wished.driving()), first_s=talking.FIRST_S, next_s=talking.NEXT_S)
    return talking.How(_pace(wished), patient, sink, progress)


@asynccontextmanager
async def _stages(wished: Settings, persona: Persona, progress: Progress, *, over_ray: bool) -> AsyncIterator[Stages]:
    progress.show("loading", note="the models")
    if over_ray:
        async with app.serve_stages(wished, lambda name, state: progress.show("loading", note=f"{name} {state}")) as it:
            yield persona.shown(it)
    else:
        yield persona.shown(app.build_stages(wished))


def _check_names(written: Sequence[Path | None], read: Path | None = None) -> None:
    """Raise UserError if a file cannot be written, or one name is given twice."""
    names = [path.resolve() for path in (read, *written) if path is not None]
    for path in written:
        if path is not None:
            check_writable(path)
            if names.count(path.resolve()) > 1:
                raise UserError(f"{path} is named twice; give every file a name of its own")


def _write(path: Path, film: Film, labels: Path | None) -> None:
    if not film.packets:
        raise UserError("no pictures were drawn, for the profile has no face; choose one that has")
    try:
        write_mp4(path, film.packets, film.sound)
    except OSError as error:
        raise UserError(error.strerror or str(error)) from error
    if labels:
        write_json(labels, film.labels())
