"""Sample jobs in every state, as they would stand in the app's table: for the status page's screenshots and tests."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from local.screenshots.sample_results import write_results
from shared.domain.model import Batch, BatchState, Job, JobCode, JobState, OpenJob, RowCode, Usage, Wait, newest_first
from shared.domain.ports import App, DeploymentBackoff
from shared.pipeline.reporting import close, publish
from testing.seeding import loaded

HOLD = (
    "The job is estimated at 4,812,000 input tokens, over MAX_JOB_INPUT_TOKENS (2,000,000). Release it to send it, or "
    "cancel it."
)
TRIAL = "A trial: 5 of 200 rows sent. A retry sends the other 195."
QUOTA = (
    "The deployment gpt-4o-batch has no room left for enqueued tokens (limit of 5M). The batch is sent when others "
    "have ended; ask for more quota to be quicker."
)
OWN, WEST = "contoso.openai.azure.com/gpt-4o-batch", "contoso-west.openai.azure.com/gpt-4o-batch"


def put(app: App, job: Job, batches: Sequence[Batch] = ()) -> None:
    """Write a job as the app itself would have left it: in the table, in its status.json, and in the list."""
    app.store.open_entry(OpenJob(job.job_id, job.prompt_file, job.source_etag, job.created_at))
    app.store.insert_job(job)
    app.store.add_batches(batches)
    records = loaded(app, job.job_id)
    if job.state.ended:
        write_results(app, job)
        close(records)
    else:
        publish(records)


def put_refusal(app: App, now: datetime) -> None:
    """Leave a target alone for a while, as it is after it refused the batch that waits among the sample jobs."""
    refused_at = (now - timedelta(minutes=7)).replace(microsecond=0)
    until = refused_at + timedelta(minutes=15)
    app.store.save_deployment_backoff(DeploymentBackoff(OWN, until, 5, message=QUOTA, refused_at=refused_at))


def sample_jobs(now: datetime) -> list[tuple[Job, list[Batch]]]:
    """Return jobs in every state, newest first, with their batches."""
    jobs = [
        _job(now, 1, "reviews/2026-11/week-47.csv", JobState.PREPARING, "5d20c6a1"),
        _running(now),
        _waiting(now),
        (_held(now), []),
        _collecting(now),
        _completed(now, 190, "buildings.csv", 3, {}, "gpt-4o-2024-08-06", "3f2a9c1b"),
        _completed(
            now,
            26 * 60,
            "catalogue/products.jsonl",
            48_210,
            {"refusal": 12, "content_filter": 7, "truncated": 31, "invalid_output": 4, "request_failed": 2},
            "gpt-4o-mini-2024-07-18",
            "9be04d77",
        ),
        _trial(now),
        _failed(now),
        _cancelled(now),
        _retry(now),
    ]
    found = [job if isinstance(job, tuple) else (job, []) for job in jobs]
    return sorted(found, key=lambda pair: newest_first(pair[0]))


def many_jobs(now: datetime, count: int) -> list[tuple[Job, list[Batch]]]:
    """Return so many jobs that have completed, the newest a minute old."""
    return [
        _completed(now, minutes, f"many/file-{minutes:05d}.csv", 10, {}, "gpt-4o-2024-08-06", f"{minutes:08x}")
        for minutes in range(1, count + 1)
    ]


def _job(now: datetime, minutes: float, name: str, state: JobState, tail: str, **more: Any) -> Job:
    created = (now - timedelta(minutes=minutes)).replace(microsecond=0)
    return Job(
        job_id=f"{created:%Y%m%dT%H%M%SZ}-{tail}",
        prompt_file=name,
        source_etag="0x8DE2A",
        state=state,
        created_at=created,
        updated_at=created,
        progress_at=created,
        **more,
    )


def _batch(job: Job, index: int, attempt: int, state: BatchState, requests: int, **more: Any) -> Batch:
    return Batch(
        job_id=job.job_id,
        index=index,
        attempt=attempt,
        state=state,
        model=more.pop("model", "gpt-4o-batch"),
        url="/chat/completions",
        requests=requests,
        target=more.pop("target", OWN),
        **more,
    )


def _submitted(job: Job, index: int, requests: int, completed: int, status: str, hours: float = 0) -> Batch:
    return _batch(
        job,
        index,
        1,
        BatchState.SUBMITTED,
        requests,
        batch_id=f"batch_{job.job_id[-8:]}{index:04d}-42f1-9c1e-0b7d5c1f2a90",
        status=status,
        counts=(requests, completed - completed // 400, completed // 400),
        created_at=job.created_at + timedelta(minutes=2) - timedelta(hours=hours),
    )


def _running(now: datetime) -> tuple[Job, list[Batch]]:
    job = _job(
        now,
        64,
        "support/tickets-2026-11-21.xlsx",
        JobState.RUNNING,
        "c41d8e02",
        built=True,
        first_batches=3,
        rows_total=25_000,
        warnings=(
            "Column Schema, rows 1 to 25000: additionalProperties: false was added, because strict schemas need it.",
        ),
    )
    done = replace(
        _submitted(job, 0, 10_000, 10_000, "completed"),
        state=BatchState.COLLECTED,
        succeeded=9_978,
        errors={RowCode.REFUSAL.value: 14, RowCode.CONTENT_FILTER.value: 8},
        usage=Usage(4_120_455, 902_310),
        cost_usd=9.6626,
    )
    return job, [
        done,
        _submitted(job, 1, 10_000, 6_240, "in_progress"),
        replace(_submitted(job, 2, 5_000, 0, "validating"), target=WEST),
    ]


def _waiting(now: datetime) -> tuple[Job, list[Batch]]:
    wait = Wait(until=now + timedelta(minutes=8), tries=5, message=QUOTA)
    job = _job(
        now, 95, "contracts/clauses.jsonl", JobState.WAITING, "e2b75f90", built=True, first_batches=1, rows_total=8_400
    )
    return job, [_batch(job, 0, 1, BatchState.PREPARED, 8_400, wait=wait)]


def _held(now: datetime) -> Job:
    return _job(
        now,
        120,
        "archive/letters.csv",
        JobState.HELD,
        "77aa0c3d",
        rows_total=61_300,
        message=HOLD,
        held_by="input_tokens",
        built=True,
        first_batches=1,
        input_tokens=4_812_000,
        settings=("archive/_job.json",),
    )


def _collecting(now: datetime) -> tuple[Job, list[Batch]]:
    job = _job(now, 175, "survey.csv", JobState.COLLECTING, "18c9ee54", built=True, first_batches=1, rows_total=1_200)
    return job, [replace(_submitted(job, 0, 1_200, 1_200, "completed"), state=BatchState.ENDED)]


def _completed(
    now: datetime, minutes: float, name: str, rows: int, errors: dict[str, int], model: str, tail: str
) -> tuple[Job, list[Batch]]:
    job = _job(
        now, minutes, name, JobState.COMPLETED, tail, built=True, first_batches=1, rows_total=rows, errors=errors
    )
    job = replace(
        job, rows_succeeded=rows - sum(errors.values()), completed_at=job.created_at + timedelta(minutes=minutes / 2)
    )
    batch = replace(
        _submitted(job, 0, rows, rows, "completed"),
        state=BatchState.COLLECTED,
        model=model,
        succeeded=job.rows_succeeded,
        errors=errors,
        usage=Usage(83 * rows, 27 * rows),
        cost_usd=round(0.000239 * rows, 6),
    )
    return job, [batch]


def _trial(now: datetime) -> tuple[Job, list[Batch]]:
    errors = {RowCode.NOT_SENT.value: 195}
    job, [batch] = _completed(now, 28 * 60, "support/new-prompt.csv", 200, errors, "gpt-4o-2024-08-06", "5ac0ffee")
    trial = replace(job, settings=("support/_job.json", "support/_answer.json"), message=TRIAL)
    sent = replace(batch, requests=5, counts=(5, 5, 0), errors={}, usage=Usage(415, 135), cost_usd=0.001195)
    return trial, [sent]


def _failed(now: datetime) -> tuple[Job, list[Batch]]:
    job = _job(
        now,
        31 * 60,
        "inbox/Übersetzungen.csv",
        JobState.FAILED,
        "0d41b7c8",
        built=True,
        code=JobCode.MISSING_COLUMN,
        message="inbox/Übersetzungen.csv has no column Prompt, and no prompt template is set in _job.json. "
        "Its columns are: Nr, Text, Sprache.",
        completed_at=now - timedelta(hours=31),
        rows_total=412,
        errors={RowCode.NOT_SENT.value: 412},
    )
    return job, []


def _cancelled(now: datetime) -> tuple[Job, list[Batch]]:
    job = _job(
        now,
        50 * 60,
        "experiments/temperature-sweep.jsonl",
        JobState.CANCELLED,
        "b6e1f3aa",
        built=True,
        first_batches=1,
        cancelled=True,
        message="The job was cancelled; answers that had arrived are in the results.",
        completed_at=now - timedelta(hours=49, minutes=12),
        rows_total=2_000,
        rows_succeeded=731,
        errors={RowCode.CANCELLED.value: 1_269},
    )
    batch = replace(
        _submitted(job, 0, 2_000, 731, "cancelled"),
        state=BatchState.COLLECTED,
        succeeded=731,
        errors=dict(job.errors),
        usage=Usage(64_010, 120_922),
        cost_usd=0.6847,
    )
    return job, [batch]


def _retry(now: datetime) -> tuple[Job, list[Batch]]:
    first = "20261119T071200Z-4f90d2c6"
    job, batches = _completed(now, 75 * 60, "news/articles.ndjson.gz", 640, {"refusal": 3}, "my-finetune", "4f90d2c6")
    renamed = replace(job, job_id=f"{first}-r1", retry_of=first, previous=first)
    paid = [replace(batch, job_id=renamed.job_id, cost_usd=0.0, unpriced_rows=637) for batch in batches]
    return renamed, paid
