"""A tick's calls to the service grow with the open batches over 100, and with nothing else."""

from collections.abc import Callable

import pytest

from benchmarks import polling
from shared.domain.errors import Refused, Unavailable
from shared.domain.model import RemoteBatch
from shared.domain.ports import App
from shared.pipeline.poll.polling import poll
from testing.fakes import FakeClock


@pytest.mark.parametrize("closed_jobs", [0, 2_000])
def test_a_thousand_open_batches_take_ten_calls_whatever_the_history(closed_jobs: int) -> None:
    figures = polling.measured(1_000, closed_jobs, 0)
    assert (figures["calls"], figures["seen"]) == (10, 1_000)


@pytest.mark.parametrize("open_batches", [5, 100, 10_000])
def test_ended_batches_between_cost_ten_calls_at_most_and_every_running_batch_is_seen(open_batches: int) -> None:
    figures = polling.measured(open_batches, 0, 30_000)
    assert figures["calls"] <= open_batches / 100 + 10
    assert figures["seen"] == open_batches


def _refused(after: str, *, status: str = "") -> tuple[list[RemoteBatch], str]:
    raise Refused("The filter is not understood.")


def _empty(after: str, *, status: str = "") -> tuple[list[RemoteBatch], str]:
    return [], ""


@pytest.mark.parametrize("filtered", [None, _refused, _empty], ids=["ignored", "refused", "empty"])
def test_where_the_service_lists_no_single_status_all_are_seen_within_100_ticks_for_as_few_calls(
    filtered: Callable[..., tuple[list[RemoteBatch], str]] | None,
) -> None:
    _, service, app = _mixed_up(open_batches=300, closed=3_000)
    service.filters = False
    plain = service.page

    def page(after: str, *, status: str = "") -> tuple[list[RemoteBatch], str]:
        return filtered(after, status=status) if filtered and status else plain(after, status=status)

    service.page = page  # type: ignore[method-assign]
    ticks = 0
    while sum(not name.startswith("old") for name in service.seen) < 300 and ticks < 100:
        service.pages = service.single = 0
        poll(app)
        ticks += 1
        assert service.pages + service.single <= 13
    assert sum(not name.startswith("old") for name in service.seen) == 300


def test_a_batch_that_cannot_be_asked_about_holds_up_no_other() -> None:
    remote, service, app = _mixed_up(open_batches=50, closed=0)
    whole = service.batch
    broken = remote[3].batch_id

    def batch(batch_id: str) -> RemoteBatch | None:
        if batch_id == broken:
            raise Unavailable("The service fails at this batch.")
        return whole(batch_id)

    service.page, service.batch = _empty, batch  # type: ignore[method-assign]
    for _ in range(10):
        poll(app)
    assert service.seen == {one.batch_id for one in remote} - {broken}


def _mixed_up(open_batches: int, closed: int) -> tuple[list[RemoteBatch], polling.ListingService, App]:
    clock, store = FakeClock(), polling.PartitionedStore()
    remote = [batch for job in polling.open_jobs(clock, store, open_batches) for batch in job]
    service = polling.ListingService(polling.mixed(remote, closed))
    return remote, service, polling.app_over(clock, store, service)


class SlowService(polling.ListingService):
    """A service that shows nothing in its list, and needs half a minute for each single batch."""

    def __init__(self, clock: FakeClock, batches: list[RemoteBatch]) -> None:
        super().__init__(batches)
        self._clock = clock
        self.asked: list[str] = []

    def page(self, after: str, *, status: str = "") -> tuple[list[RemoteBatch], str]:
        return [], ""

    def batch(self, batch_id: str) -> RemoteBatch | None:
        self._clock.advance(30)
        self.asked.append(batch_id)
        return super().batch(batch_id)


def test_a_tick_that_would_take_too_long_goes_on_in_the_next() -> None:
    clock, store = FakeClock(), polling.PartitionedStore()
    remote = [batch for job in polling.open_jobs(clock, store, 50) for batch in job]
    service = SlowService(clock, remote)
    app = polling.app_over(clock, store, service)
    poll(app)
    assert len(service.asked) == 6
    while len(service.asked) < 50:
        poll(app)
    assert sorted(service.asked[:50]) == sorted(batch.batch_id for batch in remote)
