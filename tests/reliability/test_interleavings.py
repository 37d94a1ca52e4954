"""Two workers side by side, in every order of one switch and in many of more: the end is that of one alone.

The second worker's clock may be so far ahead that it holds the first one's leases for lost: then the first is the slow
one whom everybody took for dead.
"""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.model import BatchState, JobState
from shared.domain.ports import App, Container
from shared.pipeline import job_control, receiving, steps
from shared.pipeline.assemble import assembly
from shared.pipeline.build import building
from shared.pipeline.collect import collection
from shared.pipeline.poll import polling
from shared.pipeline.submit import submission
from testing.documents import image
from testing.seeding import loaded
from tests.reliability import counts
from tests.reliability.interleaving import Actor, Work, interleave
from tests.reliability.kinds import QUICK
from tests.reliability.simulation import Simulation, check_balance, check_money, check_payment, table
from tests.reliability.two_resources import WEST, deployments

LAPSED = 700.0
"""Seconds by which a worker is ahead who takes others for dead."""

NAME = "table.csv"
LIST = "scans/all.files"
OLD, NEW = image(), image(size=(90, 70))
"""What a document was, and what it is overwritten with."""


def _dropped(**environment: str) -> Simulation:
    simulation = Simulation(MAX_REQUESTS_PER_BATCH="3", **environment)
    simulation.service.plan_of = lambda metadata: QUICK
    simulation.service.rows = {"b": ["429", "ok"], "c": ["400"], "e": ["500", "ok"]}
    simulation.tick(simulation.host())
    simulation.clock.advance(1)
    simulation.drop(NAME, table("abcde"))
    return simulation


def _reserved() -> Simulation:
    simulation = _dropped()
    receiving.receive(simulation.host(), NAME)
    return simulation


def _prepared() -> Simulation:
    simulation = _reserved()
    building.prepare(loaded(simulation.host(), simulation.jobs()[0].job_id))
    return simulation


def _submitted() -> Simulation:
    simulation = _prepared()
    steps.advance(loaded(simulation.host(), simulation.jobs()[0].job_id))
    return simulation


def _over() -> Simulation:
    simulation = _submitted()
    simulation.clock.advance(60)
    return simulation


def _ended() -> Simulation:
    simulation = _over()
    polling.poll(simulation.host())
    return simulation


def _collected() -> Simulation:
    simulation = _ended()
    app, job_id = simulation.host(), simulation.jobs()[0].job_id
    simulation.queues.waiting.clear()
    for _ in range(40):
        if all(batch.state is BatchState.COLLECTED for batch in simulation.store.batches(job_id)):
            return simulation
        for batch in simulation.store.batches(job_id):
            collection.collect(loaded(app, job_id), batch.index, batch.attempt)
            submission.submit(loaded(app, job_id), batch.index, batch.attempt)
        simulation.clock.advance(60)
        polling.poll(app)
        simulation.queues.waiting.clear()
    raise AssertionError("never collected")


def _failed_rows() -> Simulation:
    simulation = _dropped()
    app = simulation.host()
    simulation.event(app, NAME)
    simulation.go_on(app)
    simulation.service.rows = {}
    return simulation


def _oversized() -> Simulation:
    simulation = _prepared()
    simulation.service.quota = (100, "immediate")
    simulation.service.rows = {}
    return simulation


def _overflowing() -> Simulation:
    """A job over two resources, the first of which has no room."""
    simulation = _dropped(DEPLOYMENTS=deployments(WEST))
    simulation.add_resource(WEST)
    receiving.receive(simulation.host(), NAME)
    building.prepare(loaded(simulation.host(), simulation.jobs()[0].job_id))
    simulation.service.quota = (100, "immediate")
    return simulation


def _reserved_behind_another() -> Simulation:
    """A job that reuses, beside one of the same name that has all its answers and has not ended."""
    simulation = _collected()
    simulation.drop(NAME, table("abcde"), reuse=True)
    receiving.receive(simulation.host(), NAME)
    return simulation


