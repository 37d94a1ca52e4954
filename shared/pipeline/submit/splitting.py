"""A batch that can never fit into its deployment's quota → two halves."""

import logging
from dataclasses import replace

from shared.domain import blob_names
from shared.domain.model import Batch, BatchState
from shared.domain.ports import App
from shared.pipeline.claims import Claim
from shared.pipeline.collect.downloads import delete_input
from shared.pipeline.outcome_files import work_lines
from shared.requests.batch_file import BatchFileWriter, read_requests
from shared.requests.request_lines import part_of

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
    return Batch(
        job_id=batch.job_id,
        index=index,
        attempt=batch.attempt,
        state=BatchState.PREPARED,
        model=batch.model,
        url=batch.url,
        requests=requests,
    )


def _write(app: App, claim: Claim[Batch], halves: list[Batch]) -> list[Batch]:
    whole = claim.record
    blocks = read_requests(
        whole,
        work_lines(app, blob_names.batch_input(whole)),
        work_lines(app, blob_names.batch_rows(whole)),
    )
    first, second = (BatchFileWriter.begin(app.files, half) for half in halves)
    left = halves[0].requests
    for block in claim.keeping(blocks):
        count = len(block.ids)
        cut = min(left, count)
        if cut:
            first.add(part_of(block, 0, cut))
        if cut < count:
            second.add(part_of(block, cut, count))
        left -= cut
    claim.keep()
    return [first.commit(), second.commit()]
