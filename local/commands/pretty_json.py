"""JSON for people to read: what fits into a line stands in one line."""

import json
from typing import Any

_WIDTH = 76


def pretty(value: Any, indent: int = 0) -> str:
    """Return a JSON value as text, its lines at most as wide as a screen where its texts allow it."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or len(flat) + indent <= _WIDTH:
        return flat
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        opening, closing = "{}"
        lines = [f"{json.dumps(key, ensure_ascii=False)}: {pretty(part, indent + 2)}" for key, part in value.items()]
    else:
        opening, closing = "[]"
        lines = [pretty(part, indent + 2) for part in value]
    return f"{opening}\n{inner}" + f",\n{inner}".join(lines) + f"\n{' ' * indent}{closing}"
