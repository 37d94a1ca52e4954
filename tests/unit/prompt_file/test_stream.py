"""Prompt files are read as streams: nothing of a file's size is in memory."""

import gzip
import os
import tracemalloc
from collections.abc import Iterator

import pytest

from shared.prompt_file import form_of, open_prompt_file

ROW = {"csv": b"%d,text %s\n", "jsonl": b'{"a": %d, "b": "%s"}\n', "json": b'{"a": %d, "b": "%s"},\n'}
START = {"csv": b"a,b\n", "jsonl": b"", "json": b"["}


def chunks(kind: str, count: int, *, packed: bool) -> Iterator[bytes]:
    """A file of `count` chunks of a hundred rows each, that ends as it should."""
    end = b"{}]" if kind == "json" else b""
    for number in range(count):
        rows = b"".join(ROW[kind] % (row, os.urandom(50).hex().encode()) for row in range(100))
        chunk = (START[kind] if number == 0 else b"") + rows + (end if number == count - 1 else b"")
        yield gzip.compress(chunk, 1) if packed else chunk


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "json"])
def test_a_row_is_given_before_the_file_is_read_to_its_end(kind: str, packed: bool) -> None:
    form = form_of(f"a.{kind}.gz" if packed else f"a.{kind}")
    assert form is not None
    unread = chunks(kind, 20, packed=packed)

    next(open_prompt_file(form, unread).records)

    assert len(list(unread)) >= 18


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json"])
def test_memory_does_not_grow_with_the_file(kind: str) -> None:
    form = form_of(f"a.{kind}")
    assert form is not None
    tracemalloc.start()
    try:
        rows = sum(1 for _ in open_prompt_file(form, chunks(kind, 150, packed=False)).records)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert rows >= 15_000
    assert peak < 500_000  # The file has 1.8 MB.
