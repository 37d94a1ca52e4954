"""Queue triggers and queue outputs of the functions host, against Azurite."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from local.functions_host import FunctionsHost
from local.functions_host.invocation import Invoker
from local.functions_host.queue_trigger import QueueTrigger
from local.functions_host.settings import read_host_options
from tests.functions_host.conftest import SAMPLE_APP, Storage

Runs = list[tuple[str, Any]]


def test_a_message_runs_the_function_once_and_is_gone(host: FunctionsHost, account: Storage, runs: Runs) -> None:
    account.send("orders", "Größe 7")
    assert host.run_queue_once("take_order") == 1
    assert host.run_queue_once("take_order") == 0
    assert runs == [("take_order", ("Größe 7", 1))]


def test_a_missing_queue_counts_as_empty(host: FunctionsHost) -> None:
    assert host.run_queue_once("take_order") == 0


def test_an_output_list_becomes_one_base64_message_each_in_a_queue_made_for_it(
    host: FunctionsHost, account: Storage
) -> None:
    account.send("orders", "tea")
    host.run_queue_once("take_order")
    assert sorted(account.texts("letters")) == ["tea: received", "tea: sent"]


def test_a_failed_message_comes_again_and_goes_to_the_poison_queue_in_the_end(
    host: FunctionsHost, account: Storage, runs: Runs
) -> None:
    account.send("orders", "fail this")
    for _ in range(4):
        host.run_queue_once("take_order")
    assert runs == [("take_order", ("fail this", attempt)) for attempt in (1, 2, 3)]
    host.run_queue_once("take_poison")
    assert runs[-1] == ("take_poison", "fail this")
    assert account.texts("letters") == []


def test_a_message_that_fails_in_a_poison_queue_stays_there_and_comes_back_whenever_it_is_visible(
    brief_host: FunctionsHost, account: Storage, runs: Runs
) -> None:
    account.send("orders-poison", "fail again")
    for attempt in range(1, 8):  # more often than a message of any other queue
        deadline = time.monotonic() + 20
        while brief_host.run_queue_once("take_poison") == 0:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert runs == [("take_poison", "fail again")] * attempt
        assert brief_host.run_queue_once("take_poison") == 0
    assert account.texts("orders-poison-poison") == []


def test_a_message_in_a_poison_queue_that_is_not_base64_stays_there(
    account: Storage, brief_host: FunctionsHost
) -> None:
    account.send("orders-poison", "not coded!", coded=False)
    assert brief_host.run_queue_once("take_poison") == 1
    deadline = time.monotonic() + 20
    while not (found := account.texts("orders-poison", coded=False)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert found == ["not coded!"]


def test_the_message_of_a_killed_host_stays_hidden_for_ten_minutes(host: FunctionsHost, account: Storage) -> None:
    account.send("orders", "tea")
    trigger = host._queues["take_order"]
    (message,) = trigger.receive()  # and then the process dies
    assert message.next_visible_on is not None
    hidden = (message.next_visible_on - datetime.now(UTC)).total_seconds()
    assert 590 < hidden <= 601
    assert host.run_queue_once("take_order") == 0


def test_a_failed_message_stays_hidden_for_the_configured_time(
    storage: str, account: Storage, monkeypatch: pytest.MonkeyPatch, host: FunctionsHost
) -> None:
    monkeypatch.setenv("AzureFunctionsJobHost__extensions__queues__visibilityTimeout", "00:01:00")
    host.start_indexing()
    account.send("orders", "fail")
    assert [host.run_queue_once("take_order"), host.run_queue_once("take_order")] == [1, 0]


def test_a_message_that_is_not_base64_is_poisoned_and_does_not_block_the_queue(
    host: FunctionsHost, account: Storage, runs: Runs
) -> None:
    account.send("orders", "not coded!", coded=False)
    account.send("orders", "good")
    host.run_queue_once("take_order")
    assert runs == [("take_order", ("good", 1))]
    assert account.texts("orders-poison", coded=False) == ["not coded!"]


def test_a_message_stays_hidden_while_its_function_runs_longer_than_its_lease(
    host: FunctionsHost, account: Storage
) -> None:
    function = next(function for function in host.functions if function.name == "take_order")
    options = read_host_options(SAMPLE_APP)
    trigger = QueueTrigger(function, Invoker(host.worker, options), options, hidden_seconds=1)
    account.send("orders", "wait 3")
    (message,) = trigger.receive()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(trigger.handle, message)
        while not running.done():
            assert account.texts("orders") == []
    assert running.result()
    assert account.texts("orders") == []
