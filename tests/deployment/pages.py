"""The pages of docs, for tests that hold them to be true."""

import json
import re
from typing import Any

from testing.paths import PROJECT

DOCS = PROJECT / "docs"


def page(name: str) -> str:
    """A page's text."""
    return (DOCS / name).read_text("utf-8")


def section(name: str, heading: str) -> str:
    """The part of a page under a heading of the second level."""
    found = re.search(rf"(?ms)^## {re.escape(heading)}$(.*?)(?=^## |\Z)", page(name))
    assert found is not None, heading
    return found[1]


def sample_event() -> dict[str, Any]:
    """The one event that a reader of the page about Core Tools is told to post."""
    (text,) = re.findall(r"(?s)<!-- event: .*?-->\n```json\n(.*?)```", page("core-tools.md"))
    (event,) = json.loads(text)
    found: dict[str, Any] = event
    return found
