"""The `avatar` command: what may be asked of it, and how it says that something is wrong.

Every subcommand imports what it needs when it is asked for, so that `avatar --help` answers at once. A mistake of
the person ends with exit code 2 and one line; Ctrl-C with 130. This file does none of the work itself.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from serve_app import credential
from serve_app.errors import UserError

WRONG, INTERRUPTED = 2, 130
HERE = "ws://localhost:8080/v1/realtime"


class _Parser(argparse.ArgumentParser):
    """argparse, less the usage text that it prints before every error."""

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG, f"avatar: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """Every subcommand with its options."""
    top = _Parser(
        prog="avatar", description="Speak to a face, and it answers.", epilog="`avatar COMMAND --help` says more."
    )
    top.add_argument("--version", action="version", version=f"avatar {version('realtime-avatar')}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_run(commands)
    _add_talk(commands)
    _add_say(commands)
    _add_inspect(commands)
    _add_replay(commands)
    _add_key(commands)
    _add_portrait(commands)
    _add_models(commands)
    _add_bench(commands)
    _add_eval(commands)
    _add_config(commands)
    _add_plan(commands)
    _add_deploy(commands)
    _add_doctor(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0 done, 1 not well (config, eval, inspect, bench...), 2 wrong use."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments[:1] == ["inspect"]:  # it reads its own options
        chosen = argparse.Namespace(work=_inspect, options=arguments[1:], verbose=False)
    else:
        chosen = parser().parse_args(arguments)
    if chosen.work is not _run:  # a service tells by itself how it is
        level = logging.INFO if chosen.verbose else logging.CRITICAL
        logging.basicConfig(level=level, format="%(levelname).1s %(name)s: %(message)s")
    try:
        return chosen.work(chosen)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        line = _for_the_person(error)
        if line is None:
            raise
        print(f"avatar: {' '.join(line.split())}", file=sys.stderr)
        return WRONG


def _for_the_person(error: Exception) -> str | None:
    """The sentence of an error that the person can do something about; None for a bug of ours."""
    from streaming.stages import StageError, StageLost

    if isinstance(error, UserError | StageError | StageLost):
        return str(error)
    return None


# ---- the subcommands, each with its options and its work ----------------------------------------------------

_Commands = argparse._SubParsersAction  # what add_subparsers returns has no public name


def _command(commands: _Commands, name: str, work: Callable[[argparse.Namespace], int], help: str) -> _Parser:
    command: _Parser = commands.add_parser(name, help=help, description=help)
    if work is not _run:  # it says so anyway
        command.add_argument("-v", "--verbose", action="store_true", help="say what is chosen, and why")
    command.set_defaults(work=work)
    return command


def _profile(command: argparse.ArgumentParser) -> None:
    command.add_argument("--profile", help="settings to start from: the name of a profile, or a TOML file")


def _persona(command: argparse.ArgumentParser) -> None:
    command.add_argument("--persona", metavar="NAME", help="who speaks (GET /personas of a running service lists them)")


def _add_run(commands: _Commands) -> None:
    command = _command(commands, "run", _run, "serve the face at http://localhost:8080")
    command.add_argument("--local", action="store_true", help="in one process, without Ray")
    command.add_argument("--host", help="address to listen on (default: the profile's, else 127.0.0.1)")
    command.add_argument("--port", type=_port, help="port to listen on (default: the profile's, else 8080)")
    _profile(command)


def _run(chosen: argparse.Namespace) -> int:
    from serve_app import run

    return run.main(local=chosen.local, profile=chosen.profile, host=chosen.host, port=chosen.port)


def _add_talk(commands: _Commands) -> None:
    command = _command(commands, "talk", _talk, "answer a spoken question, from file to file")
    command.add_argument("question", type=Path, metavar="QUESTION.wav", help="sound file with the question")
    command.add_argument("--out", type=Path, required=True, metavar="REPLY.mp4", help="film of the reply")
    command.add_argument("--report", type=Path, metavar="REPORT.json", help="transcript, reply and latencies")
    command.add_argument("--labels", type=Path, metavar="LABELS.json", help="what was spoken when, phone by phone")
    command.add_argument("--journal", type=Path, metavar="JOURNAL.jsonl", help="all that happened, for `replay`")
    command.add_argument("--fast", action="store_true", help="do not feed at the pace of speech")
    command.add_argument("--vad", action="store_true", help="find the turns by listening; else the file is one")
    command.add_argument("--ray", action="store_true", help="call the stages over Ray Serve")
    command.add_argument("--url", metavar="ws://HOST:PORT/v1/realtime", help="ask a running service")
    credential.add_options(command)
    _persona(command)
    _profile(command)


def _talk(chosen: argparse.Namespace) -> int:
    from serve_app import filming

    return filming.talk(chosen)


def _add_say(commands: _Commands) -> None:
    command = _command(commands, "say", _say, "speak a text, without a language model")
    command.add_argument("text", metavar="TEXT", help="what to say, at most 5,000 characters")
    command.add_argument("--out", type=Path, required=True, metavar="CLIP.mp4", help="film of it")
    command.add_argument("--labels", type=Path, metavar="LABELS.json", help="what was spoken when, phone by phone")
    _persona(command)
    _profile(command)


def _say(chosen: argparse.Namespace) -> int:
    from serve_app import filming

    return filming.say(chosen)


def _add_inspect(commands: _Commands) -> None:
    commands.add_parser("inspect", help="measure the lips of a film from its pixels", add_help=False)


def _inspect(chosen: argparse.Namespace) -> int:
    from serve_app import inspect

    return inspect.main(chosen.options)


def _add_replay(commands: _Commands) -> None:
    command = _command(commands, "replay", _replay, "play a journal again and compare every order")
    command.add_argument("journal", type=Path, metavar="JOURNAL.jsonl", help="written by `talk --journal`")
    command.add_argument("--stages", action="store_true", help="call the stages again too, and compare the answers")
    _profile(command)


def _replay(chosen: argparse.Namespace) -> int:
    from serve_app import replaying

    if not chosen.stages:
        return replaying.main(chosen.journal)
    from serve_app import app, settings

    return replaying.main(chosen.journal, lambda: app.build_stages(settings.load(chosen.profile)))


def _add_key(commands: _Commands) -> None:
    key: _Parser = commands.add_parser("key", help="who may speak to the service", description="Keys to the service.")
    orders = key.add_subparsers(title="orders", metavar="ORDER", required=True)
    add = _command(orders, "add", _key("add"), "make a key, and print it this once")
    add.add_argument("name", metavar="NAME", help="what to call it")
    add.add_argument("--sessions", type=int, metavar="N", help="conversations at once (default: 8)")
    add.add_argument("--audio-seconds", type=float, metavar="S", help="sound a day, both ways (default: 36,000 s)")
    add.add_argument("--messages", type=float, metavar="N", help="messages a second (default: 200)")
    add.add_argument("--origin", action="append", default=[], metavar="URL", help="pages that may use it; repeatable")
    lists = _command(orders, "list", _key("show"), "name the keys and their limits")
    remove = _command(orders, "remove", _key("remove"), "take a key away")
    remove.add_argument("name", metavar="NAME", help="which")
    for order in (add, lists, remove):
        _profile(order)


def _key(order: str) -> Callable[[argparse.Namespace], int]:
    def work(chosen: argparse.Namespace) -> int:
        from serve_app import keys

        return getattr(keys, order)(chosen)

    return work


def _add_portrait(commands: _Commands) -> None:
    portrait: _Parser = commands.add_parser("portrait", help="faces of one's own", description="Faces of one's own.")
    orders = portrait.add_subparsers(title="orders", metavar="ORDER", required=True)
    _command(orders, "setup", _portrait("setup"), "install what finds faces in pictures, apart from everything else")
    add = _command(orders, "add", _portrait("add"), "make an avatar of a picture or a film, and print its id")
    add.add_argument(
        "picture",
        type=Path,
        metavar="PICTURE",
        help="PNG, JPEG or WebP with one face from the front, or a few seconds of MP4",
    )
    add.add_argument("--name", help="what to call it (default: the file's name)")
    add.add_argument("--consent", action="store_true", help="the person in the picture agrees to it")
    _command(orders, "list", _portrait("show"), "name the avatars")
    remove = _command(orders, "remove", _portrait("remove"), "erase an avatar")
    remove.add_argument("avatar", metavar="ID", help="which")


def _portrait(order: str) -> Callable[[argparse.Namespace], int]:
    def work(chosen: argparse.Namespace) -> int:
        from serve_app import portraits

        return getattr(portraits, order)(chosen)

    return work


def _add_models(commands: _Commands) -> None:
    models: _Parser = commands.add_parser("models", help="trained weights", description="Trained weights.")
    orders = models.add_subparsers(title="orders", metavar="ORDER", required=True)
    lists = _command(orders, "list", _models("show"), "name the models, where they are and what the profile needs")
    pull = _command(orders, "pull", _models("pull"), "fetch models (default: what the profile needs)")
    pull.add_argument("--accept-licence", action="store_true", help="take models that may not be used commercially")
    pull.add_argument("--jobs", type=int, default=4, metavar="N", help="files at once (default: 4)")
    verify = _command(orders, "verify", _models("verify"), "hash what is here anew (default: all of it)")
    for order in (pull, verify):
        order.add_argument("model", nargs="*", metavar="MODEL", help="which; `avatar models list` names them")
        trust = "take files whose hash nobody here knows, and keep the hash they have"
        order.add_argument("--trust-first-use", action="store_true", help=trust)
    build = _command(orders, "build", _models("build"), "prepare the published Ditto for its engine")
    build.add_argument("--runtime", default="tensorrt", help="onnx, tensorrt (the default) or tensorrt-rtx")
    build.add_argument("--precision", default="fp16", help="of the networks: fp32, fp16 (the default)")
    build.add_argument("--target", metavar="SM", help="for tensorrt-rtx: another GPU than this machine's, as sm89")
    prune = _command(orders, "prune", _models("prune"), "remove models that no profile needs, and halves of files")
    prune.add_argument("--yes", action="store_true", help="do not ask")
    prune.add_argument("--profile", action="append", metavar="NAME", help="keep what this one needs; repeatable")
    for order in (lists, pull):
        _profile(order)


def _models(order: str) -> Callable[[argparse.Namespace], int]:
    def work(chosen: argparse.Namespace) -> int:
        from serve_app import weights

        return getattr(weights, order)(chosen)

    return work


def _add_bench(commands: _Commands) -> None:
    command = _command(commands, "bench", _bench, "let many sessions talk to a running service, and time the answers")
    command.add_argument("--url", default=HERE, metavar="ws://HOST:PORT/v1/realtime", help=f"the service ({HERE})")
    command.add_argument("--sessions", type=int, default=4, metavar="N", help="people at once (default: 4)")
    patterns = "ask and hear out, interrupt the answers, or be there and say nothing (default: talk)"
    command.add_argument("--pattern", choices=("talk", "barge", "idle"), default="talk", help=patterns)
    command.add_argument("--seconds", type=float, default=30, metavar="S", help="how long they ask (default: 30)")
    command.add_argument("--price", type=float, metavar="P", help="of an hour of all machines: tells that of a minute")
    command.add_argument("--json", type=Path, metavar="FILE", help="everything that was measured")
    command.add_argument("--yes", action="store_true", help="the service may be on another machine")
    credential.add_options(command)


def _bench(chosen: argparse.Namespace) -> int:
    from serve_app import load

    return load.main(chosen)


def _add_eval(commands: _Commands) -> None:
    command = _command(commands, "eval", _eval, "measure a profile with a gold set, and find what became worse")
    command.add_argument("set", nargs="?", metavar="SET", help=".toml, .jsonl or folder (default: english)")
    command.add_argument("--runs", type=int, default=3, metavar="N", help="how often (default: 3); medians count")
    command.add_argument("--quick", action="store_true", help="six cases, once, to see that it works")
    command.add_argument("--second", metavar="MODEL", help="second recogniser: a Whisper model, or none")
    command.add_argument("--json", type=Path, metavar="FILE", help="everything that was measured")
    command.add_argument("--baseline", type=Path, metavar="FILE", help="end with 1 if a figure is worse than here")
    command.add_argument("--write-baseline", type=Path, metavar="FILE", help="what later evaluations are held against")
    _profile(command)


def _eval(chosen: argparse.Namespace) -> int:
    from serve_app import evaluate

    return evaluate.main(chosen)


def _add_config(commands: _Commands) -> None:
    command = _command(commands, "config", _config, "write a profile's Serve config, or check one")
    command.add_argument("--out", type=Path, metavar="FILE.yaml", help="where to (default: the standard output)")
    command.add_argument("--check", type=Path, metavar="FILE.yaml", help="say what is wrong with this one instead")
    command.add_argument("--gpus", type=int, metavar="N", help="GPUs of the cluster (default: the profile's)")
    command.add_argument("--apart", action="store_true", help="each deployment on nodes with an image of its own")
    _profile(command)


def _config(chosen: argparse.Namespace) -> int:
    if chosen.check:
        from serve_app import checking

        return checking.main(chosen.check, chosen.gpus)
    from serve_app import placement

    return placement.main(chosen.profile, chosen.out, chosen.apart)


def _add_plan(commands: _Commands) -> None:
    command = _command(commands, "plan", _plan, "work out how many sessions a profile carries, without running it")
    command.add_argument("--most", type=int, default=256, metavar="N", help="of one machine, look no further (256)")
    command.add_argument("--cores", type=int, metavar="N", help="of the machine (default: this one's)")
    command.add_argument("--seed", type=int, default=1, metavar="N", help="of the chance in it (default: 1)")
    command.add_argument(
        "--cost", action="append", default=[], metavar="STAGE=S", help="seconds of work for a second of sound"
    )
    command.add_argument("--costs", type=Path, metavar="FILE.toml", help="what engines cost, measured elsewhere")
    many = command.add_argument_group("many machines")
    many.add_argument(
        "--sessions", type=int, metavar="N", help="conversations at once at the height: simulates a fleet"
    )
    many.add_argument("--hours", type=float, default=2, metavar="H", help="how long, from quiet to quiet (default: 2)")
    many.add_argument("--stay", type=float, default=300, metavar="S", help="mean length of a conversation (300)")
    many.add_argument("--cold", type=float, default=180, metavar="S", help="until a new machine serves (180)")
    many.add_argument("--spot", type=float, default=0, metavar="SHARE", help="of the machines lost in an hour (0)")
    many.add_argument("--each", type=float, metavar="N", help="conversations of one, for the policy that adds more")
    many.add_argument("--price", type=float, metavar="P", help="of a machine's hour")
    many.add_argument("--plot", type=Path, metavar="FILE.svg", help="sessions and machines over the time")
    _profile(command)


def _plan(chosen: argparse.Namespace) -> int:
    from serve_app import plan

    return plan.main(chosen)


def _add_deploy(commands: _Commands) -> None:
    command = _command(commands, "deploy", _deploy, "show what it takes to run it elsewhere, and do it")
    command.add_argument("way", choices=["compose", "vm", "gke", "cloudrun"], help="where to")
    order = command.add_mutually_exclusive_group()
    order.add_argument("--dry-run", action="store_true", help="look and show the plan; change nothing (the default)")
    order.add_argument("--apply", action="store_true", help="do it, talk to it, and take it back if that fails")
    command.add_argument("--profile", help="of compose: cpu or l4; of gke the overlay: l4, scale-to-zero, dev")
    command.add_argument("--images", help="where the images are (of compose: realtime-avatar; clouds must be told)")
    for name, about in (("project", "Google's project"), ("region", ""), ("zone", ""), ("host", "its name in the web")):
        command.add_argument(f"--{name}", help=about or f"Google's {name}")


def _deploy(chosen: argparse.Namespace) -> int:
    from serve_app import deploying

    names = ("profile", "images", "project", "region", "zone", "host")
    choices = {name: value for name in names if (value := getattr(chosen, name))}
    choices["version"] = version("realtime-avatar")
    return deploying.main(chosen.way, choices, apply=chosen.apply)


def _add_doctor(commands: _Commands) -> None:
    command = _command(commands, "doctor", _doctor, "what is there, what is missing, the line that mends it")
    command.add_argument("--images", action="store_true", help="how large the container images get, instead")
    _profile(command)


def _doctor(chosen: argparse.Namespace) -> int:
    if chosen.images:
        from serve_app import images

        return images.main()
    from serve_app import doctor

    return doctor.main(chosen.profile)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise argparse.ArgumentTypeError(f"{text} is no port; ports are 1 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