def _listed() -> Simulation:
    """A list of documents, dropped behind them."""
    simulation = Simulation(MAX_REQUESTS_PER_BATCH="2")
    simulation.service.plan_of = lambda metadata: QUICK
    simulation.service.rows = {"scans/2.png": ["429", "ok"], "scans/3.png": ["400"], "scans/5.txt": ["500", "ok"]}
    simulation.tick(simulation.host())
    simulation.clock.advance(1)
    for name, data in {"1.png": OLD, "2.png": OLD, "3.png": OLD, "4.txt": b"Text", "5.txt": b"Text"}.items():
        simulation.files.write(Container.PROMPTS, f"scans/{name}", data)
    simulation.drop(LIST, "*.png\n*.txt\n", required="Name", prompt="Read it. {Text}")
    return simulation


def _listed_and_reserved() -> Simulation:
    simulation = _listed()
    receiving.receive(simulation.host(), LIST)
    return simulation


def _event(simulation: Simulation) -> Work:
    return _event_of(NAME)


def _event_of_list(simulation: Simulation) -> Work:
    return _event_of(LIST)


def _event_of(name: str) -> Work:
    def work(app: App) -> None:
        job = receiving.receive(app, name)
        if job is not None:
            steps.advance(job)

    return work


def _poll(simulation: Simulation) -> Work:
    return polling.poll


def _prepare(simulation: Simulation) -> Work:
    job_id = simulation.jobs()[0].job_id
    return lambda app: building.prepare(loaded(app, job_id))


def _prepare_last(simulation: Simulation) -> Work:
    job_id = simulation.jobs()[-1].job_id
    return lambda app: building.prepare(loaded(app, job_id))


def _end_first_and_prepare_last(simulation: Simulation) -> Work:
    first, last = simulation.jobs()

    def work(app: App) -> None:
        assembly.assemble(loaded(app, first.job_id))
        building.prepare(loaded(app, last.job_id))

    return work


def _submit(simulation: Simulation) -> Work:
    job_id = simulation.jobs()[0].job_id
    return lambda app: submission.submit(loaded(app, job_id), 0, 1)


def _submit_until_taken(simulation: Simulation) -> Work:
    job_id = simulation.jobs()[0].job_id

    def work(app: App) -> None:
        for _ in range(2):  # The first resource refuses, the second takes it.
            submission.submit(loaded(app, job_id), 0, 1)

    return work


def _submit_second(simulation: Simulation) -> Work:
    job_id = simulation.jobs()[0].job_id
    return lambda app: submission.submit(loaded(app, job_id), 1, 1)


def _collect(simulation: Simulation) -> Work:
    job_id = simulation.jobs()[0].job_id
    return lambda app: collection.collect(loaded(app, job_id), 0, 1)


def _assemble(simulation: Simulation) -> Work:
    job_id = simulation.jobs()[0].job_id
    return lambda app: assembly.assemble(loaded(app, job_id))


def _cancel(simulation: Simulation) -> Work:
    job_id = simulation.jobs()[0].job_id

    def work(app: App) -> None:
        job_control.cancel(app, job_id)
        steps.queue_due(app, job_id)

    return work


def _retry(simulation: Simulation) -> Work:
    job_id = simulation.jobs()[0].job_id

    def work(app: App) -> None:
        steps.queue_due(app, job_control.retry(app, job_id).job_id)

    return work


def _overwrite(simulation: Simulation) -> Work:
    return lambda app: app.files.write(Container.PROMPTS, NAME, table("vwxyz").encode())


def _overwrite_documents(simulation: Simulation) -> Work:
    def work(app: App) -> None:
        for name in ("scans/1.png", "scans/2.png", "scans/6.png"):
            app.files.write(Container.PROMPTS, name, NEW)

    return work


