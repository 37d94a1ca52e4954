"""The accounts of a soak: what dropped files became, what the service billed, and whether both balance."""

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.soak.trouble import LOST
from local.batch_service.server import RunningService
from shared.domain import blob_names
from shared.domain.model import BatchState
from shared.domain.ports import App, Container

ENDED = ("completed", "failed", "cancelled")


class Accounts:
    """All jobs' status.json, and all rows that the service billed."""

    def __init__(self, app: App, service: RunningService, newest: Mapping[str, str]) -> None:
        """`newest`: the job of each prompt file's present version, by the file's name."""
        self._app, self._newest = app, newest
        self._billed = service.journal().billed
        self._batches = self._remote_batches()
        history = app.store.history(after="", limit=100_000, state="", prefix="")
        self._statuses = {job.job_id: self._status(job.prompt_file, job.job_id) for job, _ in history}

    def faults(self) -> list[str]:
        """Return whatever does not balance, a line each."""
        found = [
            f"job {listed.entry.job_id} is still open: {self._why(listed.entry.job_id)}"
            for listed in self._app.store.all_listed()
        ]
        for name, job_id in self._newest.items():
            if self._statuses.get(job_id, {}).get("state") not in ENDED:
                found.append(f"{name}: its job {job_id} has not ended")
        for status in self._statuses.values():
            if status["state"] in ENDED:
                found += [f"job {status['job_id']}: {fault}" for fault in self._job_faults(status)]
        return [*found, *self._paid_twice(), *self._asked_though_answered(), *self._used_otherwise()]

    def summary(self) -> dict[str, str]:
        """Return what there was, a line each."""
        states = Counter(status["state"] for status in self._statuses.values())
        rows = Counter[str]()
        errors = Counter[str]()
        for status in self._statuses.values():
            rows.update({key: count or 0 for key, count in status["rows"].items()})
            errors.update(status["errors"])
        keys = {self._key(row["batch_id"]) for row in self._billed}
        retries = sum(status["retry_of"] is not None for status in self._statuses.values())
        return {
            "jobs": f"{len(self._statuses)}, {retries} of them retries: {_listed(states)}",
            "rows": f"{rows['total']}: {rows['succeeded']} succeeded, {rows['failed']} failed ({_listed(errors)})",
            "billed": f"{len(self._billed)} rows in {len(keys)} of (job, batch index, attempt)",
        }

    def _why(self, job_id: str) -> str:
        """Return what an open job and its batches wait for."""
        job = self._app.store.job(job_id)
        if job is None:
            return "it has no row"
        batches = [batch for batch in self._app.store.batches(job_id) if batch.state is not BatchState.COLLECTED]
        waits = [(batch.key, batch.state, batch.status, batch.wait, batch.queued_until) for batch in batches]
        return f"{job.state}, {job.wait}, {job.queued_until}, {waits}"

    def _job_faults(self, status: Mapping[str, Any]) -> Iterator[str]:
        folder = f"{blob_names.results_name(status['prompt_file'])}/{status['job_id']}/"
        results = [line["row"] for line in self._lines(folder + "results.jsonl")]
        errors = self._lines(folder + "errors.jsonl")
        failed = [line["error"]["row"] for line in errors]
        rows = status["rows"]
        if sorted([*results, *failed]) != list(range(1, (rows["total"] or 0) + 1)):
            yield f"{len(results)} results and {len(errors)} errors of {rows['total']} rows"
        if results != sorted(results) or failed != sorted(failed):
            yield "rows are out of order"
        if (len(results), len(errors), 0) != (rows["succeeded"], rows["failed"], rows["pending"]):
            yield f"status.json counts {rows}, its files {len(results)} and {len(errors)}"
        if Counter(line["error"]["code"] for line in errors) != Counter(status["errors"]):
            yield f"status.json names {status['errors']}, errors.jsonl otherwise"
        text = self._read(folder + "results.csv").decode("utf-8-sig")
        lines = sum(1 for _ in csv.reader(io.StringIO(text, newline=""))) - 1
        if max(lines, 0) != len(results) + len(errors):
            yield f"results.csv has {lines} rows of {rows['total']}"

    def _paid_twice(self) -> Iterator[str]:
        made, asked = defaultdict(set), Counter[tuple[tuple[str, ...], str]]()
        for row in self._billed:
            key = self._key(row["batch_id"])
            made[key].add(row["batch_id"])
            asked[key, row["custom_id"]] += 1
        yield from (f"{'/'.join(key)} was billed in {len(ids)} batches" for key, ids in made.items() if len(ids) > 1)
        yield from (f"{'/'.join(key)}: {row} was billed {n} times" for (key, row), n in asked.items() if n > 1)

    def _asked_though_answered(self) -> Iterator[str]:
        """Yield rows that a retry asked for although a job before it had their answer."""
        for job_id, status in self._statuses.items():
            number = int(job_id.rpartition("-r")[2]) if status["retry_of"] else 0
            before = f"{status['retry_of']}-r{number - 1}" if number > 1 else status["retry_of"]
            if before not in self._statuses:
                continue
            folder = f"{blob_names.results_name(status['prompt_file'])}/{before}/"
            answered = {line["custom_id"] for line in self._lines(folder + "results.jsonl")}
            asked = {row["custom_id"] for row in self._billed if self._key(row["batch_id"])[0] == job_id}
            if again := answered & asked:
                yield f"job {job_id} asked again for {len(again)} rows that {before} had the answers of"

    def _used_otherwise(self) -> Iterator[str]:
        """Yield jobs whose usage is not what the service billed, but for answers that it lost itself."""
        billed: dict[str, Counter[str]] = defaultdict(Counter)
        lost: dict[str, Counter[str]] = defaultdict(Counter)
        for row in self._billed:
            tokens = {"input_tokens": row["prompt_tokens"], "output_tokens": row["completion_tokens"]}
            job_id = self._key(row["batch_id"])[0]
            billed[job_id].update(tokens)
            if row["custom_id"].endswith(LOST):
                lost[job_id].update(tokens)
        for job_id, status in self._statuses.items():
            for what in ("input_tokens", "output_tokens"):
                most, used = billed[job_id][what], status["usage"][what]
                if not most - lost[job_id][what] <= used <= most:
                    yield f"job {job_id} says that it used {used} {what}, but was billed {most}"

    def _key(self, batch_id: str) -> tuple[str, str, str]:
        metadata = self._batches[batch_id]
        return metadata["job"], metadata["index"], metadata["attempt"]

    def _remote_batches(self) -> dict[str, Mapping[str, str]]:
        found: dict[str, Mapping[str, str]] = {}
        after = ""
        while True:
            page, after = self._app.services.at(self._app.settings.own_target("")).page(after)
            found.update({remote.batch_id: remote.metadata for remote in page})
            if not after:
                return found

    def _status(self, prompt_file: str, job_id: str) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self._read(blob_names.status_file(prompt_file, job_id)))
        return status

    def _lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._read(name).split(b"\n") if line]

    def _read(self, name: str) -> bytes:
        return b"".join(self._app.files.read(Container.RESULTS, name))


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.most_common())
