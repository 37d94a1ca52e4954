"""What the tests of this folder share: many files in one world, and the lines of any JSONL text."""

import json
from collections.abc import Iterable
from typing import Any

from testing.world import World

ENDED = ("completed", "failed", "cancelled")


def run_all(world: World, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Deliver all files' events, then wait until each newest job has ended; gives their statuses by file."""
    names = list(names)
    for name in names:
        world.event(name)
    return wait_all(world, names)


def wait_all(world: World, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Wait until the newest job of each file has ended; gives their statuses by file."""
    names = list(names)
    for _ in range(30):
        # Longer than a batch takes, so that there are few ticks.
        world.clock.advance(330)
        world.tick()
        statuses = {name: world.status(name) for name in names}
        if all(status["state"] in ENDED for status in statuses.values()):
            return statuses
    raise AssertionError(f"not all have ended: {statuses}")


def jsonl(*rows: object) -> str:
    """Write rows as JSON lines."""
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def balances(world: World, name: str) -> bool:
    """Whether every row of the file stands in one of the two JSONL files, in order, and in results.csv."""
    status = world.status(name)
    results, errors = world.results(name), world.errors(name)
    rows = [line["row"] for line in results], [line["error"]["row"] for line in errors]
    counts: dict[str, int] = {}
    for line in errors:
        counts[line["error"]["code"]] = counts.get(line["error"]["code"], 0) + 1
    return (
        sorted(rows[0] + rows[1]) == list(range(1, (status["rows"]["total"] or 0) + 1))
        and rows == (sorted(rows[0]), sorted(rows[1]))
        and (len(results), len(errors)) == (status["rows"]["succeeded"], status["rows"]["failed"])
        and counts == status["errors"]
        and len(world.table(name)) == (status["rows"]["total"] or 0)
    )
