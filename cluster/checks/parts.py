"""What all checks of cluster/ share: strict YAML, programs that may be missing, and how a fault is said.

A check is a function of the repository's root that yields a sentence for each fault. One that lacks its program raises
Missing, and is told as not done; it is never taken for passed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

Faults = Iterator[str]


class Missing(Exception):
    """A program is not here; the message names it and what is unchecked without it."""


class _Strict(yaml.SafeLoader):
    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"the key {key!r} is written twice{node.start_mark}")
        return super().construct_mapping(node, deep)


def documents(text: str) -> list[Any]:
    """All documents of a YAML text. Raises yaml.YAMLError, for a key that is written twice too."""
    return [one for one in yaml.load_all(text, _Strict) if one is not None]


def program(name: str, why: str) -> str:
    """The path of a program, beside this Python or elsewhere. Raises Missing."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise Missing(f"{name} is not installed: {why}")
    return found


def ran(command: Sequence[str | Path], where: Path, told: str, environment: Mapping[str, str] | None = None) -> Faults:
    """A fault for each line that a program prints when it ends with anything but 0."""
    done = subprocess.run(
        [str(part) for part in command], cwd=where, capture_output=True, text=True, env=environment, timeout=120
    )
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        yield from (f"{told}: {line}" for line in lines or [f"{Path(command[0]).name} ended with {done.returncode}"])


def at(path: Sequence[Any]) -> str:
    """A path into a document, as a person writes it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def of_schema(validator: Any, content: Any, told: str) -> Faults:
    """A fault for each violation of a JSON schema, the innermost ones of alternatives."""
    for error in validator.iter_errors(content):
        while error.context:
            error = max(error.context, key=lambda one: len(one.absolute_path))
        yield f"{told}: {at(list(error.absolute_path)) or 'top'}: {error.message[:300]}"


def walk(content: Any, key: str) -> Iterator[Any]:
    """Every value that is called ``key``, at any depth."""
    if isinstance(content, Mapping):
        for name, value in content.items():
            if name == key:
                yield value
            yield from walk(value, key)
    elif isinstance(content, list):
        for one in content:
            yield from walk(one, key)
