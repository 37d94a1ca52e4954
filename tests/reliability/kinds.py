"""The kinds of jobs that the sweeps disturb, and how a run of one is played to its end."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq

from shared.domain.errors import AppError
from shared.domain.lifecycle import is_held
from shared.domain.model import BatchState
from shared.domain.ports import App, Container
from shared.pipeline import job_control, steps
from shared.pipeline.build import run_ends
from testing.documents import image
from testing.fakes import Plan
from tests.reliability.simulation import Killed, Simulation, table
from tests.reliability.two_resources import WEST, deployments

QUICK = Plan(validating=10, running=20, finalizing=10, cancelling=10)
ENDLESS = Plan(validating=10, running=10**8, finalizing=10, cancelling=10)
"""So long that what is answered before a cancellation does not depend on its minute."""

MINUTES = 400


@dataclass(frozen=True)
class Act:
    """What a person does once something is the case; repeated where the process died or the answer was an error."""

    when: Callable[[Simulation], bool]
    do: Callable[[Simulation, App], None]


@dataclass(frozen=True)
class Kind:
    """One kind of job: its file, the service's behaviour, what people do, and how many jobs that makes."""

    name: str
    content: str | bytes
    file: str = "table.csv"
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, list[str]] = field(default_factory=dict)
    plan: Callable[[Mapping[str, str]], Plan] = lambda metadata: QUICK
    quota: tuple[int, str] | None = None
    acts: tuple[Act, ...] = ()
    jobs: int = 1
    earlier: str = ""
    """The file of an undisturbed job before it, of the same name."""
    documents: Mapping[str, bytes] = field(default_factory=dict)
    spent: float = 0.0
    """What earlier jobs have cost this month, in US dollars."""
    run: timedelta = run_ends.RUN
    """How long one run builds a job whose documents have to be fetched."""
    others: tuple[str, ...] = ()
    """Other resources that batches may go to, without quotas."""


def play(kind: Kind, wrap: Callable[[App], App], *, lost: bool = True) -> Simulation:
    """Run one kind of job to its end on hosts wrapped by `wrap`; a killed host is replaced once its leases are over.

    `lost`: the message that a killed host was at is never seen again, nor is the file's event.
    """
    simulation = Simulation(**kind.environment)
    simulation.service.rows = dict(kind.rows)
    simulation.service.plan_of = kind.plan
    simulation.service.quota = kind.quota
    if kind.spent:
        simulation.spend(kind.spent)
    for host in kind.others:
        simulation.add_resource(host)
    simulation.tick(simulation.host())
    simulation.clock.advance(60)
    if kind.earlier:
        app = simulation.host()
        simulation.event(app, simulation.drop(f"folder/{kind.file}", kind.earlier))
        simulation.go_on(app)
        simulation.clock.advance(60)
    for path, data in kind.documents.items():
        simulation.files.write(Container.PROMPTS, path, data)
    name = simulation.drop(f"folder/{kind.file}", kind.content, **kind.settings)
    with patch.object(run_ends, "RUN", kind.run):
        play_out(simulation, name, kind, wrap, lost=lost)
    return simulation


def play_out(simulation: Simulation, name: str, kind: Kind, wrap: Callable[[App], App], *, lost: bool) -> None:
    """Deliver the event, then go on minute by minute until all jobs have ended and nobody wants anything any more."""
    app, event_due, acts, begun = wrap(simulation.host()), True, list(kind.acts), False
    for _ in range(MINUTES):
        try:
            if event_due:
                event_due = False
                simulation.event(app, name)
            if acts and (begun or acts[0].when(simulation)):
                begun = True
                begun = not _do(acts, simulation, app)
            simulation.tick(app)
            simulation.deliver(app, lost=lost)
        except Killed:
            app, event_due = wrap(simulation.host()), event_due or not lost
            simulation.clock.advance(simulation.settings.lease.total_seconds() + 1)
            continue
        jobs = simulation.jobs()
        if not acts and len(jobs) == kind.jobs and all(job.state.ended for job in jobs) and simulation.settled():
            return
        simulation.clock.advance(60)
    raise AssertionError([(job.job_id, job.state, job.message) for job in simulation.jobs()])


def _do(acts: list[Act], simulation: Simulation, app: App) -> bool:
    """Do what a person wants; False where it has to be tried again."""
    try:
        acts[0].do(simulation, app)
    except job_control.NotNow:
        pass  # What was wanted had been done, by the one who died.
    except AppError:
        return False
    del acts[0]
    return True


def _cancel(simulation: Simulation, app: App) -> None:
    job = job_control.cancel(app, simulation.jobs()[-1].job_id)
    steps.queue_due(app, job.job_id)


def _release(simulation: Simulation, app: App) -> None:
    job = job_control.release(app, simulation.jobs()[-1].job_id)
    steps.queue_due(app, job.job_id)


def _wait_a_month(simulation: Simulation, _app: App) -> None:
    simulation.clock.advance(31 * 86_400)


def _retry(simulation: Simulation, app: App) -> None:
    simulation.service.rows = {}
    job = job_control.retry(app, simulation.jobs()[0].job_id)
    steps.queue_due(app, job.job_id)


def _first_batch_collected_second_open(simulation: Simulation) -> bool:
    jobs = simulation.jobs()
    batches = simulation.store.batches(jobs[0].job_id) if jobs else []
    return {(batch.index, batch.state) for batch in batches} >= {
        (0, BatchState.COLLECTED),
        (1, BatchState.SUBMITTED),
    }


def _held(simulation: Simulation) -> bool:
    return any(is_held(job) for job in simulation.jobs())