def _overwrite_documents_and_prepare(simulation: Simulation) -> Work:
    overwrite, prepare = _overwrite_documents(simulation), _prepare(simulation)

    def work(app: App) -> None:
        overwrite(app)
        prepare(app)

    return work


@dataclass(frozen=True)
class Meeting:
    """Two workers who meet: how things stand, what both do, and whether the second takes the first for dead."""

    name: str
    given: Callable[[], Simulation]
    first: Callable[[Simulation], Work]
    second: Callable[[Simulation], Work]
    lapsed: bool = False


MEETINGS = (
    Meeting("the same event twice", _dropped, _event, _event),
    Meeting("an event and a poll", _dropped, _event, _poll),
    Meeting("two pollers over an ended batch", _over, _poll, _poll),
    Meeting("two builders", _reserved, _prepare, _prepare, lapsed=True),
    Meeting(
        "two builders, between whom an earlier job ends",
        _reserved_behind_another,
        _prepare_last,
        _end_first_and_prepare_last,
        lapsed=True,
    ),
    Meeting("two submitters", _prepared, _submit, _submit, lapsed=True),
    Meeting("a submitter and a poll", _prepared, _submit, _poll),
    Meeting("two submitters over two resources", _overflowing, _submit_until_taken, _submit_until_taken, lapsed=True),
    Meeting("a submitter over two resources and a poll", _overflowing, _submit_until_taken, _poll),
    Meeting("two completions", _ended, _collect, _collect),
    Meeting("two completions, one taken for dead", _ended, _collect, _collect, lapsed=True),
    Meeting("a completion and a poll", _ended, _collect, _poll, lapsed=True),
    Meeting("two assemblers", _collected, _assemble, _assemble),
    Meeting("two assemblers, one taken for dead", _collected, _assemble, _assemble, lapsed=True),
    Meeting("an assembler and a poll", _collected, _assemble, _poll, lapsed=True),
    Meeting("cancel while building", _reserved, _prepare, _cancel),
    Meeting("cancel while submitting", _prepared, _submit, _cancel),
    Meeting("cancel while collecting, with a follow-up", _ended, _collect, _cancel),
    Meeting("cancel while assembling", _collected, _assemble, _cancel),
    Meeting("retry clicked twice", _failed_rows, _retry, _retry),
    Meeting("a retry and a poll", _failed_rows, _retry, _poll),
    Meeting("overwritten in mid-flight", _dropped, _event, _overwrite),
    Meeting("two batches split at once", _oversized, _submit, _submit_second),
    Meeting("the same event of a list twice", _listed, _event_of_list, _event_of_list),
    Meeting("an event of a list and a poll", _listed, _event_of_list, _poll),
    Meeting("two builders of a list", _listed_and_reserved, _prepare, _prepare, lapsed=True),
    Meeting(
        "documents overwritten, and one more, while building", _listed_and_reserved, _prepare, _overwrite_documents
    ),
    Meeting(
        "two builders of a list, between whom its documents are overwritten",
        _listed_and_reserved,
        _prepare,
        _overwrite_documents_and_prepare,
        lapsed=True,
    ),
    Meeting("cancel while building a list", _listed_and_reserved, _prepare, _cancel),
)


def _check(meeting: Meeting, turns: list[bool]) -> None:
    simulation = meeting.given()
    first = Actor(meeting.first(simulation), simulation.host())
    second = Actor(meeting.second(simulation), simulation.host(ahead=LAPSED if meeting.lapsed else 0))
    interleave(first, second, turns)
    app = simulation.host()
    simulation.service.quota = None
    if meeting.second is _overwrite or meeting.first is _overwrite:
        simulation.event(app, NAME)
    if meeting.lapsed:
        simulation.clock.advance(LAPSED)
    simulation.go_on(app)
    check_balance(simulation)
    check_payment(simulation)
    check_money(simulation)
    _check_end(meeting, simulation)


