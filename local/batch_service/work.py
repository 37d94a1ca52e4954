"""The work on a running batch: rows executed up to the present, and the results delivered at the end."""

import random
import threading
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from local.batch_service import json_text, own_storage
from local.batch_service.answers import mark_of, uuid_of
from local.batch_service.batch_record import StoredBatch
from local.batch_service.batch_table import BatchTable
from local.batch_service.clock import Clock
from local.batch_service.database import Database
from local.batch_service.errors import default_error
from local.batch_service.execution import Done, Executor, never_run_line
from local.batch_service.files import Files
from local.batch_service.in_order import in_order
from local.batch_service.model_elsewhere import ModelElsewhere
from local.batch_service.scripts import Script
from local.batch_service.timeline import Stage, stage_at
from local.batch_service.workplace import Workplace

CHUNK = 1000
"""So many rows are executed between two writings of the batch's progress."""
STOPS_WITHIN = 10.0
UNRUN = {
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
    "cancelled": ("batch_cancelled", "This request was not executed because the batch was cancelled."),
}


class Work:
    """The work on one batch. It may be advanced from any thread, and twice at once."""

    def __init__(
        self,
        batch_id: str,
        script: Script,
        table: BatchTable,
        clock: Clock,
        database: Database,
        workplace: Workplace,
        files: Files,
        blobs: own_storage.Blobs | None,
        stopping: threading.Event,
    ) -> None:
        self._id, self._script, self._table, self._clock = batch_id, script, table, clock
        self._database, self._workplace, self._files, self._blobs = database, workplace, files, blobs
        self._lock = threading.Lock()
        self._order: array[int] | None = None
        self._elsewhere: threading.Thread | None = None
        self._stopping = stopping

    def advance(self) -> None:
        """Execute the rows that are due by now, and deliver the results once the batch has ended."""
        with self._lock:
            self._look_at_blob()
            batch = self._table.find(self._id)
            if batch.delivered:
                return
            stage = stage_at(batch.plan, self._clock.now())
            if batch.plan.waits_for_work:
                self._start_elsewhere(batch, stage)
            else:
                self._execute(batch, int(stage.share * batch.rows + 1e-9))
            if stage.terminal:
                self._deliver(self._table.find(self._id), stage)

    def join(self) -> None:
        """Wait for the end of all work, once the service is stopping; what was asked elsewhere last is given up."""
        with self._lock:
            pass  # the thread that held it has ended its chunk of rows, and begins no other
        if self._elsewhere is not None:
            self._elsewhere.join(STOPS_WITHIN)

    def _look_at_blob(self) -> None:
        """Break the batch if its input blob has changed while it ran."""
        batch, now = self._table.find(self._id), self._clock.now()
        source = batch.source
        if source is None or source.etag is None or self._blobs is None:
            return
        if (
            stage_at(batch.plan, now).status in ("validating", "in_progress")
            and self._blobs.etag(source.input_blob) != source.etag
        ):
            plan = replace(batch.plan, broken_at=now)
            self._table.save(replace(batch, plan=plan, faults=(own_storage.MODIFIED,)))

    def _execute(self, batch: StoredBatch, due: int) -> None:
        if batch.executed >= due:
            return
        executor = self._executor(batch, None)
        for start in range(batch.executed, due, CHUNK):
            if self._stopping.is_set():
                raise default_error(503)
            lines = list(self._lines(batch, start, min(start + CHUNK, due)))
            self._keep(map(executor.run, lines))

    def _start_elsewhere(self, batch: StoredBatch, stage: Stage) -> None:
        """Let a thread ask the other endpoint, unless one does already or there is nothing to ask."""
        running = self._elsewhere is not None and self._elsewhere.is_alive()
        if stage.status == "in_progress" and batch.plan.worked_at is None and not running:
            self._elsewhere = threading.Thread(target=self._ask_elsewhere, daemon=True)
            self._elsewhere.start()

    def _ask_elsewhere(self) -> None:
        forwarding = self._script.scenario.answers
        assert forwarding is not None
        batch = self._table.find(self._id)
        with ModelElsewhere(forwarding, self._stopping) as model:
            run = self._executor(batch, model).run
            lines = self._lines(batch, batch.executed, batch.rows)
            for done in in_order(run, lines, forwarding.concurrency, self._may_go_on):
                with self._lock:
                    if not self._may_go_on():
                        return
                    self._keep(done)
        with self._lock:
            batch = self._table.find(self._id)
            if self._may_go_on() and batch.executed == batch.rows:
                self._table.save(replace(batch, plan=replace(batch.plan, worked_at=self._clock.now())))

    def _may_go_on(self) -> bool:
        if self._stopping.is_set():
            return False
        batch = self._table.find(self._id)
        return stage_at(batch.plan, self._clock.now()).status == "in_progress"

    def _keep(self, rows: Iterable[Done]) -> None:
        """Write the lines of executed rows, and then the progress that counts them."""
        batch, done = self._table.find(self._id), list(rows)
        folder = self._workplace.folder(batch.id)
        _write_at(folder / "output", batch.output_bytes, (row.output for row in done))
        _write_at(folder / "errors", batch.error_bytes, (row.error for row in done))
        batch = replace(
            batch,
            executed=batch.executed + len(done),
            failed=batch.failed + sum(row.failed for row in done),
            output_bytes=batch.output_bytes + sum(len(row.output) for row in done),
            error_bytes=batch.error_bytes + sum(len(row.error) for row in done),
        )
        self._table.save(batch, [row.billed for row in done if row.billed is not None])

    def _deliver(self, batch: StoredBatch, stage: Stage) -> None:
        """Turn the results so far into files or blobs, and end the work."""
        if stage.status != "failed":
            batch = self._with_unrun(batch, stage)
            batch = self._to_files(batch, stage) if batch.source is None else self._to_blobs(batch)
        self._table.save(replace(batch, delivered=True))
        self._workplace.remove(batch.id)

    def _with_unrun(self, batch: StoredBatch, stage: Stage) -> StoredBatch:
        if batch.rule.unrun_rows == "absent" or stage.status not in UNRUN or not batch.deployment:
            return batch
        code, text = UNRUN[stage.status]
        ids = (json_text.read(line)["custom_id"] for line in self._lines(batch, batch.executed, batch.rows))
        size = _write_at(
            self._workplace.folder(batch.id) / "errors",
            batch.error_bytes,
            (never_run_line(name, code, text) for name in ids),
        )
        return replace(batch, error_bytes=batch.error_bytes + size)

    def _to_files(self, batch: StoredBatch, stage: Stage) -> StoredBatch:
        whole = stage.status == "completed"
        output, errors = batch.output_bytes > 0, batch.error_bytes > 0
        output = output or (whole and batch.rule.all_failed_output == "empty_file")
        errors = errors or (whole and batch.rule.error_file == "always")
        nothing = "" if whole and batch.rule.all_failed_output == "empty_id" else None
        ended = getattr(stage, f"{stage.status}_at")
        return replace(
            batch,
            output_file_id=self._to_file(batch, "output", ended) if output else nothing,
            error_file_id=self._to_file(batch, "errors", ended) if errors else None,
        )

    def _to_file(self, batch: StoredBatch, kind: str, ended: float) -> str:
        # The id follows from the batch, so that a delivery that was broken off can be done again.
        file_id = f"file-{uuid_of(mark_of(batch.id, kind))}"
        source = self._workplace.folder(batch.id) / kind
        if not self._files.path(file_id).exists():
            _write_at(source, batch.output_bytes if kind == "output" else batch.error_bytes, ())
        name = f"{batch.id}_{'output' if kind == 'output' else 'errors'}.jsonl"
        self._files.add_output(file_id, source, name, ended, batch.output_expires)
        return file_id

    def _to_blobs(self, batch: StoredBatch) -> StoredBatch:
        assert batch.source is not None
        assert self._blobs is not None
        folder = self._workplace.folder(batch.id)
        try:
            if batch.output_bytes:
                self._blobs.upload(folder / "output", batch.source.output_blob)
            if batch.error_bytes:
                self._blobs.upload(folder / "errors", batch.source.error_blob)
        except own_storage.BlobRefusedError:
            return replace(
                batch, plan=replace(batch.plan, broken_at=self._clock.now()), faults=(own_storage.UNWRITABLE,)
            )
        return batch

    def _executor(self, batch: StoredBatch, model: ModelElsewhere | None) -> Executor:
        return Executor(
            batch_id=batch.id,
            scenario=self._script.scenario,
            scenario_id=self._script.id,
            api_version=batch.api_version,
            created=int(batch.plan.validated_at),
            tries=self._database,
            recorded=self._script.recorded,
            elsewhere=model,
        )

    def _lines(self, batch: StoredBatch, start: int, end: int) -> Iterator[bytes]:
        """Return the request lines that are executed as number `start` to `end`."""
        if self._order is None:
            self._order = _order_of(batch, self._workplace.folder(batch.id) / "offsets")
        with (self._workplace.folder(batch.id) / "input").open("rb") as source:
            for offset in self._order[start:end]:
                source.seek(offset)
                yield source.readline()


def _order_of(batch: StoredBatch, offsets: Path) -> array[int]:
    """Return where the rows lie, in the order of execution: the same for the same file, and never the file's."""
    starts = array("Q", offsets.read_bytes())
    if batch.rule.row_order == "input":
        return starts
    shuffled = array("Q", starts)
    random.Random(f"{batch.rows}/{batch.tokens}").shuffle(shuffled)
    if shuffled == starts and len(starts) > 1:
        shuffled.reverse()
    return shuffled


def _write_at(path: Path, position: int, parts: Iterable[bytes]) -> int:
    """Write at a position and cut off what lay behind it: what a killed process had not counted yet."""
    with path.open("r+b" if path.exists() else "w+b") as file:
        return _write(file, position, parts)


def _write(file: BinaryIO, position: int, parts: Iterable[bytes]) -> int:
    file.seek(position)
    file.truncate()
    file.writelines(parts)
    return file.tell() - position
