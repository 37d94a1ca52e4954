"""The pilot: which rows are sent first, and what their answers say about sending the rest."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.domain.estimate import Estimate, HeldBy
from shared.money.budget_and_caps import Hold, dollars

SMALLEST_JOB: Final = 3
"""A job with fewer rows than so many times its pilot has none."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a collected pilot says: how many of its rows succeeded, and whether the rest is held."""

    succeeded: int
    rows: int
    hold: Hold | None


def pilot_size(rows: int, sendable: int) -> int:
    """Return how many rows the pilot of a job has: 0 where the job is too small for one."""
    return rows if sendable >= SMALLEST_JOB * rows else 0


def pilot_positions(kinds: Sequence[int], size: int) -> list[int]:
    """Choose `size` of the rows that can be sent, by their positions among them, in order.

    They are spread evenly. `kinds` numbers each row's combination of model, url and schema: where even spreading
    misses one, its middle row takes the place of a row whose kind is chosen more than once, as far as `size` reaches.
    """
    total = len(kinds)
    size = min(size, total)
    chosen = {(2 * number + 1) * total // (2 * size) for number in range(size)}
    represented = Counter(kinds[position] for position in chosen)
    for kind in dict.fromkeys(kinds):
        if represented[kind]:
            continue
        spare = [position for position in sorted(chosen) if represented[kinds[position]] > 1]
        if not spare:
            break
        replaced = max(spare, key=lambda position: represented[kinds[position]])
        own = [position for position, other in enumerate(kinds) if other == kind]
        represented[kinds[replaced]] -= 1
        chosen.remove(replaced)
        chosen.add(own[len(own) // 2])
        represented[kind] = 1
    return sorted(chosen)


def verdict(
    succeeded: int, errors: Mapping[str, int], *, min_ok: float, holds: bool, rest: Estimate, rows_left: int
) -> Verdict:
    """Judge a collected pilot: hold the rest where too few rows succeeded, or where the job asks for it (`holds`)."""
    rows = succeeded + sum(errors.values())
    too_few = rows > 0 and succeeded / rows < min_ok  # Not min_ok * rows, of which 0.56 * 100 is more than 56.
    if not too_few and not holds:
        return Verdict(succeeded, rows, None)
    failed = ", ".join(f"{count} {code}" for code, count in sorted(errors.items()))
    why = f"fewer than {100 * min_ok:g}%" if too_few else 'and the job asks for a review of them ("then": "hold")'
    cost = "at an unknown cost" if rest.usd is None else f"estimated at {dollars(rest.usd)}"
    message = (
        f"The pilot is collected: {succeeded} of {rows} rows succeeded{f' ({failed})' if failed else ''}, {why}. "
        f"{rows_left:,} rows are left, {cost}. See pilot.csv; release the job to send them, or cancel it."
    )
    return Verdict(succeeded, rows, Hold(HeldBy.PILOT, message))
