"""The schema as sent: checks that the service doesn't support are put into the description, in words."""

from collections.abc import Callable

from shared.answer_schema.keywords import CHECKS, as_text, family, is_checked
from shared.answer_schema.report import Change, Report, at

type Schema = dict[str, object]

_SENT = frozenset({
    "type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "const", "$ref", "$defs",
    "title", "description",
})  # fmt: skip


def sent_form(node: object, report: Report, path: str = "$") -> Schema:
    """Write a strict schema for the service; what was moved into descriptions goes to the report."""
    if not isinstance(node, dict):
        return {}
    sent: Schema = {key: value for key, value in node.items() if key in _SENT}
    described = _described(node)
    for key, _ in described:
        report.change(Change.DESCRIBED if is_checked(key, node[key]) else Change.TOLD, at(path, key))
    if described:
        sent["description"] = " ".join([*_given(node), *(words for _, words in described)])
    for key in ("properties", "$defs"):
        if isinstance(inner := sent.get(key), dict):
            sent[key] = {name: sent_form(schema, report, at(path, key, name)) for name, schema in inner.items()}
    if "items" in sent:
        sent["items"] = sent_form(sent["items"], report, at(path, "items"))
    if isinstance(branches := sent.get("anyOf"), list):
        sent["anyOf"] = [sent_form(branch, report, at(path, "anyOf", i)) for i, branch in enumerate(branches)]
    return _apart(sent)


def checks_of(node: Schema) -> dict[str, Callable[[object], str]]:
    """Return the checks that a part of a strict schema may have by its types, and how to say them in words."""
    kinds = node.get("type")
    families = {family(str(kind)) for kind in (kinds if isinstance(kinds, list) else [kinds])} if kinds else CHECKS
    return {key: say for kind in families for key, say in CHECKS.get(kind, {}).items()}


def _described(node: Schema) -> list[tuple[str, str]]:
    words = checks_of(node)
    described = [(key, said) for key, value in node.items() if key in words and (said := words[key](value))]
    examples = node.get("examples")
    if isinstance(examples, list) and examples:
        described.append(("examples", "Examples: " + ", ".join(map(as_text, examples)) + "."))
    return described


def _given(node: Schema) -> list[str]:
    """Return the user's own description, ended as a sentence."""
    text = str(node.get("description", "")).strip()
    return [text if text.endswith((".", "!", "?", ":", ";")) else text + "."] if text else []


def _apart(sent: Schema) -> Schema:
    """Wrap a `$ref` that has other keywords beside it in an anyOf, as the service wants it alone."""
    if "$ref" not in sent or len(sent) == 1:
        return sent
    return {"anyOf": [{"$ref": sent.pop("$ref")}]} | sent
