"""Resources are asked beside each other: one that hangs holds up no other."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.errors import Unavailable
from shared.domain.model import RemoteBatch
from shared.pipeline.poll import side_by_side as module


class _App:
    def in_background(self, work: Any) -> None:
        threading.Thread(target=work, daemon=True).start()


def _batch(batch_id: str) -> RemoteBatch:
    return RemoteBatch(batch_id=batch_id, status="in_progress", input_file_id="", created_at=datetime.now(UTC))


def test_a_resource_that_hangs_is_left_to_the_next_tick_and_the_others_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.2)
    goes_on = threading.Event()

    def hangs() -> Iterator[RemoteBatch]:
        goes_on.wait(20)
        yield _batch("late")

    app: Any = _App()
    found = list(module.side_by_side(app, {"hangs": hangs(), "works": iter([_batch("a"), _batch("b")])}))
    goes_on.set()

    assert [answer.batch_id for account, answer in found if isinstance(answer, RemoteBatch)] == ["a", "b"]
    assert ("works", None) in found
    (silent,) = [answer for account, answer in found if account == "hangs"]
    assert isinstance(silent, Unavailable)


def test_a_fault_of_our_own_at_one_resource_ends_its_questions_alone() -> None:
    def breaks() -> Iterator[RemoteBatch]:
        yield _batch("a")
        raise KeyError("secret")

    app: Any = _App()
    found = list(module.side_by_side(app, {"breaks": breaks(), "works": iter([_batch("b")])}))
    assert ("works", None) in found
    (error,) = [answer for _, answer in found if isinstance(answer, Unavailable)]
    assert "KeyError" in str(error)
    assert "secret" not in str(error)
