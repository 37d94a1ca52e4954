"""The lines of an input file as a target takes them: with its deployment as the model, and with a url that it knows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.domain.errors import InputUnreadable
from shared.json_codec import encode, loads, mapping
from shared.settings import Target


@dataclass(frozen=True, slots=True)
class _Change:
    """One member of each request, in the body or beside it, that gets another text."""

    key: str
    in_body: bool
    old: str
    new: str

    @property
    def before(self) -> bytes:
        return encode(self.key) + b":" + encode(self.old)

    @property
    def after(self) -> bytes:
        return encode(self.key) + b":" + encode(self.new)


class Readdressing:
    """What of a batch's requests is changed for its target; everything else keeps its very bytes."""

    def __init__(self, model: str, url: str, target: Target) -> None:
        """`model` and `url` are those of all lines, as this app wrote them."""
        changes = [_Change("model", True, model, target.deployment), _Change("url", False, url, target.url(url))]
        self._changes = [change for change in changes if change.old != change.new]
        self.growth = sum(len(change.after) - len(change.before) for change in self._changes)
        """By how many bytes each line grows; may be negative."""

    @property
    def is_needed(self) -> bool:
        """Whether anything is changed at all."""
        return bool(self._changes)

    def applied(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Change a file that comes piece by piece; what is in memory at a time is a piece and a line."""
        rest = b""
        for piece in pieces:
            whole, end, rest_of_piece = (rest + piece).rpartition(b"\n")
            rest = rest_of_piece
            if end:
                yield self._change(whole + end)
        if rest:
            yield self._change(rest)

    def _change(self, lines: bytes) -> bytes:
        for change in self._changes:
            lines = _changed(lines, change)
        return lines


def _changed(lines: bytes, change: _Change) -> bytes:
    # Within a text its quotes would be escaped. So where there are as many as lines, it is the one member in each.
    if lines.count(change.before) == lines.count(b"\n"):
        return lines.replace(change.before, change.after)
    return b"\n".join(_line_changed(line, change) if line else line for line in lines.split(b"\n"))


def _line_changed(line: bytes, change: _Change) -> bytes:
    """Change the member itself, and none of the same name and text that lies deeper in the request."""
    start = line.find(change.before)
    while start >= 0:
        candidate = line[:start] + change.after + line[start + len(change.before) :]
        request = mapping(loads(candidate))
        found = mapping(request.get("body")) if change.in_body else request
        if found.get(change.key) == change.new:
            return candidate
        start = line.find(change.before, start + 1)
    raise InputUnreadable(f"A request in a batch's input file does not have the {change.key} of its batch")
