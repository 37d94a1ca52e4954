"""Jobs of one prompt file's name, one after another, and what they paid for."""

import json
from typing import Any

from shared.domain.model import Job
from shared.domain.ports import Container
from shared.pipeline import job_control, steps
from tests.reliability.simulation import Simulation, check_balance, check_money, check_payment

NAME = "folder/table.csv"


def drop(simulation: Simulation, content: str | bytes, name: str = NAME, **job_settings: Any) -> Job:
    """A new version of the prompt file, an hour later, and its job so far; settings that are None are left out."""
    app = simulation.host()
    simulation.clock.advance(3600)
    given = {"required": "Name", **job_settings}
    simulation.drop(name, content, **{key: value for key, value in given.items() if value is not None})
    simulation.event(app, name)
    return newest(simulation)


def run(simulation: Simulation, content: str | bytes, name: str = NAME, **job_settings: Any) -> Job:
    """The same, to its end."""
    drop(simulation, content, name, **job_settings)
    simulation.go_on(simulation.host())
    check_balance(simulation)
    check_money(simulation)
    check_payment(simulation)
    return newest(simulation)


def retry(simulation: Simulation, job: Job) -> Job:
    app = simulation.host()
    simulation.clock.advance(3600)
    steps.queue_due(app, job_control.retry(app, job.job_id).job_id)
    simulation.go_on(app)
    check_balance(simulation)
    check_money(simulation)
    check_payment(simulation)
    return newest(simulation)


def newest(simulation: Simulation) -> Job:
    return max(simulation.jobs(), key=lambda job: job.created_at)


def prompts(*asked: str) -> str:
    """A table of these prompts, with custom ids of their own."""
    return "\n".join(["Prompt", *asked, ""])


def results(simulation: Simulation, job: Job) -> list[dict[str, Any]]:
    return [json.loads(line) for line in simulation.result(job, "results.jsonl").splitlines()]


def reused_from(simulation: Simulation, job: Job) -> dict[int, str | None]:
    """The job that paid, by row; None where the row's own did."""
    return {line["row"]: line.get("reused_from") for line in results(simulation, job)}


def billed(simulation: Simulation, job: Job) -> list[str]:
    """The custom ids that were paid for in a job."""
    return [row.custom_id for row in simulation.service.billed if row.job_id == job.job_id]


def delete_work(simulation: Simulation, job: Job, ending: str = "") -> None:
    """What the operator's lifecycle rule does to a job's work files."""
    for name in [info.name for info in simulation.files.blobs(Container.WORK, prefix=f"{job.job_id}/")]:
        if name.endswith(ending):
            simulation.files.delete(Container.WORK, name)
