"""One name over several resources: batches overflow, and each resource stands for itself."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from shared.domain import blob_names
from shared.domain.batch_service import BatchService
from shared.domain.model import BatchState, JobState
from shared.domain.ports import App, Container
from shared.pipeline import job_control, receiving, steps
from shared.pipeline.build import building
from shared.pipeline.submit import submission
from shared.pipeline.target_table import target_table
from shared.settings import Target
from testing.fakes import MemoryBatchService, Plan
from testing.seeding import loaded
from tests.reliability.simulation import Simulation, check_balance, check_payment, table
from tests.reliability.two_resources import NORTH, OWN, QUICK, WEST, deployments, down, spread, targets


def _jobs(simulation: Simulation, count: int, rows: Sequence[str] = "abcd") -> None:
    app = simulation.host()
    for number in range(count):
        simulation.event(app, simulation.drop(f"{number:02d}.csv", table(rows)))
        simulation.clock.advance(1)


def _models(service: MemoryBatchService) -> set[str]:
    return {line["body"]["model"] for made in service._made.values() for line in made.lines}


def _all_completed(simulation: Simulation) -> None:
    assert {job.state for job in simulation.jobs()} == {JobState.COMPLETED}
    check_balance(simulation)
    check_payment(simulation)


def test_a_batch_goes_to_the_first_target_under_its_deployments_name() -> None:
    simulation, (own, west) = spread(WEST)
    _jobs(simulation, 1)
    simulation.go_on(simulation.host())

    assert targets(simulation) == [f"{OWN}/m-batch"]
    assert _models(own) == {"m-batch"}
    assert west.created() == []
    (batch,) = simulation.status(simulation.jobs()[0])["batches"]
    assert batch["model"] == "gpt-4o-batch"
    _all_completed(simulation)


@pytest.mark.parametrize("mode", ["immediate", "late"])
def test_a_batch_refused_for_quota_goes_to_the_next_target_and_back_when_there_is_room(mode: str) -> None:
    simulation, (own, west) = spread(WEST)
    own.quota = (1, mode)
    _jobs(simulation, 1)
    simulation.go_on(simulation.host())
    assert targets(simulation) == [f"{WEST}/m-batch"]
    assert _models(west) == {"m-batch"}

    own.quota = None
    simulation.clock.advance(3600)
    _jobs(simulation, 1, "efgh")
    simulation.go_on(simulation.host())
    assert targets(simulation)[-1] == f"{OWN}/m-batch"
    _all_completed(simulation)


def test_a_missing_deployment_sends_its_batches_on() -> None:
    simulation, (own, _) = spread(WEST)
    own.plan_of = lambda metadata: Plan(faults=(("model_not_found", "It is not a deployment.", ""),))
    _jobs(simulation, 2)
    simulation.go_on(simulation.host(), minutes=60)
    assert targets(simulation) == [f"{WEST}/m-batch"] * 2
    _all_completed(simulation)


@pytest.mark.parametrize("quotas", [(300, 600, 1200), (300, 1200, 600)])
def test_ten_jobs_end_sooner_on_three_resources_than_on_one_in_the_order_of_quotas(quotas: tuple[int, ...]) -> None:
    minutes = {}
    for hosts in ((), (WEST, NORTH)):
        simulation, services = spread(*hosts)
        for service, quota in zip(services, quotas, strict=False):
            service.quota = (quota, "immediate")
            service.plan_of = lambda metadata: Plan(validating=60, running=1200, finalizing=60)
        _jobs(simulation, 10)
        began = simulation.clock.now()
        simulation.go_on(simulation.host())
        minutes[len(services)] = (simulation.clock.now() - began) / timedelta(minutes=1)
        _all_completed(simulation)
    counts = dict(zip(quotas, (len(service.created()) for service in services), strict=True))
    assert counts[300] < counts[600] <= counts[1200]
    assert sum(counts.values()) == 10
    assert minutes[3] < minutes[1] / 2


@pytest.mark.parametrize("kind", ["before", "silent"])
def test_a_resource_that_is_down_for_an_hour_delays_only_its_own_batches(kind: str) -> None:
    simulation, (own, _) = spread(WEST)
    own.plan_of = lambda metadata: Plan(validating=10, running=600, finalizing=10)
    app = simulation.host()
    _jobs(simulation, 1)
    down(own, kind)
    _jobs(simulation, 1, "efgh")
    ends = simulation.clock.now() + timedelta(hours=1)
    while simulation.clock.now() < ends:
        simulation.tick(app)
        simulation.deliver(app)
        simulation.clock.advance(60)

    first, second = simulation.jobs()
    assert not first.state.ended
    assert (second.state, second.completed_at is not None) == (JobState.COMPLETED, True)
    assert second.completed_at is not None
    assert second.completed_at - second.created_at < timedelta(minutes=10)
    own.restore()
    simulation.go_on(app)
    assert targets(simulation) == [f"{OWN}/m-batch", f"{WEST}/m-batch"]
    _all_completed(simulation)


def test_cancelling_a_job_of_many_batches_at_a_silent_resource_takes_seconds_and_happens_later() -> None:
    simulation, (own, _) = spread(WEST, MAX_REQUESTS_PER_BATCH="1")
    own.plan_of = lambda metadata: Plan(running=10**6, cancelling=10)
    _jobs(simulation, 1, "abcdefghijklmnopqrst")
    app = simulation.host()
    (job,) = simulation.jobs()
    down(own, "silent")
    began = simulation.clock.now()
    job_control.cancel(app, job.job_id)
    steps.queue_due(app, job.job_id)
    assert simulation.clock.now() - began <= timedelta(seconds=10)

    began = simulation.clock.now()
    simulation.tick(app)
    # Asking for the batches takes three calls of a minute; no cancellation is tried after that.
    assert simulation.clock.now() - began <= timedelta(seconds=180)
    assert not set(own.statuses().values()) & {"cancelling", "cancelled"}

    own.restore()
    simulation.go_on(app)
    assert set(own.statuses().values()) == {"cancelled"}
    assert simulation.jobs()[0].state is JobState.CANCELLED
    check_balance(simulation)


def test_answers_at_a_silent_resource_keep_no_worker_waiting_and_are_collected_when_it_speaks_again() -> None:
    simulation, (own, _) = spread(WEST, MAX_REQUESTS_PER_BATCH="1")
    own.plan_of = lambda metadata: QUICK if metadata["index"] != "0" else Plan(running=1200)
    _jobs(simulation, 1, "abcd")
    app = simulation.host()
    simulation.clock.advance(60)
    simulation.tick(app)
    while simulation.queues.take() is not None:
        pass  # The messages are lost: the poll has to send them again.
    down(own, "silent")
    simulation.clock.advance(600)
    for _ in range(5):
        simulation.tick(app)
        assert simulation.queues.waiting == []
        simulation.clock.advance(60)
    own.restore()
    simulation.go_on(app)
    _all_completed(simulation)


@pytest.mark.parametrize("refusal", ["immediate", "late"])
def test_an_input_file_does_not_stay_at_a_target_that_refused_its_batch(refusal: str) -> None:
    simulation, (own, west) = spread(WEST)
    own.quota = (1, refusal)
    _jobs(simulation, 3)
    app = simulation.host()
    for _ in range(10):
        simulation.tick(app)
        simulation.deliver(app)
        simulation.clock.advance(10)
        if len(west.created()) == 3:
            break
    assert own.uploads() == []
    simulation.go_on(app)
    assert simulation.uploads() == []
    _all_completed(simulation)


@pytest.mark.parametrize("transfer", ["upload", "storage"])
def test_a_job_whose_own_input_file_is_spoilt_closes_no_target_to_others(transfer: str) -> None:
    simulation, (own, _) = spread(WEST, BATCH_TRANSFER=transfer)
    app = simulation.host()
    spoilt = simulation.drop("spoilt.csv", table("ab"))
    records = receiving.receive(app, spoilt)
    assert records is not None
    building.prepare(records)
    name = blob_names.batch_input(simulation.store.batches(records.job_id)[0])
    written = b"".join(simulation.files.read(Container.WORK, name))
    simulation.files.write(Container.WORK, name, written.replace(b'"gpt-4o-batch"', b'"by another"  '))
    simulation.tick(app)
    simulation.deliver(app)
    assert "does not have the model of its batch" in simulation.status(simulation.jobs()[0])["message"]
    assert simulation.store.deployment_backoffs() == []
    _jobs(simulation, 1, "efgh")
    assert simulation.status(simulation.jobs()[1])["batches"][0]["target"] == f"{OWN}/m-batch"
    assert len(own.created()) == 1


def test_a_file_that_cannot_be_deleted_holds_up_nothing() -> None:
    simulation, (own, _) = spread(WEST)
    own.quota = (1, "immediate")
    own.fail("delete_file", "silent", times=10**9)
    _jobs(simulation, 1)
    simulation.go_on(simulation.host())
    assert targets(simulation) == [f"{WEST}/m-batch"]
    _all_completed(simulation)


def test_what_a_target_refused_and_why_is_known_of_it_until_it_refuses_again() -> None:
    simulation, (own, _) = spread(WEST)
    own.quota = (1, "immediate")
    _jobs(simulation, 1)
    app = simulation.host()
    refused_at = simulation.clock.now()
    simulation.tick(app)
    simulation.deliver(app)

    first, second = target_table(app, app.store.all_listed())
    assert (first["target"], first["open_batches"]) == (f"{OWN}/m-batch", 0)
    assert datetime.fromisoformat(first["waiting_until"]) > simulation.clock.now()
    assert "has no quota of enqueued tokens left" in first["last_refusal"]["message"]
    assert "configured limit of 1" in first["last_refusal"]["message"]
    assert abs(datetime.fromisoformat(first["last_refusal"]["at"]) - refused_at) < timedelta(seconds=5)
    assert second == {
        "target": f"{WEST}/m-batch",
        "open_batches": 1,
        "waiting_until": None,
        "last_refusal": None,
    }

    own.quota = None
    simulation.clock.advance(3600)
    _jobs(simulation, 1, "efgh")
    found = target_table(app, app.store.all_listed())[0]
    assert (found["open_batches"], found["waiting_until"]) == (1, None)
    assert found["last_refusal"] == first["last_refusal"]
    simulation.go_on(app)
    assert [state["open_batches"] for state in target_table(app, app.store.all_listed())] == [0, 0]


def test_a_simple_app_shows_a_target_only_while_it_is_left_alone() -> None:
    simulation = Simulation()
    _jobs(simulation, 1)
    app = simulation.host()
    assert target_table(app, app.store.all_listed()) == []

    simulation.service.quota = (1, "immediate")
    _jobs(simulation, 1, "efgh")
    (state,) = target_table(app, app.store.all_listed())
    assert (state["target"], state["open_batches"]) == (f"{OWN}/gpt-4o-batch", 1)
    assert state["waiting_until"] is not None

    simulation.service.quota = None
    simulation.go_on(app)
    assert target_table(app, app.store.all_listed()) == []


def test_what_the_only_target_of_a_name_said_is_known_of_it_though_it_is_not_left_alone() -> None:
    only = json.dumps({"gpt-4o-batch": [{"endpoint": f"https://{WEST}", "deployment": "m-batch"}]})
    simulation = Simulation(DEPLOYMENTS=only)
    west = simulation.add_resource(WEST)
    west.plan_of = lambda metadata: QUICK
    west.fail("upload", "before")
    _jobs(simulation, 1)
    app = simulation.host()
    (state,) = target_table(app, app.store.all_listed())
    assert (state["waiting_until"], state["last_refusal"]["message"]) == (None, "the service does not answer")
    (batch,) = simulation.status(simulation.jobs()[0])["batches"]
    assert batch["message"] == f"{WEST}/m-batch: the service does not answer"
    simulation.go_on(app)
    _all_completed(simulation)


def _lost_at_the_second(listed_after: float) -> tuple[Simulation, MemoryBatchService]:
    """A batch that the first resource has no quota for, and whose creation at the second was not answered."""
    simulation, (own, west) = spread(WEST)
    own.quota = (1, "immediate")
    west.plan_of = lambda metadata: Plan(validating=10, running=600, finalizing=10, listed_after=listed_after)
    west.fail("create", "after")
    _jobs(simulation, 1)
    app = simulation.host()
    while not west.created():
        simulation.tick(app)
        simulation.deliver(app)
        simulation.clock.advance(1)
    return simulation, west


def _by_the_poll(simulation: Simulation, app: App) -> None:
    simulation.tick(app)
    while simulation.queues.take() is not None:
        pass  # No worker looks for it.


def _by_a_worker(simulation: Simulation, app: App) -> None:
    submission.submit(loaded(app, simulation.jobs()[0].job_id), 0, 1)


@pytest.mark.parametrize("look", [_by_the_poll, _by_a_worker])
def test_a_lost_creation_is_adopted_at_the_second_resource(look: Callable[[Simulation, App], None]) -> None:
    simulation, west = _lost_at_the_second(listed_after=120)
    (job,) = simulation.jobs()
    app = simulation.host()
    for _ in range(30):
        look(simulation, app)
        simulation.clock.advance(10)
    (batch,) = simulation.store.batches(job.job_id)
    assert (batch.state, batch.target) == (BatchState.SUBMITTED, f"{WEST}/m-batch")
    assert batch.batch_id in west.statuses()
    simulation.go_on(app)
    assert west.created() == [(job.job_id, "0", "1")]
    assert simulation.service.created() == []
    _all_completed(simulation)


def test_a_creation_in_doubt_waits_for_its_own_target_however_long_that_is_down() -> None:
    simulation, (own, west) = spread(WEST)
    own.fail("create", "after")
    own.fail("page", "before", times=10**9)
    _jobs(simulation, 1)
    app = simulation.host()
    for _ in range(300):
        simulation.tick(app)
        simulation.deliver(app)
        simulation.clock.advance(60)
    assert west.created() == []
    own.restore()
    simulation.go_on(app)
    assert len(own.created()) == 1
    assert west.created() == []
    _all_completed(simulation)


def test_a_lost_creation_that_shows_late_is_cancelled_where_it_is() -> None:
    simulation, (own, west) = spread(WEST)
    own.plan_of = lambda metadata: Plan(validating=10, running=10**6, listed_after=900)
    own.fail("create", "after")
    _jobs(simulation, 1)
    app = simulation.host()
    for minute in range(12):
        own.quota = (1, "immediate") if minute else None
        simulation.tick(app)
        simulation.deliver(app)
        simulation.clock.advance(60)
    assert len(west.created()) == 1
    simulation.clock.advance(900)
    for _ in range(5):
        simulation.tick(app)
        simulation.deliver(app)
        simulation.clock.advance(60)
    assert set(own.statuses().values()) <= {"cancelling", "cancelled"}


def test_a_lost_creation_that_shows_late_is_adopted_where_no_other_target_took_the_batch() -> None:
    simulation, (own, west) = spread(WEST)
    own.plan_of = lambda metadata: Plan(validating=10, running=2000, finalizing=10, listed_after=900)
    west.quota = (1, "immediate")
    own.fail("create", "after")
    _jobs(simulation, 1)
    app = simulation.host()
    own.quota = (1, "immediate")
    simulation.go_on(app)
    assert (len(own.created()), len(west.created())) == (1, 0)
    assert targets(simulation) == [f"{OWN}/m-batch"]
    assert simulation.uploads() == []
    _all_completed(simulation)


def test_a_batch_that_every_target_refuses_for_want_of_quota_is_split() -> None:
    simulation, services = spread(WEST)
    for service in services:
        service.quota = (250, "immediate")
    _jobs(simulation, 1, "abcdefgh")
    simulation.go_on(simulation.host())
    assert any(requests == "Split into two batches" for requests in _messages(simulation))
    _all_completed(simulation)


def test_a_batch_too_large_for_one_target_is_not_split_while_another_may_take_it() -> None:
    simulation, (own, _) = spread(WEST)
    own.quota = (250, "immediate")
    _jobs(simulation, 1, "abcdefgh")
    simulation.go_on(simulation.host())
    assert targets(simulation) == [f"{WEST}/m-batch"]
    _all_completed(simulation)


class _Counted:
    """The services of several resources; each call is noted with its resource."""

    def __init__(self, calls: list[str], services: dict[str, MemoryBatchService]) -> None:
        self._calls, self._services = calls, services

    def at(self, target: Target) -> BatchService:
        service, calls, host = self._services[target.resource], self._calls, target.resource

        class Noted:
            def __getattr__(self, method: str) -> Any:
                calls.append(f"{host} {method}")
                return getattr(service, method)

        return cast(BatchService, Noted())


def _messages(simulation: Simulation) -> list[str]:
    statuses = [simulation.status(job) for job in simulation.jobs()]
    return [(batch["message"] or "").split(",")[0] for status in statuses for batch in status["batches"]]


def test_a_tick_asks_each_resource_for_as_few_calls_as_if_it_were_the_only_one() -> None:
    simulation, services = spread(WEST, NORTH, MAX_REQUESTS_PER_BATCH="1")
    own, west, north = services
    for service in services:
        service.plan_of = lambda metadata: Plan(running=10**6)
    _jobs(simulation, 1, "ab")
    own.quota = (1, "immediate")
    app = simulation.host()
    for _ in range(5):
        _jobs(simulation, 1, [f"r{number}" for number in range(50)])
        simulation.deliver(app)
    simulation.tick(app)
    simulation.deliver(app)
    assert [len(service.created()) for service in services] == [2, 250, 0]

    calls: list[str] = []
    watching = replace(app, services=_Counted(calls, {OWN: own, WEST: west, NORTH: north}))
    simulation.tick(watching)
    assert Counter(calls) == {f"{OWN} page": 1, f"{WEST} page": 3}


def test_all_full_targets_are_tried_again_by_one_batch_at_a_time_and_the_longest_waiting_goes_first() -> None:
    simulation, (own, west) = spread(WEST)
    own.quota = west.quota = (1, "immediate")
    _jobs(simulation, 4)
    calls: list[str] = []
    app = replace(simulation.host(), services=_Counted(calls, {OWN: own, WEST: west}))
    tried: Counter[str] = Counter()
    for _ in range(90):
        calls.clear()
        simulation.tick(app)
        simulation.deliver(app)
        a_tick = Counter(call for call in calls if call.endswith(" create"))
        assert max(a_tick.values(), default=0) <= 1
        tried += a_tick
        simulation.clock.advance(60)
    assert tried[f"{OWN} create"] >= 5
    assert tried[f"{WEST} create"] >= 5

    waits = {job.job_id: simulation.store.batches(job.job_id)[0].wait for job in simulation.jobs()}
    assert min(wait.tries for wait in waits.values() if wait) >= 3, "all had their turns"
    longest = min(waits, key=lambda job_id: waits[job_id].until)  # type: ignore[union-attr]
    west.quota = None
    while not west.created():
        simulation.tick(app)
        simulation.deliver(app)
        simulation.clock.advance(60)
    assert west.created()[0][0] == longest
    simulation.go_on(app)
    _all_completed(simulation)


def test_a_target_that_no_setting_names_any_more_is_waited_for() -> None:
    simulation, (_, west) = spread(WEST)
    named = json.loads(deployments(WEST))["gpt-4o-batch"][1:]
    simulation.settings = Simulation(DEPLOYMENTS=json.dumps({"gpt-4o-batch": named})).settings
    _jobs(simulation, 1)
    assert len(west.created()) == 1
    named, simulation.settings = simulation.settings, Simulation(DEPLOYMENTS=deployments()).settings
    bare = simulation.host()
    for _ in range(30):
        simulation.tick(bare)
        simulation.deliver(bare)
        simulation.clock.advance(60)
    (batch,) = simulation.status(simulation.jobs()[0])["batches"]
    assert "put it back into DEPLOYMENTS" in batch["message"]
    simulation.settings = named
    simulation.go_on(simulation.host())
    assert len(west.created()) == 1
    _all_completed(simulation)


def test_own_storage_is_for_the_apps_own_resource_and_others_get_uploads() -> None:
    simulation, (own, west) = spread(WEST, BATCH_TRANSFER="storage")
    _jobs(simulation, 1)
    own.quota = (1, "immediate")
    _jobs(simulation, 1, "efgh")
    simulation.go_on(simulation.host())
    assert targets(simulation) == [f"{OWN}/m-batch", f"{WEST}/m-batch"]
    assert [made.storage for made in own._made.values()] == [True]
    assert [made.storage for made in west._made.values()] == [False]
    assert _models(own) == _models(west) == {"m-batch"}
    _all_completed(simulation)


def test_a_name_is_cut_to_the_smallest_limits_of_its_targets() -> None:
    openai = {"endpoint": "https://api.openai.com/v1", "deployment": "gpt-5.4-mini", "key": "KEY"}
    names = {"both": ["a", openai], "mine": ["a"]}
    settings = Simulation(DEPLOYMENTS=json.dumps(names), KEY="sk-x").settings
    assert settings.limits("both")[0] == 50_000
    assert settings.limits("mine")[0] == settings.limits("")[0] == 100_000
