"""The encoding's table is the published one, whatever form it has."""

import hashlib
from base64 import b64encode
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tiktoken_ext import openai_public

from shared.money import o200k_base


def published(monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], str]:
    """What tiktoken itself would make the encoding of, but for the table, and the table's SHA-256."""
    expected: list[str] = []

    def not_fetched(_address: str, expected_hash: str) -> dict[bytes, int]:
        expected.append(expected_hash)
        return {}

    monkeypatch.setattr(openai_public, "load_tiktoken_bpe", not_fetched)
    return openai_public.o200k_base(), expected[0]


def test_the_table_is_the_one_that_openai_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    _, expected = published(monkeypatch)
    tokens = msgspec.msgpack.decode(o200k_base.TABLE.read_bytes(), type=list[bytes])
    text = b"".join(b64encode(token) + b" %d\n" % rank for rank, token in enumerate(tokens))
    assert hashlib.sha256(text).hexdigest() == expected


def test_texts_are_cut_as_tiktoken_cuts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, _ = published(monkeypatch)
    assert arguments["pat_str"] == o200k_base.PATTERN


def test_a_text_that_looks_like_a_special_token_is_counted_as_text() -> None:
    assert len(o200k_base.load().encode_ordinary("<|endoftext|>")) > 1


@pytest.mark.parametrize("change", [lambda table: table[:-1], lambda table: b"x" + table[1:], lambda _table: b""])
def test_a_damaged_table_is_not_used(change: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "table"
    damaged.write_bytes(change(o200k_base.TABLE.read_bytes()))
    monkeypatch.setattr(o200k_base, "TABLE", damaged)
    with pytest.raises(ValueError, match="damaged"):
        o200k_base.load()
