"""The rooms of `shared/` know only what lies below them, and no module grows beyond what one can read at a sitting."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from testing.paths import PROJECT

FLOORS = (
    ("settings", "json_codec", "telemetry"),
    ("domain",),
    ("prompt_file", "answer_schema", "job_settings", "money"),
    ("requests", "answers", "results", "documents"),
    ("pipeline",),
    ("web",),
)
"""From the ground up: a room knows those below it, and others of its floor where none of them knows it in turn."""

OUTSIDE = frozenset({"adapters", "wiring"})
"""They know everything they need, and only each other, the functions and tests know them."""

SDKS = frozenset({"azure", "openai", "httpx2", "requests", "urllib3"})
LONGEST_MODULE, SHORTEST_MODULE, LONGEST_FUNCTION = 300, 25, 40


def _modules() -> list[Path]:
    return sorted((PROJECT / "shared").rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def _room(path: Path) -> str:
    return path.relative_to(PROJECT / "shared").parts[0].removesuffix(".py")


def _imports(path: Path) -> Iterator[str]:
    """Name all modules that a module imports, in its functions too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (_of_shared(node) if node.module == "shared" else [node.module])


def _of_shared(node: ast.ImportFrom) -> list[str]:
    """Name the modules among what is imported from `shared`, which has constants of its own."""
    return [f"shared.{alias.name}" for alias in node.names if not alias.name.isupper()]


@cache
def _arrows() -> dict[str, set[str]]:
    """Return which rooms each room knows."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in _modules():
        for name in _imports(path):
            first, _, rest = name.partition(".")
            if first == "shared" and rest and rest != "VERSION":
                found[_room(path)].add(rest.partition(".")[0])
    return {room: others - {room} for room, others in found.items()}


def test_every_room_has_its_floor() -> None:
    rooms = {_room(path) for path in _modules()} - {"__init__"}
    assert rooms == {room for floor in FLOORS for room in floor} | OUTSIDE


@pytest.mark.parametrize("floor", range(len(FLOORS)))
def test_a_room_knows_only_what_lies_below_it(floor: int) -> None:
    arrows = _arrows()
    below = {room for lower in FLOORS[:floor] for room in lower}
    for room in FLOORS[floor]:
        beside = {other for other in FLOORS[floor] if room not in arrows.get(other, set())}
        assert arrows.get(room, set()) - below - beside == set(), room


def test_adapters_know_the_domain_and_the_ground_alone() -> None:
    assert _arrows()["adapters"] <= {"domain", *FLOORS[0]}


def test_only_adapters_and_the_wiring_know_an_sdk() -> None:
    guilty = {
        _name(path): name
        for path in _modules()
        if _room(path) not in OUTSIDE
        for name in _imports(path)
        if name.partition(".")[0] in SDKS
    }
    assert guilty == {}


def test_no_module_is_longer_than_one_reads_at_a_sitting_or_too_short_to_have_a_name() -> None:
    lines = {_name(path): len(path.read_text("utf-8").splitlines()) for path in _modules()}
    wrong = {
        name: count
        for name, count in lines.items()
        if count > LONGEST_MODULE or (count < SHORTEST_MODULE and not name.endswith("__init__.py"))
    }
    assert wrong == {}


def _packages() -> list[Path]:
    return [path for path in _modules() if path.name == "__init__.py" and path.parent != PROJECT / "shared"]


def _listing(package: Path) -> set[str]:
    """Return the words of a package's docstring."""
    return set(re.findall(r"\w+", ast.get_docstring(ast.parse(package.read_text("utf-8"))) or ""))


@pytest.mark.parametrize("package", _packages(), ids=_name)
def test_the_listing_of_a_room_names_all_its_modules(package: Path) -> None:
    beside = [*package.parent.glob("*.py"), *(inner.parent for inner in package.parent.glob("*/__init__.py"))]
    assert {path.stem for path in beside} - {"__init__"} - _listing(package) == set()


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{_name(path)}::{node.name}": node.end_lineno - node.lineno + 1
        for path in _modules()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.end_lineno and node.end_lineno - node.lineno >= LONGEST_FUNCTION
    }
    assert long == {}
