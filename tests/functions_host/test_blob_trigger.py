"""Blob triggers of the functions host, against Azurite."""

import json
import time

import pytest
from azure.core.exceptions import ResourceNotFoundError

from local.functions_host import FunctionsHost, Habits
from tests.functions_host.conftest import Storage

Runs = list[tuple[str, object]]


def test_a_new_blob_runs_the_function_with_a_client_of_that_blob(
    host: FunctionsHost, account: Storage, runs: Runs
) -> None:
    account.upload("inbox", "today/Größe & 50%.txt", b"content")
    assert host.run_blob_scan() == 1
    assert runs == [("read_by_client", ("today/Größe & 50%.txt", b"content"))]


def test_a_blob_whose_name_does_not_match_the_path_is_left_alone(
    host: FunctionsHost, account: Storage, runs: Runs
) -> None:
    account.upload("inbox", "no-folder.txt", b"x")
    account.upload("inbox", "today/picture.png", b"x")
    assert host.run_blob_scan() == 0
    assert runs == []


def test_a_version_is_delivered_once_and_each_rewrite_again(host: FunctionsHost, account: Storage, runs: Runs) -> None:
    account.upload("inbox", "a/b.txt", b"1")
    assert [host.run_blob_scan(), host.run_blob_scan()] == [1, 0]
    account.upload("inbox", "a/b.txt", b"1")
    assert host.run_blob_scan() == 1
    assert len(runs) == 2


def test_a_deleted_and_restored_blob_is_delivered_again(host: FunctionsHost, account: Storage) -> None:
    account.upload("inbox", "a/b.txt", b"1")
    host.run_blob_scan()
    account.delete("inbox", "a/b.txt")
    assert host.run_blob_scan() == 0
    account.upload("inbox", "a/b.txt", b"1")
    assert host.run_blob_scan() == 1


def test_a_failing_function_is_tried_five_times_and_then_leaves_a_poison_message(
    host: FunctionsHost, account: Storage, runs: Runs
) -> None:
    account.upload("inbox", "a/bad.txt", b"fail")
    host.run_blob_scan()
    assert len(runs) == 5
    (text,) = account.texts("webjobs-blobtrigger-poison")
    message = json.loads(text)
    assert message["ContainerName"] == "inbox"
    assert message["BlobName"] == "a/bad.txt"
    assert message["FunctionId"] == "Host.Functions.read_by_client"
    assert host.run_blob_scan() == 0


def test_a_new_host_delivers_everything_again(host: FunctionsHost, account: Storage) -> None:
    account.upload("inbox", "a/b.txt", b"1")
    host.run_blob_scan()
    host.start_indexing()
    assert host.run_blob_scan() == 1


@pytest.mark.parametrize(("misses", "found"), [(True, 0), (False, 1)])
def test_a_blob_of_the_second_of_the_newest_one_seen_is_missed_where_the_host_is_told_to(
    host: FunctionsHost, account: Storage, misses: bool, found: int
) -> None:
    host._habits = Habits(misses_same_second=misses)
    host.start_indexing()
    for number in range(20):
        host.run_blob_scan()
        account.upload("inbox", f"a/{number}.txt", b"1")
        assert host.run_blob_scan() >= (0 if misses else 1)
        account.upload("inbox", f"b/{number}.txt", b"1")
        if account.written_at("inbox", f"a/{number}.txt") == account.written_at("inbox", f"b/{number}.txt"):
            break
    else:
        pytest.fail("no two uploads fell into one second")
    assert host.run_blob_scan() == found
    time.sleep(1)
    account.upload("inbox", "later/one.txt", b"1")
    assert host.run_blob_scan() == 1


def test_an_input_stream_gets_binary_content_unharmed(host: FunctionsHost, account: Storage, runs: Runs) -> None:
    account.upload("streams", "image.bin", b"\xff\xfe\x00\x80")
    host.run_blob_scan()
    assert runs == [("read_as_stream", ("streams/image.bin", 4, b"\xff\xfe\x00\x80"))]


def test_a_stream_not_declared_binary_gets_text_as_the_real_host_makes_it(
    host: FunctionsHost, account: Storage, runs: Runs
) -> None:
    account.upload("texts", "a", b"\xef\xbb\xbfabc\xff")
    host.run_blob_scan()
    assert runs == [("read_as_text", "abc\ufffd".encode())]


def test_an_event_grid_trigger_runs_on_events_only_and_on_each_repeated_one(
    host: FunctionsHost, account: Storage, runs: Runs
) -> None:
    account.upload("events", "a.csv", b"x")
    assert host.run_blob_scan() == 0
    assert host.deliver_blob("read_on_event", "a.csv")
    assert host.deliver_blob("read_on_event", "a.csv")
    assert runs == [("read_on_event", "a.csv")] * 2


def test_an_event_for_a_blob_that_is_not_there_cannot_be_delivered(host: FunctionsHost, account: Storage) -> None:
    account.upload("events", "a.csv", b"x")
    with pytest.raises(ResourceNotFoundError):
        host.deliver_blob("read_on_event", "other.csv")
