"""A tick's calls to the service grow with the open batches over 100, and with nothing else."""

import pytest

from benchmarks import polling
from shared.model import RemoteBatch
from shared.pipeline.polling import poll
from tests.fakes import FakeClock


@pytest.mark.parametrize("closed_jobs", [0, 2_000])
def test_a_thousand_open_batches_take_ten_calls_whatever_the_history(closed_jobs: int) -> None:
    figures = polling.measured(1_000, closed_jobs, 0)
    assert figures["calls"] == 10


def test_others_batches_between_cost_a_limited_number_of_pages() -> None:
    figures = polling.measured(1_000, 0, 10_000)
    assert figures["pages"] == 20
    assert figures["single_calls"] < 1_000


class SlowService(polling.ListingService):
    """A service that shows nothing in its list, and needs ten seconds for each single batch."""

    def __init__(self, clock: FakeClock, batches: list[RemoteBatch]) -> None:
        super().__init__(batches)
        self._clock = clock
        self.asked: list[str] = []

    def page(self, after: str) -> tuple[list[RemoteBatch], str]:
        return [], ""

    def batch(self, batch_id: str) -> RemoteBatch | None:
        self._clock.advance(10)
        self.asked.append(batch_id)
        return super().batch(batch_id)


def test_a_tick_that_would_take_too_long_goes_on_in_the_next() -> None:
    clock, store = FakeClock(), polling.PartitionedStore()
    remote = [batch for job in polling.open_jobs(clock, store, 50) for batch in job]
    service = SlowService(clock, remote)
    app = polling.app_over(clock, store, service)
    poll(app)
    first = len(service.asked)
    assert 10 < first < 25
    while len(service.asked) < 50:
        poll(app)
    assert sorted(service.asked[:50]) == sorted(batch.batch_id for batch in remote)
