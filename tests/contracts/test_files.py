"""What every implementation of Files promises."""

import threading
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.adapters.block_writer import BLOCK_SIZE as BLOCK
from shared.domain.errors import Conflict, NotFound
from shared.domain.ports import Container, Files
from testing.world import World

WORK = Container.WORK


def _read(files: Files, name: str) -> bytes:
    return b"".join(files.read(WORK, name))


def test_a_blob_is_read_back_as_it_was_written(files: Files) -> None:
    etag = files.write(WORK, "a/b.json", b'{"x": 1}')

    info = files.info(WORK, "a/b.json")

    assert info is not None
    assert (info.name, info.etag, info.size) == ("a/b.json", etag, 8)
    assert info.last_modified.utcoffset() is not None
    assert info.last_modified.microsecond == 0
    assert '"' not in etag
    assert _read(files, "a/b.json") == b'{"x": 1}'
    assert _read(files, "a/b.json") == b"".join(files.read(WORK, "a/b.json", etag=etag))


def test_what_is_not_there_is_none_or_not_found(files: Files) -> None:
    assert files.info(WORK, "none") is None
    with pytest.raises(NotFound):
        _read(files, "none")
    with pytest.raises(NotFound):
        files.read_range(WORK, "none", 0, 1)
    with pytest.raises(NotFound):
        files.fetch(WORK, "none", 1)()
    assert list(files.blobs(WORK)) == []


def test_the_container_for_prompts_is_there_once_it_was_looked_into(world: World) -> None:
    """People need the place before they can drop the first file, and the app must not be the last to make it."""
    assert list(world.app.files.blobs(Container.PROMPTS)) == []
    container = world.blobs.get_container_client(world.app.settings.prompts_container)
    container.upload_blob("first.csv", b"Prompt\n")

    assert [blob.name for blob in world.app.files.blobs(Container.PROMPTS)] == ["first.csv"]


def test_creating_only_loses_against_a_blob_that_is_there(files: Files) -> None:
    files.write(WORK, "a", b"1", create_only=True)
    with pytest.raises(Conflict):
        files.write(WORK, "a", b"2", create_only=True)

    writer = files.writer(WORK, "a", create_only=True)
    writer.write(b"3")
    with pytest.raises(Conflict):
        writer.commit()

    assert _read(files, "a") == b"1"


def test_a_conditional_write_needs_the_version_it_names(files: Files) -> None:
    first = files.write(WORK, "a", b"1")
    second = files.write(WORK, "a", b"2", etag=first)

    with pytest.raises(Conflict):
        files.write(WORK, "a", b"3", etag=first)
    with pytest.raises(Conflict):
        files.write(WORK, "absent", b"3", etag=second)
    assert _read(files, "a") == b"2"
    assert files.info(WORK, "absent") is None


def test_reading_another_version_than_the_one_named_is_a_conflict(files: Files) -> None:
    first = files.write(WORK, "a", b"1")
    files.write(WORK, "a", b"2")

    with pytest.raises(Conflict):
        b"".join(files.read(WORK, "a", etag=first))


