"""The page that documents the forms of the server; it loads nothing from the internet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 50rem; margin: 2rem auto; padding: 0 1rem }
h2 { font: 600 1.1rem ui-monospace, monospace; margin-top: 2.5rem; overflow-wrap: anywhere }
h2 b { color: light-dark(#0a6, #4d9) }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0;
  border-bottom: 1px solid light-dark(#ddd, #444) }
pre { overflow-x: auto; padding: .8rem; background: light-dark(#f5f5f5, #222); border-radius: .4rem }
"""


def api_page(schema: Mapping[str, Any], root_path: str) -> str:
    """Return the page of an OpenAPI schema.

    Args:
        schema: the schema, as the application describes itself.
        root_path: the path below which a proxy serves the application, ``""`` for none.
    """
    title, about = escape(schema["info"]["title"]), escape(schema["info"].get("description", ""))
    routes = [
        _route(method.upper(), root_path + path, operation)
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    ]
    link = escape(f"{root_path}/openapi.json")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1><p>{about} "
        f'<a href="{link}">The schema</a> is in the format of OpenAPI.</p>'
        f"{''.join(routes)}</body></html>"
    )


def _route(method: str, path: str, operation: Mapping[str, Any]) -> str:
    about = escape(operation.get("description") or operation.get("summary") or "")
    head = f"<h2><b>{method}</b> {escape(path)}</h2><p>{about.replace('`', '')}</p>"
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return head if content is None else head + _form(path, content["schema"])


def _form(path: str, schema: Mapping[str, Any]) -> str:
    fields = schema.get("properties", {})
    needed = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(_type(field))}</td>"
        f"<td>{_default(name, field, needed)}</td><td>{escape(field.get('description', ''))}</td></tr>"
        for name, field in fields.items()
    )
    sent = json.dumps(dict.fromkeys(needed, "some text"))
    command = f"curl -d '{sent}' -H 'content-type: application/json' http://HOST:PORT{path}"
    heads = "".join(f"<th>{head}</th>" for head in ("Field", "Type", "Default", "Meaning"))
    return f"<table><tr>{heads}</tr>{rows}</table><pre>{escape(command)}</pre>"


def _type(field: Mapping[str, Any]) -> str:
    """Return the type of a field in words."""
    if "anyOf" in field:
        return " or ".join(_type(each) for each in field["anyOf"])
    if "enum" in field:
        return " or ".join(json.dumps(each) for each in field["enum"])
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    if field.get("properties"):
        return f"object with {', '.join(field['properties'])}"
    return str(field.get("type", "any value"))


def _default(name: str, field: Mapping[str, Any], needed: Any) -> str:
    if name in needed:
        return "required"
    return f"<code>{escape(json.dumps(field.get('default')))}</code>"
