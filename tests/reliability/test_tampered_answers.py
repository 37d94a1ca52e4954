"""Output files that no service should write: every row has one outcome all the same, and its own."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import pytest

from shared.domain.batch_service import BatchService
from shared.pipeline import receiving, steps
from testing.fakes import MemoryServices
from testing.world import World
from tests.reliability.simulation import table

type Lines = list[dict[str, Any]]


class Tampered:
    """The service, but for its output files: what comes of them is `change` of what it wrote."""

    def __init__(self, service: BatchService, change: Callable[[Lines], list[bytes]]) -> None:
        self._service, self._change = service, change

    def __getattr__(self, name: str) -> object:
        return getattr(self._service, name)

    def read_file(self, file_id: str) -> Iterator[bytes]:
        """Read a file, tampered with."""
        data = b"".join(self._service.read_file(file_id))
        lines = [json.loads(line) for line in data.split(b"\n") if line]
        yield b"".join(line + b"\n" for line in self._change(lines))


def _bytes(lines: Lines) -> list[bytes]:
    return [json.dumps(line).encode() for line in lines]


def _strangers(lines: Lines) -> list[bytes]:
    return _bytes(
        [line | odd for line in lines for odd in ({"custom_id": "nobody"}, {}, {"custom_id": None}, {"id": 1})]
    )


def _backwards_and_twice(lines: Lines) -> list[bytes]:
    return _bytes([*sorted(lines, key=lambda line: str(line["custom_id"]), reverse=True), *lines])


def _junk(lines: Lines) -> list[bytes]:
    return [b"{", b"null", b"\xff\xfe", b"", *_bytes(lines)]


@pytest.mark.parametrize("change", [_strangers, _backwards_and_twice, _junk])
def test_lines_that_are_strange_repeated_or_out_of_order_cost_no_row(
    new_world: Callable[..., World], change: Callable[[Lines], list[bytes]], caplog: pytest.LogCaptureFixture
) -> None:
    world = new_world(AZURE_OPENAI_DEPLOYMENT="m")
    service = cast(BatchService, Tampered(world.batch_service, change))
    tampered = replace(world, app=replace(world.app, services=MemoryServices(service)))
    name = tampered.drop("table.csv", table("abcd"))
    job = receiving.receive(tampered.app, name)
    assert job is not None
    steps.advance(job)

    status = tampered.wait(name)

    assert status["rows"] == {"total": 4, "succeeded": 4, "failed": 0, "pending": 0, "reused": 0}
    assert [line["custom_id"] for line in tampered.results(name)] == ["a", "b", "c", "d"]
    assert [line["output"] for line in tampered.results(name)] == [
        json.loads(body["choices"][0]["message"]["content"]) for body in _answers(world)
    ]
    assert world.service.journal().totals["billed"] == 4
    assert [record for record in caplog.records if record.message.startswith("ignored unusable answer lines")]


def _answers(world: World) -> list[dict[str, Any]]:
    """The service's own answers, in the order of the file's rows."""
    (batch,) = [remote for remote in world.batch_service.page("")[0] if remote.output_file_id]
    lines = [json.loads(line) for line in b"".join(world.batch_service.read_file(batch.output_file_id)).splitlines()]
    return [line["response"]["body"] for line in sorted(lines, key=lambda line: str(line["custom_id"]))]


def test_a_row_that_the_service_answers_twice_is_one_result(world: World) -> None:
    world.service.scenario({"rows": [{"custom_id": "b", "outcome": "twice"}]})
    name = world.drop("table.csv", table("abc"), model="m")

    status = world.run(name)

    assert status["rows"] == {"total": 3, "succeeded": 3, "failed": 0, "pending": 0, "reused": 0}
    assert [line["custom_id"] for line in world.results(name)] == ["a", "b", "c"]