def test_a_blob_that_changes_while_it_is_read_is_a_conflict_and_never_a_mixture(files: Files) -> None:
    files.write(WORK, "a", b"1" * (3 * BLOCK + 1))
    chunks = files.read(WORK, "a")
    next(chunks)
    files.write(WORK, "a", b"2" * (3 * BLOCK + 1))

    with pytest.raises(Conflict):
        list(chunks)


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 17])
def test_a_writer_takes_any_size_and_shows_nothing_before_its_commit(files: Files, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    writer = files.writer(WORK, "big")
    for start in range(0, size, 1_000_003):
        writer.write(data[start : min(start + 1_000_003, size)])
    assert files.info(WORK, "big") is None

    etag = writer.commit()

    info = files.info(WORK, "big")
    assert info is not None
    assert (info.etag, info.size) == (etag, size)
    assert _read(files, "big") == data[:size]


def test_a_commit_replaces_what_was_there(files: Files) -> None:
    files.write(WORK, "a", b"old")
    writer = files.writer(WORK, "a")
    writer.write(b"new" * BLOCK)
    writer.commit()

    assert _read(files, "a") == b"new" * BLOCK


def test_two_writers_of_the_same_blob_never_mix(files: Files) -> None:
    writers = [files.writer(WORK, "a"), files.writer(WORK, "a")]
    for _ in range(3):
        for mark, writer in zip(b"12", writers, strict=True):
            writer.write(bytes([mark]) * (BLOCK // 2 + 1))
    committed = []
    for mark, writer in zip(b"12", writers, strict=True):
        try:
            writer.commit()
            committed.append(mark)
        except Conflict:
            continue

    assert committed
    assert _read(files, "a") == bytes([committed[-1]]) * 3 * (BLOCK // 2 + 1)


def test_a_small_blob_is_loaded_with_its_etag(files: Files) -> None:
    assert files.load(WORK, "a") is None
    first = files.write(WORK, "a", b"one")
    files.write(WORK, "a", b"two", etag=first)
    second = files.write(WORK, "empty", b"")

    found = files.info(WORK, "a")
    assert found is not None
    assert files.load(WORK, "a") == (b"two", found.etag)
    assert files.load(WORK, "empty") == (b"", second)
    assert files.load(WORK, "b") is None


def test_a_range_ends_with_the_blob(files: Files) -> None:
    files.write(WORK, "a", b"0123456789")

    assert files.read_range(WORK, "a", 3, 4) == b"3456"
    assert files.read_range(WORK, "a", 8, 100) == b"89"


@pytest.mark.parametrize("size", [0, 1, 8 * 1024 * 1024, 8 * 1024 * 1024 + 1])
def test_a_blob_is_fetched_beside_the_work_up_to_a_size(files: Files, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    files.write(WORK, "a", data)

    waits = [files.fetch(WORK, "a", most) for most in (size + 1, size, size // 2, 1)]

    assert [wait() == data[:most] for wait, most in zip(waits, (size + 1, size, size // 2, 1), strict=True)] == [
        True
    ] * 4


def test_blobs_come_by_name_from_a_prefix_or_a_place_on(files: Files) -> None:
    for name in ("b/2", "a", "b/10", "c", "b", "B"):
        files.write(WORK, name, b"x")

    assert [info.name for info in files.blobs(WORK)] == ["B", "a", "b", "b/10", "b/2", "c"]
    assert [info.name for info in files.blobs(WORK, prefix="b/")] == ["b/10", "b/2"]
    assert [info.name for info in files.blobs(WORK, after="b/10")] == ["b/2", "c"]
    listed = next(iter(files.blobs(WORK, prefix="c")))
    assert listed == files.info(WORK, "c")


@pytest.mark.parametrize("name", ["a/b.jsonl", "a b#c?d%2F&.csv", "ü/\U0001f600+~.csv"])
def test_an_address_tells_its_blobs_name(files: Files, name: str) -> None:
    assert files.name_of(WORK, files.url(WORK, name)) == name
    assert files.name_of(WORK, f"{files.url(WORK, name)}?sv=1&sig=x") == name
    with pytest.raises(NotFound):
        files.name_of(Container.RESULTS, files.url(WORK, name))


@pytest.mark.parametrize("name", ["a/b.jsonl", "a b#c?d%2F&.csv", "ü/\U0001f600+~.csv"])
def test_a_link_leads_to_its_blob_and_says_until_when(files: Files, name: str) -> None:
    files.write(WORK, name, b"x")
    link = files.link(WORK, name, until=datetime(2126, 11, 22, 10, 15, tzinfo=UTC), download_as="ü 1.csv")

    assert files.name_of(WORK, link) == name
    assert parse_qs(urlsplit(link).query)["se"][0].startswith("2126-11-22T10:15:00")


def test_of_many_that_create_at_once_one_wins(files: Files) -> None:
    files.write(WORK, "there-is-a-container", b"")
    barrier, won = threading.Barrier(6), []

    def create(number: int) -> None:
        barrier.wait()
        try:
            files.write(WORK, "a", str(number).encode(), create_only=True)
            won.append(number)
        except Conflict:
            pass

    threads = [threading.Thread(target=create, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1
    assert _read(files, "a") == str(won[0]).encode()
