"""What every implementation of JobStore promises."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.errors import Conflict
from shared.domain.model import (
    Batch,
    BatchState,
    Job,
    JobCode,
    JobState,
    Lease,
    OpenJob,
    RowCode,
    Usage,
    Wait,
    newest_first,
)
from shared.domain.ports import DeploymentBackoff, JobStore

NOW = datetime(2026, 11, 22, 10, 15, 0, 123456, tzinfo=UTC)


def _job(job_id: str = "J", **changes: Any) -> Job:
    job = Job(
        job_id=job_id,
        prompt_file="folder/ü\U0001f600 'x'.csv",
        source_etag="0x1",
        state=JobState.PREPARING,
        created_at=NOW,
        updated_at=NOW,
        progress_at=NOW,
    )
    return replace(job, **changes)


def _batch(index: int = 0, attempt: int = 1, **changes: Any) -> Batch:
    batch = Batch(
        job_id="J", index=index, attempt=attempt, state=BatchState.PREPARED, model="m", url="/chat", requests=3
    )
    return replace(batch, **changes)


def _plain(batches: Sequence[Batch]) -> list[Batch]:
    return [replace(batch, version="") for batch in batches]


def test_a_job_comes_back_with_all_that_it_holds(store: JobStore) -> None:
    job = _job(
        code=JobCode.BATCH_FAILED,
        message="a\u2028b",
        completed_at=NOW,
        rows_total=2**40,
        unsent={"not_sent": 2},
        errors={"refusal": 1},
        gave_up_at=NOW,
        wait=Wait(until=NOW, tries=3, message="wait"),
        lease=Lease(owner="me", until=NOW),
        warnings=("one", "two"),
    )

    written = store.insert_job(job)

    assert store.job("J") == written
    assert replace(written, version="") == job
    assert store.job("other") is None


def test_a_job_comes_with_its_batches_in_one_call(store: JobStore) -> None:
    assert store.job_with_batches("J") == (None, [])
    job = store.insert_job(_job())
    store.insert_job(_job("J-r1"))
    assert store.job_with_batches("J") == (job, [])
    store.add_batches([_batch(1), _batch(0), _batch(0, 2)])

    assert store.job_with_batches("J") == (job, store.batches("J"))
    assert [batch.key for batch in store.job_with_batches("J")[1]] == ["00000-1", "00000-2", "00001-1"]
    assert store.job_with_batches("J-r1")[1] == []


def test_jobs_that_began_together_come_together_with_their_batches(store: JobStore) -> None:
    names = [f"20261122T101500Z-{number:08x}" for number in range(120)]
    for name in names[:110]:
        store.insert_job(_job(name))
        store.add_batches([replace(_batch(index), job_id=name) for index in range(2)])
    asked = [*names[10:50], *names[60:]]

    found = store.jobs_together(asked)

    assert list(found) == [*names[10:50], *names[60:110]]
    assert all(found[name] == store.job_with_batches(name) for name in found)


def test_jobs_between_which_many_have_ended_may_come_singly_but_never_wrong(store: JobStore) -> None:
    names = [f"20261122T101500Z-{number:08x}" for number in range(202)]
    for name in names:
        store.insert_job(_job(name))
        store.add_batches([replace(_batch(index), job_id=name) for index in range(2)])

    found = store.jobs_together([names[0], names[1], names[-1]])

    assert list(found)[:2] == names[:2]
    assert all(found[name] == store.job_with_batches(name) for name in found)


def test_a_job_is_inserted_once(store: JobStore) -> None:
    store.insert_job(_job())
    with pytest.raises(Conflict):
        store.insert_job(_job(message="again"))
    found = store.job("J")
    assert found is not None
    assert found.message == ""


def test_a_job_is_saved_only_from_its_present_version(store: JobStore) -> None:
    first = store.insert_job(_job())
    second = store.save_job(replace(first, message="2"))

    with pytest.raises(Conflict):
        store.save_job(replace(first, message="stale"))
    assert store.job("J") == second
    assert store.save_job(replace(second, message="3")).version not in (first.version, second.version)
    with pytest.raises(Conflict):
        store.save_job(_job("unknown", version=second.version))


def test_batches_come_by_index_and_attempt_and_stay_as_they_were(store: JobStore) -> None:
    store.insert_job(_job())
    store.add_batches([_batch(1), _batch(0), _batch(0, 2)])
    changed = store.save_batch(replace(store.batches("J")[0], batch_id="known", usage=Usage(2**33, 1)))

    store.add_batches([_batch(0), _batch(2)])

    assert [(batch.index, batch.attempt) for batch in store.batches("J")] == [(0, 1), (0, 2), (1, 1), (2, 1)]
    assert store.batches("J")[0] == changed
    assert store.batch("J", 0, 1) == changed
    assert store.batch("J", 9, 1) is None
    assert store.batches("K") == []


def test_more_batches_than_a_transaction_holds_are_written(store: JobStore) -> None:
    batches = [_batch(number) for number in range(230)]
    store.add_batches(batches)

    assert _plain(store.batches("J")) == batches


@pytest.mark.parametrize("count", [0, 3, 120])
def test_a_built_job_comes_with_its_batches(store: JobStore, count: int) -> None:
    job = store.insert_job(_job())
    batches = [_batch(number) for number in range(count)]

    built, made = store.finish_building(replace(job, built=True), batches)

    assert (built.built, _plain(made)) == (True, batches)
    assert store.job_with_batches("J") == (built, made)


def test_a_job_is_built_over_batches_that_exist_already(store: JobStore) -> None:
    job = store.insert_job(_job())
    store.add_batches([_batch(0)])
    there = store.save_batch(replace(store.batches("J")[0], status="x"))

    built, made = store.finish_building(replace(job, built=True), [_batch(0), _batch(1)])

    assert made == [there, *store.batches("J")[1:]]
    assert store.job_with_batches("J") == (built, made)


def test_a_job_that_changed_meanwhile_is_not_built(store: JobStore) -> None:
    job = store.insert_job(_job())
    store.save_job(replace(job, cancelled=True))
    with pytest.raises(Conflict):
        store.finish_building(replace(job, built=True), [_batch(0)])


def test_a_batch_is_saved_only_from_its_present_version(store: JobStore) -> None:
    store.add_batches([_batch()])
    first = store.batches("J")[0]
    store.save_batch(replace(first, status="2", failure=RowCode.EXPIRED))

    with pytest.raises(Conflict):
        store.save_batch(replace(first, status="stale"))
    with pytest.raises(Conflict):
        store.save_batch(_batch(7, version=first.version))


def test_finishing_a_batch_is_all_or_nothing(store: JobStore) -> None:
    job = store.insert_job(_job())
    store.add_batches([_batch(0)])
    batch = store.batches("J")[0]
    done = replace(batch, state=BatchState.COLLECTED)
    moved = store.save_job(replace(job, cancelled=True))

    with pytest.raises(Conflict):
        store.finish_batch(job, done, [_batch(0, 2)])
    assert store.batches("J") == [batch]

    changed = store.save_batch(replace(batch, status="x"))
    with pytest.raises(Conflict):
        store.finish_batch(moved, done, [_batch(0, 2)])
    assert store.job("J") == moved

    saved = store.finish_batch(moved, replace(done, version=changed.version), [_batch(0, 2), _batch(0, 3)])
    first, *others = store.batches("J")
    assert saved == (store.job("J"), first, others)
    assert [(found.attempt, found.state) for found in store.batches("J")] == [
        (1, BatchState.COLLECTED),
        (2, BatchState.PREPARED),
        (3, BatchState.PREPARED),
    ]
    after = store.job("J")
    assert after is not None
    assert after.version != moved.version

    with pytest.raises(Conflict):
        store.finish_batch(after, store.batches("J")[0], [_batch(0, 2)])
    assert store.job("J") == after


def test_the_open_index_holds_a_job_until_it_is_closed(store: JobStore) -> None:
    entry = OpenJob("J", "a.csv", "0x1", NOW, retry_of="I", previous="H")
    store.open_entry(entry)
    listed = store.listed("J")
    assert listed is not None
    assert listed.status is None
    shown = store.list_as(replace(listed, status={"state": "running"}, etag="0x2", digest="d", left_usd=0.25))
    with pytest.raises(Conflict):
        store.list_as(replace(listed, status={"state": "stale"}))
    assert store.listed("J") == shown

    version = store.open_entry(entry)

    assert store.listed("J") == replace(shown, version=version)
    assert [found.entry for found in store.all_listed()] == [entry]
    assert [found.status for found in store.all_listed()] == [{"state": "running"}]
    job = store.insert_job(_job(state=JobState.COMPLETED, prompt_file="a.csv"))
    store.close(job, {"state": "completed"})
    store.close(job, {"state": "completed"})
    assert list(store.all_listed()) == []
    assert store.listed("J") is None
    (found,) = store.history(after="", limit=10, state="", prefix="")
    assert replace(found[0], version="") == replace(job, version="")
    assert found[1] == {"state": "completed"}


def test_history_comes_newest_first_page_by_page_by_state_and_prefix(store: JobStore) -> None:
    jobs = [
        _job(
            f"J{number}",
            created_at=NOW + timedelta(seconds=number),
            state=JobState.FAILED if number % 2 else JobState.COMPLETED,
            prompt_file=f"{'a' if number < 3 else 'b'}/{number}.csv",
        )
        for number in range(6)
    ]
    for job in jobs:
        store.open_entry(OpenJob(job.job_id, job.prompt_file, "0x1", job.created_at))
        store.close(job, {})

    def history(after: str = "", limit: int = 10, state: str = "", prefix: str = "") -> list[str]:
        return [job.job_id for job, _ in store.history(after=after, limit=limit, state=state, prefix=prefix)]

    assert history() == ["J5", "J4", "J3", "J2", "J1", "J0"]
    assert history(limit=2) == ["J5", "J4"]
    assert history(after=newest_first(jobs[4]), limit=2) == ["J3", "J2"]
    assert history(state="failed") == ["J5", "J3", "J1"]
    assert history(prefix="a/") == ["J2", "J1", "J0"]
    assert history(prefix="a/", state="completed", after=newest_first(jobs[2])) == ["J0"]


def test_gates_and_places_are_remembered(store: JobStore) -> None:
    assert store.deployment_backoff("m/x ü") is None
    assert store.bookmark("sweep") == ""

    store.save_deployment_backoff(DeploymentBackoff("m/x ü", NOW, 1))
    store.save_deployment_backoff(DeploymentBackoff("m/x ü", NOW, 2))
    store.save_bookmark("sweep", "ü/x")

    gate = store.deployment_backoff("m/x ü")
    assert gate is not None
    assert (gate.target, gate.until, gate.tries) == ("m/x ü", NOW, 2)
    assert store.bookmark("sweep") == "ü/x"
    store.installed_at(NOW)
    assert store.bookmarks() == {"sweep": "ü/x", "installed": NOW.isoformat()}


def test_the_time_of_the_first_use_stays(store: JobStore) -> None:
    assert store.installed_at(NOW) == NOW
    assert store.installed_at(NOW + timedelta(days=1)) == NOW


def test_of_many_that_save_at_once_one_wins(store: JobStore) -> None:
    job = store.insert_job(_job())
    barrier, won = threading.Barrier(6), []

    def save(number: int) -> None:
        barrier.wait()
        try:
            won.append(store.save_job(replace(job, message=str(number))))
        except Conflict:
            pass

    threads = [threading.Thread(target=save, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [store.job("J")] == won
