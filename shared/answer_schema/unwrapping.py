"""Lists of a single schema, `allOf` and the like, which mean that schema itself."""

from typing import Final

from shared.answer_schema.keywords import ANNOTATIONS, SILENTLY_DROPPED
from shared.answer_schema.report import Change, Report, at

type Schema = dict[str, object]

_FREE: Final = ANNOTATIONS | SILENTLY_DROPPED | {"default"}
"""What may differ between a schema and the one in its list of one."""


def unwrapped(node: Schema, keys: tuple[str, ...], path: str, report: Report) -> Schema:
    """Replace lists of a single schema under `keys` by that schema, nested ones too."""
    for key in keys:
        branches = node.get(key)
        if isinstance(branches, list) and len(branches) == 1 and isinstance(branches[0], dict):
            report.change(Change.UNWRAPPED, at(path, key))
            return unwrapped(_merged(node, key, branches[0], path, report), keys, path, report)
    return node


def _merged(node: Schema, key: str, branch: Schema, path: str, report: Report) -> Schema:
    """Put the one schema of a list in its place; what is said beside the list comes first."""
    outer = {name: value for name, value in node.items() if name != key}
    for name in branch:
        if name in outer and outer[name] != branch[name] and name not in _FREE:
            report.fault(at(path, key, 0, name), f"differs from the {name} beside {key}; merge the two")
    return outer | {name: value for name, value in branch.items() if name not in outer}
