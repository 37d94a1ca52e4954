"""A state machine that uploads, creates, cancels, waits and looks, in any order, and knows what must hold then."""

import io
from contextlib import ExitStack
from typing import Any, ClassVar

import openai
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from openai import OpenAI
from openai.types import Batch

from local.batch_service.server import RunningService, running_service
from tests.batch_service.conftest import jsonl, lines_of, rows

FORWARD = {
    "validating": {
        "validating",
        "in_progress",
        "finalizing",
        "completed",
        "failed",
        "expired",
        "cancelling",
        "cancelled",
    },
    "in_progress": {"in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"},
    "finalizing": {"finalizing", "completed", "cancelling", "cancelled"},
    "cancelling": {"cancelling", "cancelled"},
    **{end: {end} for end in ("completed", "failed", "expired", "cancelled")},
}
TERMINAL = ("completed", "failed", "expired", "cancelled")
LIMIT = 2_000
BATCHES: list[dict[str, Any]] = [{"filename": "slow*", "running": 100}, {"filename": "expiring*", "expire": 0.5}]
ROWS = [{"custom_id": "task-3", "outcome": "error"}]


class BatchMachine(RuleBasedStateMachine):
    """Drives one service; the model of it is the last status seen of each batch."""

    service: ClassVar[RunningService]
    files = Bundle("files")
    batches = Bundle("batches")

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.service.reset()
        self.service.scenario({"batches": BATCHES, "rows": ROWS})
        self.service.quota("gpt-4o-batch", LIMIT, "immediate")
        self.client = self.stack.enter_context(OpenAI(base_url=f"{self.service.url}/v1", api_key="k", max_retries=0))
        self.seen: dict[str, Batch] = {}
        self.counts: dict[str, int] = {}
        self.refusals: set[str] = set()

    def teardown(self) -> None:
        self.stack.close()

    @rule(target=files, count=st.integers(0, 6), name=st.sampled_from(["a", "slow", "expiring"]), good=st.booleans())
    def upload(self, count: int, name: str, good: bool) -> tuple[str, int]:
        content = jsonl(rows(count)) + (b"" if good else b"{\n")
        file = self.client.files.create(file=(f"{name}.jsonl", io.BytesIO(content)), purpose="batch")
        return file.id, count if good else 0

    @rule(target=batches, file=files)
    def create(self, file: tuple[str, int]) -> str | None:
        try:
            batch = self.client.batches.create(
                input_file_id=file[0], endpoint="/v1/chat/completions", completion_window="24h"
            )
        except openai.BadRequestError as refused:
            self.refusals.add(str(refused.body))
            return None
        assert batch.status == "validating"
        self.seen[batch.id] = batch
        self.counts[batch.id] = file[1]
        return batch.id

    @rule(seconds=st.sampled_from([0.5, 1, 3, 30, 90_000]))
    def wait(self, seconds: float) -> None:
        self.service.advance(seconds)

    @rule(batch_id=batches)
    def look(self, batch_id: str | None) -> None:
        if batch_id is not None:
            self._saw(self.client.batches.retrieve(batch_id))

    @rule(batch_id=batches)
    def cancel(self, batch_id: str | None) -> None:
        if batch_id is None:
            return
        try:
            batch = self.client.batches.cancel(batch_id)
        except openai.ConflictError:
            assert self.client.batches.retrieve(batch_id).status in TERMINAL
            return
        assert batch.status in ("cancelling", "cancelled")
        self._saw(batch)

    @rule()
    def list(self) -> None:
        listed = [*self.client.batches.list(limit=3)]
        assert {batch.id for batch in listed} == set(self.seen)
        for batch in listed:
            self._saw(batch)

    @invariant()
    def batches_are_refused_for_two_reasons_only(self) -> None:
        assert all("processed" in text or "token_limit_exceeded" in text for text in self.refusals)

    @invariant()
    def the_journal_balances(self) -> None:
        journal = self.service.journal()
        assert journal.totals["batches"] == len(self.seen)
        pairs = [(paid["batch_id"], paid["custom_id"]) for paid in journal.billed]
        assert len(pairs) == len(set(pairs))

    def _saw(self, batch: Batch) -> None:
        before = self.seen[batch.id]
        assert batch.status in FORWARD[before.status]
        self.seen[batch.id] = batch
        assert batch.request_counts
        done = batch.request_counts.completed + batch.request_counts.failed
        assert before.request_counts
        assert done >= before.request_counts.completed + before.request_counts.failed
        if batch.status in TERMINAL:
            self._has_ended(batch, done)

    def _has_ended(self, batch: Batch, done: int) -> None:
        times = [batch.created_at, batch.in_progress_at, batch.finalizing_at, batch.cancelling_at]
        times.append(getattr(batch, f"{batch.status}_at"))
        known = [at for at in times if at is not None]
        assert known == sorted(known)
        output, errors = lines_of(self.client, batch.output_file_id), lines_of(self.client, batch.error_file_id)
        assert batch.request_counts
        assert (len(output), len(errors)) == (batch.request_counts.completed, batch.request_counts.failed)
        if batch.status == "completed":
            assert done == self.counts[batch.id]
        paid = [entry for entry in self.service.journal().billed if entry["batch_id"] == batch.id]
        assert {entry["custom_id"] for entry in paid} == {line["custom_id"] for line in output}


def test_no_order_of_steps_breaks_the_service() -> None:
    with running_service(frozen=True) as service:
        BatchMachine.service = service
        test = BatchMachine.TestCase
        test.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
        test().runTest()
