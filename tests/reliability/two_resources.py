"""Simulations in which one name stands for deployments at several resources."""

import json
from typing import Any

from testing.fakes import MemoryBatchService, Plan
from tests.reliability.simulation import Simulation

QUICK = Plan(validating=10, running=20, finalizing=10, cancelling=10)
OWN = "name.openai.azure.com"
WEST = "west.openai.azure.com"
NORTH = "north.openai.azure.com"


def deployments(*hosts: str) -> str:
    """Let the name that rows use stand for a deployment `m-batch` at the app's own resource, and at each of these."""
    elsewhere = [{"endpoint": f"https://{host}", "deployment": "m-batch"} for host in hosts]
    return json.dumps({"gpt-4o-batch": ["m-batch", *elsewhere]})


def spread(*hosts: str, **settings: str) -> tuple[Simulation, list[MemoryBatchService]]:
    """Return a simulation with these resources beside its own, and the services, the own first."""
    simulation = Simulation(DEPLOYMENTS=deployments(*hosts), **settings)
    services = [simulation.service]
    for host in hosts:
        services.append(simulation.add_resource(host))
    for service in services:
        service.plan_of = lambda metadata: QUICK
    return simulation, services


def down(service: MemoryBatchService, kind: str = "before") -> None:
    """Let a service do nothing until it is restored: it fails at once, or is `silent` while a call has time."""
    for method in ("upload", "file", "read_file", "delete_file", "create", "batch", "page", "cancel"):
        service.fail(method, kind, times=10**9)


def targets(simulation: Simulation) -> list[Any]:
    """Return the target that status.json shows of each batch, job by job."""
    return [batch["target"] for job in simulation.jobs() for batch in simulation.status(job)["batches"]]
