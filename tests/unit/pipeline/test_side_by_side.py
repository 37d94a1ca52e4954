"""Resources are asked beside each other: one that hangs holds up no other."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.errors import NoAnswer, Unavailable
from shared.domain.model import RemoteBatch
from shared.pipeline.poll import polling
from shared.pipeline.poll import side_by_side as module
from tests.reliability.simulation import table
from tests.reliability.two_resources import spread


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
    assert isinstance(silent, NoAnswer)


def test_the_only_resource_asked_is_left_to_the_next_tick_too_unless_there_is_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.1)

    def slow() -> Iterator[RemoteBatch]:
        time.sleep(0.5)
        yield _batch("late")

    app: Any = _App()
    ((account, answer),) = module.side_by_side(app, {"slow": slow()})
    assert account == "slow"
    assert isinstance(answer, NoAnswer)

    heard = [answer for _, answer in module.side_by_side(app, {"slow": slow()}, alone=True)]
    assert [answer.batch_id for answer in heard if isinstance(answer, RemoteBatch)] == ["late"]


@pytest.mark.parametrize(("hosts", "alone"), [((), True), (("west.openai.azure.com",), False)])
def test_a_resource_is_alone_where_the_settings_name_no_other(
    monkeypatch: pytest.MonkeyPatch, hosts: tuple[str, ...], alone: bool
) -> None:
    simulation, _ = spread(*hosts)
    app = simulation.host()
    simulation.event(app, simulation.drop("a.csv", table("ab")))
    told = []

    def noting(app: Any, questions: Any, *, alone: bool) -> Any:
        told.append((len(questions), alone))
        return module.side_by_side(app, questions, alone=alone)

    monkeypatch.setattr(polling, "side_by_side", noting)
    simulation.tick(app)
    assert told == [(1, alone)]


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
