"""The status page as served: one HTML document, and a policy under which only its own script can run."""

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).with_name("page")

SCRIPTS: Final = ("words", "dom", "api", "targets", "list", "job", "results", "steering", "main")
"""The page's scripts in the order in which they build on one another; they share one scope."""


@dataclass(frozen=True, slots=True)
class Page:
    """The page and its headers."""

    html: str
    headers: dict[str, str]


@cache
def status_page() -> Page:
    """Put the page together from its files and compute its headers, once."""
    html = _assembled()
    policy = {
        "default-src": "'none'",
        "script-src": _hashes(html, "script"),
        "style-src": _hashes(html, "style"),
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Cache-Control": "no-cache",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    return Page(html, headers)


def _assembled() -> str:
    """Return page.html with the style sheet and all scripts in their places."""
    script = "\n".join(_file(f"{name}.js") for name in SCRIPTS)
    html = _file("page.html").replace("/* page.css */", _file("page.css"))
    return html.replace("/* the scripts */", f'"use strict";\n\n{script}')


def _file(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


def _hashes(html: str, element: str) -> str:
    """Return the sources that allow exactly the page's inline elements of one kind.

    https://www.w3.org/TR/CSP3/#source-list-syntax
    """
    contents = re.findall(rf"<{element}>(.*?)</{element}>", html, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for content in contents)
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
