"""A text that matches a regular expression, for the `pattern` keyword."""

import importlib
import random
import re
import string
from typing import Any

# The parser of regular expressions is the standard library's own and private: it has no types everywhere.
ops: Any = importlib.import_module("re._constants")
parser: Any = importlib.import_module("re._parser")

LETTERS = string.ascii_lowercase
SOME = string.ascii_letters + string.digits + " -_."
CLASSES = {
    ops.CATEGORY_DIGIT: string.digits,
    ops.CATEGORY_WORD: string.ascii_letters + string.digits + "_",
    ops.CATEGORY_SPACE: " ",
    ops.CATEGORY_NOT_DIGIT: LETTERS,
    ops.CATEGORY_NOT_WORD: " -.",
    ops.CATEGORY_NOT_SPACE: LETTERS,
}


def text_for(pattern: str, chance: random.Random) -> str:
    """Return a text that `pattern` is found in; an empty one where the pattern is beyond this generator."""
    try:
        tree = parser.parse(pattern)
    except re.error:
        return ""
    for _ in range(20):
        text = _Writer(chance).write(tree)
        if re.search(pattern, text):
            return text
    return ""


class _Writer:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.groups: dict[int, str] = {}

    def write(self, tree: Any) -> str:
        return "".join(self._node(op, value) for op, value in tree)

    def _node(self, op: Any, value: Any) -> str:
        if op is ops.LITERAL:
            return chr(value)
        if op is ops.NOT_LITERAL:
            return next(char for char in self._shuffled(SOME) if ord(char) != value)
        if op is ops.ANY:
            return self.chance.choice(LETTERS)
        if op is ops.IN:
            return self._one_of(value)
        if op is ops.BRANCH:
            return self.write(self.chance.choice(value[1]))
        if op is ops.SUBPATTERN:
            text = self.groups[value[0]] = self.write(value[3])
            return text
        if op is ops.GROUPREF:
            return self.groups.get(value, "")
        if op in (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT):
            least, most, inner = value
            count = self.chance.randint(least, min(int(most), least + 4))
            return "".join(self.write(inner) for _ in range(count))
        # Anchors and lookarounds take no characters; what they ask for is checked at the end.
        return ""

    def _one_of(self, items: Any) -> str:
        if items and items[0][0] is ops.NEGATE:
            barred = set(self._members(items[1:]))
            return next((char for char in self._shuffled(SOME) if char not in barred), "")
        members = self._members(items)
        return self.chance.choice(members) if members else ""

    def _members(self, items: Any) -> str:
        found = []
        for op, value in items:
            if op is ops.LITERAL:
                found.append(chr(value))
            elif op is ops.RANGE:
                found.extend(chr(code) for code in range(value[0], min(value[1], value[0] + 255) + 1))
            elif op is ops.CATEGORY:
                found.append(CLASSES.get(value, LETTERS))
        return "".join(found)

    def _shuffled(self, chars: str) -> list[str]:
        return self.chance.sample(chars, len(chars))
