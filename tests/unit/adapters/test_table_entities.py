"""What rows of the jobs table call the fields of records."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from shared.adapters.table_entities import job_entity, record_in
from shared.domain.model import Job, JobState, PilotPlan, RestOfJob

NOW = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)


JOB = Job(
    job_id="20261122T101500Z-3f2a9c1b",
    prompt_file="buildings.csv",
    source_etag="0x1",
    state=JobState.RUNNING,
    created_at=NOW,
    updated_at=NOW,
    progress_at=NOW,
)


def test_the_number_of_first_batches_has_the_stored_name_that_version_1_0_0_reads() -> None:
    entity = job_entity(replace(JOB, first_batches=3))

    assert json.loads(entity["Record"])["shards"] == 3
    assert "first_batches" not in json.loads(entity["Record"])
    assert record_in(Job, entity).first_batches == 3


def test_a_text_that_looks_like_a_stored_name_stays_as_it_is() -> None:
    for message in ('"shards":', '"first_batches":'):
        job = replace(JOB, message=message, first_batches=2)

        assert record_in(Job, job_entity(job)) == job


def test_a_deployment_that_is_named_like_a_stored_name_keeps_its_name() -> None:
    for name in ("shards", "first_batches", "rows_kept", "rows_carried_over"):
        pilot = PilotPlan(rows=5, min_ok=0.9, holds=False, rest={name: RestOfJob(requests=7, input_tokens=70)})
        job = replace(JOB, pilot=pilot, first_batches=2, rows_carried_over=3)

        assert record_in(Job, job_entity(job)) == job
