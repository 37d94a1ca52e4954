"""Pages of lists: `after` and `limit`, and OData's `$filter` and `$orderby` for batches."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.batch_service.errors import invalid_payload

TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>\w+)|(?P<sign>[()]))")
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a is not None and a > b,
    "ge": lambda a, b: a is not None and a >= b,
    "lt": lambda a, b: a is not None and a < b,
    "le": lambda a, b: a is not None and a <= b,
}
Item = Mapping[str, Any]


@dataclass(frozen=True)
class Page[T]:
    """A part of a list, and whether more follows."""

    items: list[T]
    more: bool


def page_after[T](items: list[T], after: str | None, limit: int, id_of: Callable[[T], str]) -> Page[T]:
    """Return up to `limit` items behind the one named `after`; an unknown one is an error."""
    start = 0
    if after is not None:
        start = next((number for number, item in enumerate(items, 1) if id_of(item) == after), -1)
        if start < 0:
            raise invalid_payload(f"The value '{after}' of 'after' names nothing in this list.")
    return Page(items[start : start + limit], len(items) > start + limit)


def limit_of(text: str | None, default: int, most: int) -> int:
    """Read the `limit` parameter: a whole number from 1 to `most`."""
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise invalid_payload(f"The limit must be a whole number from 1 to {most}.")
    return int(text)


def filter_of(text: str | None) -> Callable[[Item], bool]:
    """Read a `$filter` such as `created_at gt 1728860560 and status eq 'Completed'`. Texts compare without case."""
    if not text:
        return lambda item: True
    return _Filter(text).whole()


def order_of(text: str | None) -> tuple[str, bool]:
    """Read an `$orderby` such as `created_at asc`; return the field and whether the order descends."""
    words = (text or "created_at desc").split()
    if len(words) > 2 or words[0] not in FIELDS or (len(words) == 2 and words[1].lower() not in ("asc", "desc")):
        raise invalid_payload(f"The order '{text}' is not understood. Write, for example, created_at asc.")
    return words[0], len(words) == 2 and words[1].lower() == "desc"


FIELDS = frozenset(
    [
        "id",
        "status",
        "created_at",
        "completed_at",
        "cancelled_at",
        "cancelling_at",
        "failed_at",
        "expired_at",
        "expires_at",
        "in_progress_at",
        "finalizing_at",
        "endpoint",
        "input_file_id",
        "output_file_id",
        "error_file_id",
    ]
)


class _Filter:
    """A reader of the comparison, `and`, `or`, `not` and brackets of OData."""

    def __init__(self, text: str) -> None:
        self.text, self.next = text, 0
        self.tokens = self._split(text)

    def whole(self) -> Callable[[Item], bool]:
        found = self._either()
        if self.next < len(self.tokens):
            raise self._wrong()
        return found

    def _split(self, text: str) -> list[tuple[str, str]]:
        tokens, position = [], 0
        while text[position:].strip():
            match = TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise self._wrong()
            tokens.append((match.lastgroup, match.group(match.lastgroup)))
            position = match.end()
        return tokens

    def _either(self) -> Callable[[Item], bool]:
        parts = [self._both()]
        while self._accept("or"):
            parts.append(self._both())
        return lambda item: any(part(item) for part in parts)

    def _both(self) -> Callable[[Item], bool]:
        parts = [self._one()]
        while self._accept("and"):
            parts.append(self._one())
        return lambda item: all(part(item) for part in parts)

    def _one(self) -> Callable[[Item], bool]:
        if self._accept("not"):
            inner = self._one()
            return lambda item: not inner(item)
        if self._accept("("):
            inner = self._either()
            if not self._accept(")"):
                raise self._wrong()
            return inner
        return self._comparison()

    def _comparison(self) -> Callable[[Item], bool]:
        name, operator, value = self._take("word"), self._take("word").lower(), self._value()
        if name not in FIELDS or operator not in COMPARE:
            raise self._wrong()
        compare = COMPARE[operator]

        def test(item: Item) -> bool:
            found = item.get(name)
            if found is not None and value is not None and isinstance(found, str) != isinstance(value, str):
                raise invalid_payload(f"The filter compares '{name}' with a value of another type.")
            return compare(found, value)

        return test

    def _value(self) -> Any:
        kind, text = self.tokens[self.next] if self.next < len(self.tokens) else ("", "")
        self.next += 1
        if kind == "text":
            return text[1:-1].replace("''", "'").lower()
        if kind == "number":
            return float(text)
        if text == "null":
            return None
        raise self._wrong()

    def _take(self, kind: str) -> str:
        found = self.tokens[self.next] if self.next < len(self.tokens) else ("", "")
        self.next += 1
        if found[0] != kind:
            raise self._wrong()
        return found[1]

    def _accept(self, text: str) -> bool:
        found = self.next < len(self.tokens) and self.tokens[self.next][1].lower() == text
        self.next += found
        return found

    def _wrong(self) -> Exception:
        return invalid_payload(
            f"The filter '{self.text}' is not understood. Write, for example, status eq 'completed'."
        )
