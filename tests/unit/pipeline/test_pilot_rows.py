"""The pilot's requests are taken out of their blocks, and the others stay as they were."""

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.model import RequestBlock
from shared.pipeline.build.pilot_rows import PilotRows, RequestKinds
from shared.requests.request_lines import block_of


def block(first: int, count: int, model: str = "m", schema: int = 0) -> RequestBlock:
    """Requests of consecutive rows."""
    rows = range(first, first + count)
    lines = [b'{"row":%d}' % row for row in rows]
    return block_of(rows, [f"id-{row}" for row in rows], model, "/v1/responses", lines, [schema] * count)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=12), st.data())
def test_every_request_comes_once_in_order_and_the_pilots_are_those_at_its_positions(
    sizes: list[int], data: st.DataObject
) -> None:
    total = sum(sizes)
    positions = sorted(data.draw(st.sets(st.integers(0, total - 1), max_size=10)))
    pilot = PilotRows(positions)
    seen: list[tuple[int, bool]] = []
    first = 0
    for size in sizes:
        for part, is_pilot in pilot.divide(block(first, size)):
            assert part.text == block(part.rows[0], len(part.rows)).text
            seen += [(row, is_pilot) for row in part.rows]
        first += size
    assert seen == [(row, row in positions) for row in range(total)]
    assert bool(pilot) == bool(positions)


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.data())
def test_a_request_that_is_not_sent_after_all_gives_its_place_in_the_pilot_to_the_next(
    sent: list[bool], data: st.DataObject
) -> None:
    positions = sorted(data.draw(st.sets(st.integers(0, len(sent) - 1), max_size=10)))
    pilot = PilotRows(positions)
    chosen: list[int] = []
    expected: list[int] = []
    owed = 0
    for row, is_sent in enumerate(sent):
        owed += row in positions
        if not is_sent:
            pilot.pass_over()
            continue
        chosen += [part.rows[0] for part, is_pilot in pilot.divide(block(row, 1)) if is_pilot]
        if owed:
            expected.append(row)
            owed -= 1
    assert chosen == expected


def test_places_that_are_owed_are_taken_from_the_next_block_beside_its_own() -> None:
    pilot = PilotRows([0, 1, 3])
    pilot.pass_over()
    pilot.pass_over()
    parts = [(list(part.rows), is_pilot) for part, is_pilot in pilot.divide(block(2, 5))]
    assert parts == [([2], True), ([3], True), ([4], True), ([5, 6], False)]


def test_requests_are_told_apart_by_model_url_and_schema() -> None:
    kinds = RequestKinds()
    kinds.put(block(0, 2))
    kinds.put(block(2, 1, model="other"))
    kinds.put(block(3, 1, schema=1))
    kinds.put(block(4, 1))
    assert list(kinds.kinds) == [0, 0, 1, 2, 0]
    assert kinds.close() == []
