"""The Batch API: batches created, shown, listed and cancelled."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from local.batch_service import own_storage, quota
from local.batch_service.batch_record import BlobSource, StoredBatch, batch_object
from local.batch_service.batch_table import BatchTable
from local.batch_service.clock import Clock
from local.batch_service.database import Database
from local.batch_service.errors import ServiceError, invalid_payload
from local.batch_service.files import Files
from local.batch_service.new_batch import NewBatch
from local.batch_service.paging import Page, page_after
from local.batch_service.scenario import BatchRule
from local.batch_service.scripts import Script, Scripts
from local.batch_service.timeline import Plan, stage_at
from local.batch_service.validation import Check, check_file
from local.batch_service.work import Work
from local.batch_service.workplace import Workplace, keep

Json = dict[str, Any]


@dataclass(frozen=True)
class Timings:
    """How long things take where the scenario says nothing, in seconds."""

    processing: float = 1.0
    validating: float = 2.0
    running: float = 4.0
    finalizing: float = 2.0
    cancelling: float = 1.0


class Batches:
    """All batches of the resource."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        files: Files,
        scripts: Scripts,
        folder: Path,
        blobs: own_storage.Blobs | None,
        timings: Timings,
    ) -> None:
        self._database, self._clock, self._files, self._scripts = database, clock, files, scripts
        self._blobs, self._timings = blobs, timings
        self._workplace = Workplace(folder)
        self._table = BatchTable(database)
        self._works: dict[str, Work] = {}
        self._works_lock = threading.Lock()
        self._stopping = threading.Event()

    def clear(self) -> None:
        """Forget every batch."""
        self.close()
        self._table.clear()
        with self._works_lock:
            self._works.clear()
            self._stopping = threading.Event()
        self._workplace.clear()

    def stop(self) -> None:
        """Let all work end soon; what is asked for meanwhile is answered with 503."""
        self._stopping.set()

    def close(self) -> None:
        """End all work and wait for its end."""
        self.stop()
        with self._works_lock:
            works = list(self._works.values())
        for work in works:
            work.join()

    def create(self, new: NewBatch) -> tuple[Json, dict[str, str]]:
        """Create a batch; return its object and the quota's headers. Raises ServiceError where it is refused."""
        now, script = self._clock.now(), self._scripts.current
        batch_id = f"batch_{uuid.uuid4()}"
        folder = self._workplace.make(batch_id)
        try:
            source, filename = self._take_input(new, folder / "input", script, now)
            if source is not None and source.etag is None:
                check = Check(0, 0, None, (own_storage.UNREADABLE,))
            else:
                check = check_file(folder / "input", new.endpoint, script.scenario, folder / "offsets")
            with self._table.lock:
                headers = self._check_quota(check, script, now)
                rule = script.batch_rule(check.deployment or "", filename, new.metadata or {})
                batch = self._new_record(batch_id, new, now, check, script, rule, source)
                self._table.save(batch)
        except ServiceError:
            self._workplace.remove(batch_id)
            raise
        return batch_object(batch, stage_at(batch.plan, now)), headers

    def get(self, batch_id: str) -> Json:
        """Return the batch as it is now; raises ServiceError 404 where there is none."""
        return self._shown(batch_id, self._clock.now())

    def page(
        self, matches: Callable[[Json], bool], order: tuple[str, bool], after: str | None, limit: int
    ) -> tuple[Page[Json], dict[str, str]]:
        """Return one page of batch objects and the headers about the quota."""
        now = self._clock.now()
        self._settle(now)
        listed = [batch for batch in self._table.all() if now >= batch.created_at + batch.rule.listed_after]
        # What a scenario does to an object's look must not hide the batch from a filter.
        plain = [(batch, batch_object(replace(batch, rule=BatchRule()), stage_at(batch.plan, now))) for batch in listed]
        kept = [(batch, shown) for batch, shown in plain if matches(shown)]
        field, descending = order
        kept.sort(key=lambda pair: _sort_key(pair[1][field], pair[0].number), reverse=descending)
        page = page_after([batch for batch, _ in kept], after, limit, lambda batch: batch.id)
        return Page([self._shown(batch.id, now) for batch in page.items], page.more), self._list_headers(
            page.items, now
        )

    def cancel(self, batch_id: str) -> Json:
        """Cancel the batch; raises ServiceError where it has ended already. Asking twice changes nothing."""
        self._work_until(batch_id)
        now = self._clock.now()
        with self._table.lock:
            batch = self._table.find(batch_id)
            stage = stage_at(batch.plan, now)
            if stage.terminal:
                raise ServiceError(409, "conflict", f"Cannot cancel a batch with status '{stage.status}'.")
            if batch.plan.cancel_at is None:
                self._table.save(replace(batch, plan=replace(batch.plan, cancel_at=now)))
        return self._shown(batch_id, now)

    def work_all(self) -> None:
        """Bring every batch up to the present."""
        for batch in self._table.all():
            self._work_until(batch.id)

    def totals(self) -> dict[str, int]:
        """Return how many batches there are, and how many of them are open."""
        now, batches = self._clock.now(), self._table.all()
        open_now = sum(1 for batch in batches if not stage_at(batch.plan, now).terminal)
        return {"batches": len(batches), "open_batches": open_now}

    def _take_input(self, new: NewBatch, target: Path, script: Script, now: float) -> tuple[BlobSource | None, str]:
        """Put the input where the batch keeps it; return its blob, if it is one, and its name."""
        if new.input_blob is not None:
            return own_storage.take_input(self._blobs, new, target, script.scenario.limits)
        file = self._files.find(new.input_file_id or "")
        if file is None:
            raise invalid_payload(f"The file '{new.input_file_id}' was not found.")
        status = file.status(now)
        if status != "processed":
            text = f"The file '{file.id}' can't be used yet: its status is '{status}', and it must be 'processed'."
            raise ServiceError(400, "unexpectedEntityState", text)
        keep(self._files.path(file.id), target)
        return None, file.filename

    def _check_quota(self, check: Check, script: Script, now: float) -> dict[str, str]:
        self._settle(now)
        limit = script.quota.get(check.deployment or "")
        enqueued = quota.held(self._table.all(), check.deployment, now) + check.tokens
        if limit is not None and limit.mode == "immediate" and enqueued > limit.tokens:
            raise quota.refusal(check.deployment, limit, script.scenario.platform)
        return quota.headers(enqueued, limit)

    def _new_record(
        self,
        batch_id: str,
        new: NewBatch,
        now: float,
        check: Check,
        script: Script,
        rule: BatchRule,
        source: BlobSource | None,
    ) -> StoredBatch:
        faults = tuple(rule.fail) if rule.fail is not None else check.faults
        limit = script.quota.get(check.deployment or "")
        usual = self._timings
        plan = Plan(
            created_at=now,
            validating=_first(rule.validating, usual.validating),
            running=_first(rule.running, usual.running),
            finalizing=_first(rule.finalizing, usual.finalizing),
            cancelling=_first(rule.cancelling, usual.cancelling),
            fails=bool(faults),
            expires_with=rule.expire,
            waits_for_work=script.scenario.answers is not None,
            ends_in_window=script.scenario.platform == "openai",
        )
        return StoredBatch(
            id=batch_id,
            number=len(self._table.all()) + 1,
            plan=plan,
            endpoint=new.endpoint,
            input_file_id=new.input_file_id,
            metadata=new.metadata,
            api_version=new.api_version,
            output_expires=new.output_expires,
            rows=check.rows,
            tokens=check.tokens,
            deployment=check.deployment,
            faults=faults,
            quota=limit if limit is not None and limit.mode == "late" and not faults else None,
            scenario_id=script.id,
            rule=rule,
            source=source,
        )

    def _settle(self, now: float) -> None:
        """Decide, in the order of creation, which batches validation has refused by now for lack of quota."""
        if not self._table.any_waiting:
            return
        with self._table.lock:
            earlier: list[StoredBatch] = []
            for batch in self._table.all():
                if batch.quota is not None and now >= batch.plan.validated_at:
                    enqueued = quota.held(earlier, batch.deployment, batch.plan.validated_at) + batch.tokens
                    over = enqueued > batch.quota.tokens
                    platform = self._scripts.of(batch.scenario_id).scenario.platform
                    faults = (quota.fault(batch.deployment, batch.quota, platform),) if over else ()
                    batch = replace(batch, quota=None, faults=faults, plan=replace(batch.plan, fails=over))
                    self._table.save(batch)
                earlier.append(batch)

    def _work_until(self, batch_id: str) -> None:
        """Bring one batch up to the present."""
        self._settle(self._clock.now())
        batch = self._table.find(batch_id)
        if batch.delivered:
            return
        with self._works_lock:
            work = self._works.get(batch_id)
            if work is None:
                script = self._scripts.of(batch.scenario_id)
                work = self._works[batch_id] = Work(
                    batch_id,
                    script,
                    self._table,
                    self._clock,
                    self._database,
                    self._workplace,
                    self._files,
                    self._blobs,
                    self._stopping,
                )
        work.advance()
        if self._table.find(batch_id).delivered:
            with self._works_lock:
                self._works.pop(batch_id, None)

    def _shown(self, batch_id: str, now: float) -> Json:
        """Return the batch's object at `now`, which is when its work was brought up to."""
        self._work_until(batch_id)
        batch = self._table.find(batch_id)
        stage = stage_at(batch.plan, now)
        if stage.terminal and not batch.delivered:
            # The end came between the work and this look: it is told at the next one.
            self._work_until(batch_id)
            batch = self._table.find(batch_id)
        return batch_object(batch, stage_at(batch.plan, now))

    def _list_headers(self, batches: list[StoredBatch], now: float) -> dict[str, str]:
        names = {batch.deployment for batch in batches}
        if len(names) != 1:
            return {}
        (name,) = names
        enqueued = quota.held(self._table.all(), name, now)
        return quota.headers(enqueued, self._scripts.current.quota.get(name or ""))


def _first(given: float | None, usual: float) -> float:
    return usual if given is None else given


def _sort_key(value: Any, number: int) -> tuple[bool, Any, int]:
    return value is not None, value if value is not None else 0, number