def _ended(simulation: Simulation) -> bool:
    jobs = simulation.jobs()
    return bool(jobs) and all(job.state.ended for job in jobs) and simulation.settled()


def _endless_second_batch(metadata: Mapping[str, str]) -> Plan:
    return ENDLESS if metadata["index"] == "1" else QUICK


def _parquet(ids: str) -> bytes:
    """The rows of `table` as Parquet, with a column of another type."""
    rows = [line.split(",") for line in table(ids).strip().split("\n")]
    columns = dict(zip(rows[0], map(list, zip(*rows[1:], strict=True)), strict=True))
    out = io.BytesIO()
    pq.write_table(pa.table({**columns, "Day": pa.array([date(2026, 3, 29)] * len(ids))}), out)
    return out.getvalue()


KINDS = (
    Kind("one batch", table("abc")),
    Kind("two batches", table("abcd"), environment={"MAX_REQUESTS_PER_BATCH": "2"}),
    Kind(
        "follow-ups",
        table("abcdef"),
        rows={"b": ["429", "500", "ok"], "c": ["400"], "d": ["refusal"], "e": ["bad", "ok"], "f": ["500"]},
    ),
    Kind(
        "cancelled",
        table("abcd"),
        environment={"MAX_REQUESTS_PER_BATCH": "2"},
        rows={"b": ["400"]},
        plan=_endless_second_batch,
        acts=(Act(_first_batch_collected_second_open, _cancel),),
    ),
    Kind(
        "retried",
        table("abc"),
        rows={"b": ["400"], "c": ["refusal"]},
        acts=(Act(_ended, _retry),),
        jobs=2,
    ),
    Kind("faulty file", "Custom ID,Prompt,Prompt\na,1,2\n"),
    Kind(
        "held",
        table("ab"),
        environment={"MAX_JOB_INPUT_TOKENS": "1"},
        acts=(Act(_held, _release),),
    ),
    Kind(
        "capped",
        table("abcd"),
        settings={"max_cost_usd": 0.0001, "parameters": {"max_completion_tokens": 100}},
        environment={"MONTHLY_BUDGET_USD": "1", "MAX_REQUESTS_PER_BATCH": "2"},
        rows={"b": ["500", "ok"], "c": ["400"]},
        acts=(Act(_held, _release),),
    ),
    Kind(
        "budget",
        table("abcd"),
        settings={"parameters": {"max_completion_tokens": 100}},
        environment={"MONTHLY_BUDGET_USD": "0.003", "MAX_REQUESTS_PER_BATCH": "2"},
        rows={"b": ["500", "ok"], "c": ["cut", "ok"]},
        acts=(Act(_held, _wait_a_month),),
        spent=0.002,
    ),
    Kind(
        "a follow-up beyond the cap",
        table("ab"),
        settings={"max_cost_usd": 0.00109, "parameters": {"max_completion_tokens": 100}},
        rows={"b": ["cut", "ok"]},
    ),
    Kind("split", table("abcdefgh"), quota=(300, "late")),
    Kind("Parquet, and a workbook", _parquet("abcd"), "table.parquet", {"formats": ["xlsx"]}, rows={"b": ["400"]}),
    Kind(
        "reused",
        table("abcdefg"),
        settings={"reuse": True},
        environment={"MAX_REQUESTS_PER_BATCH": "2"},
        rows={"b": ["400", "500", "ok"], "f": ["429", "ok"]},
        earlier=table("abcde"),
        jobs=2,
    ),
    Kind("reused only", table("cab"), settings={"reuse": True}, earlier=table("abc"), jobs=2),
    Kind(
        "images",
        "Custom ID,Prompt,Required,Image\na,What?,Name,1.png\nb,,Name,/folder/2.png\nc,x,Name,gone.png\nd,x,Name,\n",
        environment={"MAX_REQUESTS_PER_BATCH": "2"},
        rows={"a": ["500", "ok"]},
        documents={"folder/1.png": image(), "folder/2.png": image(color="olive")},
    ),
    Kind(
        "documents, each of which takes a run",
        "*.png\n*.txt\n",
        settings={"required": "Name", "prompt": "Read it. {Text}"},
        rows={"folder/2.png": ["400"], "folder/1.txt": ["429", "ok"]},
        file="all.files",
        run=timedelta(seconds=-1),
        documents={
            "folder/1.png": image(),
            "folder/2.png": b"\x89PNG",
            "folder/1.txt": b"Text",
            "folder/2.txt": b"\xff",
        },
    ),
    Kind("piloted", table("abcdefghi"), settings={"pilot": 3}, rows={"e": ["500", "ok"], "f": ["refusal"]}),
    Kind(
        "piloted and held",
        table("abcdefghi"),
        settings={"pilot": 3, "parameters": {"max_completion_tokens": 100}},
        environment={"MONTHLY_BUDGET_USD": "1"},
        rows={"e": ["refusal"]},
        acts=(Act(lambda simulation: any(is_held(job) for job in simulation.jobs()), _release),),
    ),
    Kind("storage transfer", table("abc"), environment={"BATCH_TRANSFER": "storage"}, rows={"b": ["500", "ok"]}),
    Kind(
        "two resources",
        table("abcd"),
        environment={"MAX_REQUESTS_PER_BATCH": "2", "DEPLOYMENTS": deployments(WEST)},
        rows={"b": ["500", "ok"], "c": ["500", "ok"]},
        quota=(150, "immediate"),
        others=(WEST,),
    ),
    Kind(
        "refused late, and sent elsewhere",
        table("ab"),
        environment={"DEPLOYMENTS": deployments(WEST)},
        quota=(100, "late"),
        others=(WEST,),
    ),
)
