"""An object in its strict form: nothing but the named properties, and every one of them required."""

from collections.abc import Callable, Iterable
from typing import Final

import jsonschema_rs

from shared.answer_schema.keywords import ANNOTATIONS, PLAIN_CHECKS
from shared.answer_schema.nullable import nullable
from shared.answer_schema.report import UNUSABLE, Change, Report, at

type Schema = dict[str, object]
type Convert = Callable[[object, str], Schema]
"""Writes the strict form of a part, found at a path."""

_NAMES_SHOWN: Final = 5
_NAME_SHOWN: Final = 60
_OPEN_MAP: Final = "is an open map, which is not supported; name its properties, or make it a list of key and value"


def closed_object(node: Schema, path: str, report: Report, convert: Convert) -> Schema:
    """Write a schema of the type object; `convert` writes its properties."""
    if not _closed(node, path, report):
        return UNUSABLE
    properties, required = node.get("properties"), node.get("required", [])
    if not isinstance(properties, dict) or not properties:
        return report.refused(path, "has no properties; name at least one under properties")
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        return report.refused(at(path, "required"), "must be a list of names that stand under properties")
    if unknown := [name for name in required if name not in properties]:
        return report.refused(at(path, "required"), _unknown(unknown))
    _check_names(node, properties, set(required), path, report)
    parts: Schema = {
        "type": "object",
        "properties": {
            name: _property(schema, name in required, at(path, "properties", name), report, convert)
            for name, schema in properties.items()
        },
        "required": list(dict.fromkeys(required)) if set(required) == properties.keys() else list(properties),
        "additionalProperties": False,
    }
    allowed = ANNOTATIONS | parts.keys()
    return {key: parts.get(key, value) for key, value in (node | parts).items() if key in allowed}


def _unknown(names: list[str]) -> str:
    shown = ", ".join(f'"{name[:_NAME_SHOWN]}"' for name in names[:_NAMES_SHOWN])
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    stand = "which does not stand" if len(names) == 1 else "which do not stand"
    return f"lists {shown}{more}, {stand} under properties; add it there, or leave it out here"


def _property(schema: object, required: bool, path: str, report: Report, convert: Convert) -> Schema:
    strict = convert(schema, path)
    if required:
        return strict
    report.change(Change.REQUIRED, path)
    return nullable(strict)


def _closed(node: Schema, path: str, report: Report) -> bool:
    """Return whether the object allows only the named properties; report an open map as a fault."""
    for key in ("additionalProperties", "unevaluatedProperties"):
        if node.get(key, False) is not False:
            report.fault(at(path, key), _OPEN_MAP)
            return False
    if "properties" not in node and "additionalProperties" not in node:
        report.fault(path, _OPEN_MAP)
        return False
    if "additionalProperties" not in node:
        report.change(Change.CLOSED, path)
    return True


def _check_names(node: Schema, properties: Schema, required: set[object], path: str, report: Report) -> None:
    """Report rules on the number or names of properties that cannot hold once every property is present."""
    least, most = node.get("minProperties", 0), node.get("maxProperties", len(properties))
    if not isinstance(least, int) or least > len(required):
        report.fault(at(path, "minProperties"), "cannot be kept, as every property is always there; leave it out")
    if not isinstance(most, int) or most < len(properties):
        report.fault(at(path, "maxProperties"), "cannot be kept, as every property is always there; leave it out")
    if "propertyNames" in node and not _fits_all(node["propertyNames"], properties):
        report.fault(at(path, "propertyNames"), "does not fit the names under properties; leave it out")


def _fits_all(rule: object, names: Iterable[str]) -> bool:
    if not isinstance(rule, dict) or not rule.keys() <= PLAIN_CHECKS:
        return False
    try:
        validator = jsonschema_rs.validator_for(rule, offline=True)
    except ValueError:  # a malformed rule fits no name
        return False
    return all(map(validator.is_valid, names))
