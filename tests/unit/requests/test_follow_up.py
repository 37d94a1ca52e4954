"""What follow-ups take of a batch: the kept rows in order, caps doubled where the answer was cut off."""

from typing import Any

import msgspec
import pytest

from shared.domain.model import RequestBlock
from shared.requests.follow_up import follow_up, raise_cap
from shared.requests.request_lines import block_of

LINES = (b'{"n":3}', b'{"body":{"max_tokens":100}}', b'{"body":{"max_tokens":7}}')
BLOCK = block_of((3, 5, 9), ("c", "e", "i"), "m", "u", LINES, (0, -1, 1))

BLOCK_OF_TWO = block_of((3, 9), ("c", "i"), "m", "u", (LINES[0], LINES[2]), (0, 1))


def taken(*blocks: RequestBlock) -> list[tuple[tuple[int, ...], tuple[str, ...], bytes, tuple[int, ...]]]:
    return [(tuple(block.rows), tuple(block.ids), block.text, tuple(block.schemas)) for block in blocks]


def test_takes_the_kept_rows_in_order() -> None:
    assert taken(*follow_up([BLOCK], {9, 3, 4})) == [
        ((3, 9), ("c", "i"), b'{"n":3}\n{"body":{"max_tokens":7}}\n', (0, 1)),
    ]


def test_gives_no_block_where_none_of_its_rows_is_kept() -> None:
    assert list(follow_up([BLOCK], {4})) == []


def test_doubles_the_cap_of_rows_that_were_cut_off_only() -> None:
    (block,) = follow_up([BLOCK], {5, 9}, raised={5})
    assert block.text == b'{"body":{"max_tokens":200}}\n{"body":{"max_tokens":7}}\n'


def test_leaves_out_rows_that_were_cut_off_without_a_cap() -> None:
    (block,) = follow_up([BLOCK], {3, 5}, raised={3, 5})
    assert block.rows == (5,)


def test_keeps_what_images_of_the_kept_rows_cost() -> None:
    with_images = block_of((3, 5, 9), ("c", "e", "i"), "m", "u", LINES, (0, -1, 1), (0, 765, 85))
    (block,) = follow_up([with_images], {3, 9})
    assert (list(block.image_tokens), block.input_tokens) == ([0, 85], BLOCK_OF_TWO.input_tokens + 85)
    (without,) = follow_up([with_images], {3})
    assert without.image_tokens == ()


@pytest.mark.parametrize("cap", ["max_completion_tokens", "max_tokens", "max_output_tokens"])
def test_doubles_the_cap_and_nothing_else(cap: str) -> None:
    body: dict[str, Any] = {"model": "m", cap: 300, "messages": [{"content": "max_tokens é\u2028"}], "n": 1}
    line = msgspec.json.encode({"custom_id": "a", "body": body, "url": "u"})
    raised = raise_cap(line)
    assert raised == msgspec.json.encode({"custom_id": "a", "body": body | {cap: 600}, "url": "u"})


def test_all_caps_of_a_request_are_doubled() -> None:
    raised = raise_cap(b'{"body":{"max_tokens":1,"max_completion_tokens":2}}')
    assert raised == b'{"body":{"max_tokens":2,"max_completion_tokens":4}}'


@pytest.mark.parametrize(
    "line",
    [
        b'{"body":{"model":"m"}}',
        b'{"body":{"max_tokens":null}}',
        b'{"body":{"max_tokens":"9"}}',
        b'{"body":{"max_tokens":true}}',
        b'{"max_tokens":5}',
        b'{"body":[]}',
        b"[]",
    ],
)
def test_without_a_cap_there_is_none_to_raise(line: bytes) -> None:
    assert raise_cap(line) is None
