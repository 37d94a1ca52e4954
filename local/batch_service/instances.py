"""Values that fit a JSON Schema, seeded: the same seed and schema give the same value.

Covers the subset of Structured Outputs (objects, arrays, enums, const, anyOf, $defs, $ref, recursion) and the keywords
that OpenAI allows beyond Azure's list: pattern, format, minimum, maximum, multipleOf, minItems and their kin.
Checks that a description words are kept too (worded_checks.py).
Where a field's name says what it holds, the value looks like it (see plausible.py).
"""

import random
from typing import Any

from local.batch_service import patterns, plausible
from local.batch_service.worded_checks import checks_in

Schema = dict[str, Any]
DEEP = 6
"""From this depth on, recursion is ended as soon as the schema allows."""


def instance(schema: Schema, seed: str | bytes, prompt: str = "") -> Any:
    """Return a value that fits `schema`; `prompt` is where names and facts in it are taken from."""
    return _Maker(schema, random.Random(seed), prompt).value(schema, "", 0)


class _Maker:
    def __init__(self, root: Schema, chance: random.Random, prompt: str) -> None:
        self.root, self.chance, self.prompt = root, chance, prompt
        self.hints = plausible.Hints(prompt, chance)

    def value(self, schema: Any, name: str, depth: int) -> Any:
        if not isinstance(schema, dict):
            return None
        if isinstance(text := schema.get("description"), str):
            schema = {**checks_in(text), **_without(schema, "description")}
        if "$ref" in schema:
            return self.value({**self._resolve(schema["$ref"]), **_without(schema, "$ref")}, name, depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.chance.choice(schema["enum"])
        for keyword in ("anyOf", "oneOf"):
            if schema.get(keyword):
                branch = self._branch(schema[keyword], depth)
                return self.value({**branch, **_checks_beside(schema, keyword)}, name, depth + 1)
        for part in schema.get("allOf", ()):
            schema = {**self._whole(part), **schema}
        return self._typed(schema, name, depth)

    def _typed(self, schema: Schema, name: str, depth: int) -> Any:
        kind = schema.get("type") or ("object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = "null" if depth >= DEEP and "null" in kind else self._one_type(kind)
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "integer" | "number":
                return self._number(schema, name, kind)
            case "boolean":
                return self.chance.random() < 0.7
            case "null":
                return None
        return self._text(schema, name)

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        return {key: self.value(sub, key, depth + 1) for key, sub in schema.get("properties", {}).items()}

    def _array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        least = int(schema.get("minItems", 0))
        most = int(schema.get("maxItems", max(least, 3)))
        wanted = (
            least if depth >= DEEP else self.chance.randint(max(least, min(1, most)), max(least, min(most, least + 3)))
        )
        items = schema.get("items", {"type": "string"})
        special = int(schema.get("minContains", 1)) if "contains" in schema else 0
        wanted = max(wanted, special)
        made: list[Any] = []
        for _ in range(wanted * 8):
            if len(made) == wanted:
                break
            form = {**items, **schema["contains"]} if len(made) < special else items
            item = self.value(form, plausible.singular(name), depth + 1)
            if not schema.get("uniqueItems") or item not in made:
                made.append(item)
        return made

    def _number(self, schema: Schema, name: str, kind: str) -> int | float:
        low, high = _bounds(schema)
        step = schema.get("multipleOf")
        if step:
            first = -(-low // step) if low is not None else (high // step - 9 if high is not None else 1)
            last = high // step if high is not None else first + 9
            number = self.chance.randint(int(first), max(int(first), int(last))) * step
        else:
            number = self.hints.number(name, low, high, whole=kind == "integer")
        return int(number) if kind == "integer" else number

    def _text(self, schema: Schema, name: str) -> str:
        if "pattern" in schema:
            return patterns.text_for(schema["pattern"], self.chance)
        if "format" in schema:
            return plausible.formatted(schema["format"], self.chance)
        text = self.hints.text(name)
        least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
        while len(text) < least:
            text = f"{text} {self.hints.text('')}"
        return text if most is None else text[: int(most)]

    def _one_type(self, kinds: list[str]) -> str:
        solid = [kind for kind in kinds if kind != "null"]
        return self.chance.choice(solid) if solid and self.chance.random() < 0.85 else kinds[-1]

    def _branch(self, branches: list[Any], depth: int) -> Any:
        if depth < DEEP:
            solid = [branch for branch in branches if not _is_null(branch)]
            return self.chance.choice(solid) if solid and self.chance.random() < 0.85 else self.chance.choice(branches)
        return min(branches, key=lambda branch: self._weight(branch, ()))

    def _weight(self, schema: Any, seen: tuple[str, ...]) -> int:
        """Return how deep the smallest value of a schema must be; recursion counts as bottomless."""
        if not isinstance(schema, dict) or len(seen) > 20:
            return 99
        if "$ref" in schema:
            ref = schema["$ref"]
            return 99 if ref in seen else self._weight(self._resolve(ref), (*seen, ref))
        if schema.get("anyOf"):
            return min(self._weight(branch, seen) for branch in schema["anyOf"])
        kind = schema.get("type")
        if kind == "null" or (isinstance(kind, list) and "null" in kind):
            return 0
        if kind == "array":
            return 1 if not schema.get("minItems") else 1 + self._weight(schema.get("items"), seen)
        if "properties" in schema:
            return 1 + max((self._weight(sub, seen) for sub in schema["properties"].values()), default=0)
        return 0

    def _whole(self, schema: Schema) -> Schema:
        return self._whole(self._resolve(schema["$ref"])) if "$ref" in schema else schema

    def _resolve(self, ref: str) -> Schema:
        found: Any = self.root
        for part in ref.removeprefix("#").strip("/").split("/"):
            if part:
                key = part.replace("~1", "/").replace("~0", "~")
                found = found[int(key)] if isinstance(found, list) else found[key]
        if not isinstance(found, dict):
            raise KeyError(ref)
        return found


def _without(schema: Schema, key: str) -> Schema:
    return {name: value for name, value in schema.items() if name != key}


def _checks_beside(schema: Schema, keyword: str) -> Schema:
    """Return the checks that stand beside the branches and so hold for each of them."""
    others = {keyword, "type", "description", "title", "$defs"}
    return {key: value for key, value in schema.items() if key not in others}


def _is_null(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "null"


def _bounds(schema: Schema) -> tuple[float | None, float | None]:
    """Return the least and the greatest value; an exclusive bound is left by one, or by a part of the range."""
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    first, last = low if above is None else above, high if below is None else below
    step: float = 1 if schema.get("type") == "integer" else 0.5
    if step != 1 and first is not None and last is not None:
        step = (last - first) / 1000
    return (low if above is None else above + step), (high if below is None else below - step)