def _check_end(meeting: Meeting, simulation: Simulation) -> None:
    jobs = simulation.jobs()
    if meeting.given in (_listed, _listed_and_reserved):
        _check_documents(simulation)
    if meeting.second is _cancel:
        (job,) = jobs
        assert job.state in (JobState.CANCELLED, JobState.COMPLETED)
        assert job.rows_total == 5
    elif meeting.second in (_overwrite_documents, _overwrite_documents_and_prepare):
        (job,) = jobs
        # The new document is a row if it came before the list was expanded.
        assert (job.state, job.rows_total) in ((JobState.COMPLETED, 5), (JobState.COMPLETED, 6))
        assert job.rows_succeeded == (job.rows_total or 0) - 1
    elif meeting.second is _overwrite:
        # The overwritten version ran if it had been copied before, the new one always.
        assert [job.code for job in jobs if job.code is not None] in ([], ["source_changed"])
        assert any(job.state is JobState.COMPLETED and job.rows_succeeded == 5 for job in jobs)
    elif meeting.given is _failed_rows:
        first, retry = jobs
        assert (first.rows_succeeded, retry.rows_succeeded, retry.previous) == (4, 5, first.job_id)
    elif meeting.given is _reserved_behind_another:
        first, second = jobs
        assert (first.rows_succeeded, second.rows_succeeded) == (4, 4)
        # All that were answered, or none: whichever builder came first.
        assert second.rows_reused in (0, 4)
    else:
        (job,) = jobs
        expected = 5 if meeting.given is _oversized else 4
        assert (job.state, job.rows_succeeded) == (JobState.COMPLETED, expected)
        services = (simulation.service, *simulation.others.values())
        keys = [key for service in services for key in service.created()]
        assert meeting.lapsed or meeting.given is _oversized or len(set(keys)) == len(keys), "created twice"


def _check_documents(simulation: Simulation) -> None:
    """Every request holds its document as it was or as it is, whole; a follow-up the same bytes as the first time."""
    urls = {f"data:image/png;base64,{b64encode(data).decode()}" for data in (OLD, NEW)}
    sent: dict[str, str] = {}
    names = [blob.name for blob in simulation.files.blobs(Container.WORK) if blob.name.endswith("/input.jsonl")]
    for name in sorted(names, key=lambda name: name.split("/")[1].split("-")[2]):
        for line in b"".join(simulation.files.read(Container.WORK, name)).splitlines():
            request = json.loads(line)
            content = request["body"]["messages"][-1]["content"]
            url = content if isinstance(content, str) else content[-1]["image_url"]["url"]
            assert url in urls or request["custom_id"].endswith(".txt")
            assert sent.setdefault(request["custom_id"], url) == url


@pytest.mark.parametrize("meeting", MEETINGS, ids=lambda meeting: meeting.name)
def test_two_workers_end_like_one_wherever_one_hands_over_to_the_other(meeting: Meeting) -> None:
    schedules = 0
    # Where both are alike in everything, it makes no difference which of them begins.
    alike = meeting.first is meeting.second and not meeting.lapsed
    for first_begins in (True,) if alike else (True, False):
        for switch in range(_length(meeting, first_begins) + 1):
            # One goes some steps, then the other to its end, then the one.
            _check(meeting, [not first_begins] * switch + [first_begins] * 500)
            schedules += 1
    counts.note("interleaved", meeting.name, schedules=schedules, equal=schedules)


def _length(meeting: Meeting, first: bool) -> int:
    """How many steps one of the two takes by itself."""
    simulation = meeting.given()
    work = (meeting.first if first else meeting.second)(simulation)
    return Actor(work, simulation.host(ahead=0 if first or not meeting.lapsed else LAPSED)).finish()


@settings(max_examples=120, deadline=None)
@given(meeting=st.sampled_from(MEETINGS), turns=st.lists(st.booleans(), max_size=120))
def test_two_workers_end_like_one_however_they_take_turns(meeting: Meeting, turns: list[bool]) -> None:
    _check(meeting, turns)
