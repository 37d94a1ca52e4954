"""Transfers run beside the work: over a real Azurite, with a transport that holds or refuses single calls."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import BlobServiceClient

from shared import wiring
from shared.adapters import transfers
from shared.adapters.blob_files import PIECE, READ_SIZE, BlobFiles
from shared.adapters.block_writer import BLOCK_SIZE
from shared.domain.errors import Unavailable
from shared.domain.ports import Container
from testing.paths import PROJECT

WORK = Container.WORK
LONG = 20
"""Seconds after which a test gives up; nothing waits so long where all is well."""


class Gate(RequestsTransport):  # type: ignore[misc]  # It has no types of its own.
    """A transport that notes blocks and ranges, and does something before the one of a number, counted from 1."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.at: dict[int, Callable[[], object]] = {}
        self.seen: list[threading.Event] = [threading.Event() for _ in range(9)]

    def send(self, request: Any, **kwargs: Any) -> Any:
        url = str(request.url)
        if "comp=block&" in f"{url}&" or "x-ms-range" in request.headers:
            self.calls.append(request.headers.get("x-ms-range", "block"))
            number = len(self.calls)
            self.seen[number].set()
            self.at.get(number, lambda: None)()
        return super().send(request, **kwargs)


@pytest.fixture
def gate() -> Gate:
    """The transport of `gated`."""
    return Gate()


@pytest.fixture
def gated(gate: Gate, azurite: str, request: pytest.FixtureRequest) -> Iterator[BlobFiles]:
    """The containers, seen through the gate; without retries, so that one failure is enough."""
    options: dict[str, Any] = {**wiring.BLOB_OPTIONS, "retry_total": 0, "transport": gate}
    with BlobServiceClient.from_connection_string(azurite, **options) as client:
        yield BlobFiles(client, {WORK: f"transfers-{abs(hash(request.node.name))}"})
    for thread in _transfers():
        thread.join(LONG)
    assert _transfers() == []


def _transfers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "transfer"]


def _refuse() -> None:
    raise ServiceRequestError("the network is down")


def test_a_block_is_sent_while_the_next_is_filled(gate: Gate, gated: BlobFiles) -> None:
    gated.write(WORK, "there-is-a-container", b"")
    sent = threading.Event()
    gate.at[1] = lambda: sent.wait(LONG)
    writer = gated.writer(WORK, "a")

    writer.write(b"1" * BLOCK_SIZE)
    writer.write(b"2" * (BLOCK_SIZE - 1))
    second = threading.Thread(target=lambda: writer.write(b"2"))
    second.start()

    assert gate.seen[1].wait(LONG)
    second.join(0.2)
    assert second.is_alive(), "a second block was taken although the first was still on its way"
    sent.set()
    second.join(LONG)
    writer.commit()
    assert b"".join(gated.read(WORK, "a")) == b"1" * BLOCK_SIZE + b"2" * BLOCK_SIZE


@pytest.mark.parametrize(("failing", "blocks"), [(1, 1), (1, 2), (2, 2), (2, 3)])
def test_a_block_that_fails_shows_at_the_next_or_at_the_commit_and_nothing_becomes_visible(
    gate: Gate, gated: BlobFiles, failing: int, blocks: int
) -> None:
    gated.write(WORK, "there-is-a-container", b"")
    gate.at[failing] = _refuse
    writer = gated.writer(WORK, "a")

    def write_all() -> None:
        for _ in range(blocks):
            writer.write(b"1" * BLOCK_SIZE)
        writer.commit()

    with pytest.raises(Unavailable):
        write_all()

    with pytest.raises(Unavailable):
        writer.commit()
    assert gated.info(WORK, "a") is None


def test_a_writer_left_alone_leaves_no_thread_and_no_blob(gate: Gate, gated: BlobFiles) -> None:
    gated.write(WORK, "there-is-a-container", b"")
    writer = gated.writer(WORK, "a")
    writer.write(b"1" * (BLOCK_SIZE + 1))
    del writer

    assert gate.seen[1].wait(LONG)
    for thread in _transfers():
        thread.join(LONG)
    assert _transfers() == []
    assert gated.info(WORK, "a") is None


def test_the_next_range_is_fetched_while_one_is_worked_on_and_no_further(gate: Gate, gated: BlobFiles) -> None:
    data = bytes(range(256)) * (4 * READ_SIZE // 256)
    writer = gated.writer(WORK, "a")
    writer.write(data)
    writer.commit()
    gate.calls.clear()
    for event in gate.seen:
        event.clear()

    pieces = gated.read(WORK, "a")
    first = next(pieces)

    assert gate.seen[2].wait(LONG)
    for thread in _transfers():
        thread.join(LONG)
    assert len(gate.calls) == 2
    assert first + b"".join(pieces) == data
    assert len(gate.calls) == 4


def test_a_range_that_fails_ahead_shows_when_its_turn_comes(gate: Gate, gated: BlobFiles) -> None:
    gated.write(WORK, "a", b"1" * (2 * READ_SIZE))
    gate.at[2] = _refuse
    gate.calls.clear()
    pieces = gated.read(WORK, "a")

    read = [len(next(pieces)) for _ in range(READ_SIZE // PIECE)]
    with pytest.raises(Unavailable):
        next(pieces)
    assert sum(read) == READ_SIZE


def test_no_more_transfers_than_the_limit_run_at_once() -> None:
    go, running, most = threading.Event(), [], []

    def call(number: int) -> int:
        running.append(number)
        most.append(len(running))
        go.wait(LONG)
        running.remove(number)
        return number

    def all_of_them() -> None:
        futures.extend(transfers.begin(partial(call, number)) for number in range(12))

    futures: list[Any] = []
    starter = threading.Thread(target=all_of_them)
    starter.start()
    starter.join(0.2)
    assert starter.is_alive()
    go.set()
    starter.join(LONG)
    assert sorted(future.result(LONG) for future in futures) == list(range(12))
    assert max(most) == transfers.LIMIT


def test_a_process_ends_although_a_transfer_hangs() -> None:
    hanging = (
        "import threading; from shared.adapters.transfers import begin; begin(threading.Event().wait); print('end')"
    )
    done = subprocess.run(
        [sys.executable, "-c", hanging], cwd=PROJECT, timeout=LONG, capture_output=True, text=True, check=True
    )
    assert done.stdout == "end\n"
