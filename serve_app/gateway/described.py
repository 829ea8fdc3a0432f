"""The page /docs: every address with what goes in and comes out, written from /openapi.json, without any script.

This file knows no address: it lists what the application has.
"""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}"
    "h2{font-size:1.1rem;margin:2rem 0 0}code{background:#8882;padding:0 .2em}p{margin:.3rem 0}"
    ":root{color-scheme:light dark}"
)


def described() -> APIRouter:
    """The route for /docs."""
    router = APIRouter()

    @router.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(page(request.app.openapi()))

    return router


def page(schema: dict[str, Any]) -> str:
    """The schema as HTML."""
    kinds = schema.get("components", {}).get("schemas", {})
    title = escape(schema["info"]["title"])
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}: addresses</title>',
        f"<style>{_STYLE}</style><h1>{title}</h1>",
        '<p>The same for programs: <a href="/openapi.json">openapi.json</a>. '
        "The socket <code>/v1/realtime</code> is described in docs/protocol.md.</p>",
    ]
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            parts.append(f"<h2><code>{method.upper()} {escape(path)}</code></h2>")
            parts += [f"<p>{escape(line)}</p>" for line in operation.get("description", "").split("\n\n") if line]
            parts += [
                f"<p>in the address: <code>{escape(p['name'])}</code></p>" for p in operation.get("parameters", ())
            ]
            for form, body in operation.get("requestBody", {}).get("content", {}).items():
                parts.append(f"<p>takes <code>{escape(form)}</code>{_fields(body.get('schema', {}), kinds)}</p>")
            for status, answer in operation["responses"].items():
                forms = ", ".join(answer.get("content", {})) or answer.get("description", "")
                parts.append(f"<p>gives {escape(status)}: <code>{escape(forms)}</code></p>")
    return "".join(parts)


def _fields(schema: dict[str, Any], kinds: dict[str, Any]) -> str:
    schema = kinds.get(schema.get("$ref", "").rpartition("/")[2], schema)
    needed = schema.get("required", ())
    names = [f"<code>{escape(name)}</code>{'' if name in needed else '?'}" for name in schema.get("properties", {})]
    return f": {', '.join(names)}" if names else ""
