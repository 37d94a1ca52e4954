"""A batch that can never fit into its deployment's quota → two halves."""

import logging
from dataclasses import replace

from shared.domain import blob_names
from shared.domain.model import Batch, BatchState
from shared.domain.ports import App, BlobWriter, Container
from shared.pipeline.claims import Claim
from shared.pipeline.collect.downloads import delete_input
from shared.pipeline.outcome_files import work_lines
from shared.requests.batch_file import read_rows, row_line

log = logging.getLogger("structuredbatch.submission")


def split(app: App, claim: Claim[Batch]) -> None:
    """Put the batch's requests into two new batches of the same attempt; itself, it is done."""
    batch = claim.record
    job = app.store.job(batch.job_id)
    assert job is not None  # It has a batch.
    # Indices that no other split can give, as two of them may go on side by side and write their halves' files.
    index = job.shards + 2 * batch.index
    first = batch.requests // 2
    sizes = (first, batch.requests - first)
    halves = [_half(batch, index + number, requests) for number, requests in enumerate(sizes)]
    halves = _write(app, claim, halves)
    job = app.store.job(batch.job_id) or job
    done = replace(
        claim.record,
        state=BatchState.COLLECTED,
        requests=0,
        lease=None,
        wait=None,
        batch_id="",
        status="",
        counts=(0, 0, 0),
        failure=None,
        message=f"Split into two batches, as {batch.requests} requests exceed the deployment's quota.",
    )
    app.store.finish_batch(job, done, halves)
    delete_input(app, claim.record)
    log.info("batch split", extra={"job_id": batch.job_id, "batch": batch.key, "requests": batch.requests})


def _half(batch: Batch, index: int, requests: int) -> Batch:
    share = batch.input_tokens * requests // batch.requests
    return Batch(
        job_id=batch.job_id,
        index=index,
        attempt=batch.attempt,
        state=BatchState.PREPARED,
        model=batch.model,
        url=batch.url,
        requests=requests,
        input_tokens=share,
    )


def _write(app: App, claim: Claim[Batch], halves: list[Batch]) -> list[Batch]:
    whole = claim.record
    requests = zip(
        work_lines(app, blob_names.batch_input(whole)),
        read_rows(work_lines(app, blob_names.batch_rows(whole))),
        strict=True,
    )
    written = []
    kept = claim.keeping(requests, every=512)
    for half in halves:
        lines, rows = _writers(app, half)
        size = 0
        for _ in range(half.requests):
            line, row = next(kept)
            lines.write(line + b"\n")
            rows.write(row_line(row) + b"\n")
            size += len(line) + 1
        claim.keep()
        lines.commit()
        rows.commit()
        written.append(replace(half, size=size))
    return written


def _writers(app: App, batch: Batch) -> tuple[BlobWriter, BlobWriter]:
    return (
        app.files.writer(Container.WORK, blob_names.batch_input(batch)),
        app.files.writer(Container.WORK, blob_names.batch_rows(batch)),
    )
