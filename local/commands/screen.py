"""What commands print: words in colours for people, or JSON lines for machines."""

import json
import sys
from typing import Any

from rich.console import Console

_UNWRAPPED = 100_000
"""Characters of a line where there is no screen: tables and messages in a pipe are not wrapped."""


class Screen:
    """Where a command prints; with `--json`, only what `event` is told is printed, an object a line."""

    def __init__(self, *, as_json: bool = False, console: Console | None = None) -> None:
        """Print to standard output; a console of the caller's own takes what is for people."""
        self.as_json = as_json
        self.console = console or Console(highlight=False, quiet=as_json)
        if not self.console.is_terminal and console is None:
            self.console.width = _UNWRAPPED

    @property
    def is_live(self) -> bool:
        """Whether a person watches, so that progress bars can move."""
        return self.console.is_terminal and not self.as_json

    def say(self, text: str, style: str | None = None) -> None:
        """Print words for people, wrapped between words where they are longer than the screen is wide."""
        self.console.print(text, style=style, markup=False)

    def say_whole(self, text: str, style: str | None = None) -> None:
        """Print a path, an address or a command, never cut in two: it is there to be copied."""
        self.console.print(text, style=style, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print a warning for people, in yellow."""
        self.say(text, "yellow")

    def event(self, kind: str, **values: Any) -> None:
        """Print a line for machines."""
        if self.as_json:
            print(json.dumps({"event": kind, **values}, ensure_ascii=False), flush=True)


def fail(message: object) -> int:
    """Print why a command cannot go on, and return its exit status."""
    print(message, file=sys.stderr, flush=True)
    return 1
