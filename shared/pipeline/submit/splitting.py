"""A batch that can never fit into its deployment's quota → two halves."""

import logging
from dataclasses import replace
from datetime import timedelta

from shared.domain import blob_names
from shared.domain.errors import Unavailable
from shared.domain.model import Batch, BatchState
from shared.domain.ports import App
from shared.pipeline.claims import Claim, finish
from shared.pipeline.collect.downloads import delete_input
from shared.pipeline.outcome_files import work_lines
from shared.pipeline.records import JobRecords
from shared.requests.batch_file import BatchFileWriter, read_requests
from shared.requests.request_lines import part_of

log = logging.getLogger("structuredbatch.submission")


def split(records: JobRecords, claim: Claim[Batch]) -> None:
    """Put the batch's requests into two new batches of the same attempt; the batch itself is then done."""
    app = records.app
    batch = claim.record
    # Indices that no other split uses: two splits may run at the same time and write their halves' files.
    index = records.job.first_batches + 2 * batch.index
    first = batch.requests // 2
    sizes = (first, batch.requests - first)
    halves = [_half(batch, index + number, requests) for number, requests in enumerate(sizes)]
    halves = _write(app, claim, halves)
    if not finish(records, claim, lambda job, whole: (job, _done(whole), halves)):
        claim.release(queued_until=app.now() + timedelta(seconds=5))
        return
    delete_input(app, claim.record)
    log.info("batch split", extra={"job_id": batch.job_id, "batch": batch.key, "requests": batch.requests})


def _done(batch: Batch) -> Batch:
    """Return the batch that was split as done."""
    return replace(
        batch,
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


def _half(batch: Batch, index: int, requests: int) -> Batch:
    return Batch(
        job_id=batch.job_id,
        index=index,
        attempt=batch.attempt,
        state=BatchState.PREPARED,
        model=batch.model,
        url=batch.url,
        pilot=batch.pilot,
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
    if left:
        raise Unavailable(f"Batch {whole.key} must be split, but its work files are gone")
    claim.keep()
    return [first.commit(), second.commit()]
