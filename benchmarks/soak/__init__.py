"""A soak: files of mixed kinds on several hosts, with faults and kills at random but seeded; then the accounts.

`python3 dev.py bench soak --minutes 5 --seed 1 --hosts 3` drops a file every second or so and tells a random host of it
(now and then two, now and then none). The hosts are processes that run function_app.py through Microsoft's runtime
library; the first lives all the time, so that its memory and open files tell, the others are killed with SIGKILL now
and then. Calls of the batch service are refused, dropped or cut short, batches expire or show up late, quota runs out,
and storage has outages of some seconds. People cancel, retry and release jobs, and overwrite files.

Then the faults stop; all jobs have to end within some minutes, every row must be accounted for, nothing may be billed
twice, what was billed must be what the jobs say that they used, and memory and open files must be level. The exit code
is 1 where they are not.
"""

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.soak.accounts import Accounts
from benchmarks.soak.faulty_storage import faulty_storage
from benchmarks.soak.hosts import Hosts
from benchmarks.soak.trouble import Trouble
from local.batch_service.server import running_service
from local.servers.azurite import running_azurite

SETTINGS = {
    "FUNCTIONS_WORKER_RUNTIME": "python",
    "AZURE_OPENAI_API_KEY": "soak",
    "AZURE_OPENAI_DEPLOYMENT": "m",
    "PROMPTS_TRIGGER_SOURCE": "EventGrid",
    "POLL_SCHEDULE": "*/10 * * * * *",
    "LEASE_SECONDS": "20",
    "SETTLE_SECONDS": "10",
    "BACKOFF_SECONDS": "1",
    "MAX_WAIT_HOURS": "1",
    "MAX_REQUESTS_PER_BATCH": "20",
    "MAX_JOB_INPUT_TOKENS": "2500",
}
SETTLE_SECONDS = 900.0
"""How long the jobs may take to end once the faults have stopped; a message lost with its host takes ten minutes."""

SHOWN = 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the soak, print its summary, and return 1 where an account does not balance."""
    options = argparse.ArgumentParser(prog="soak", description=(__doc__ or "").splitlines()[0])
    options.add_argument("--minutes", type=float, default=5)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--hosts", type=int, default=3)
    options.add_argument("--logs", type=Path, help="folder for the hosts' logs; by default they are deleted")
    given = options.parse_args(arguments)
    with ExitStack() as running:
        folder = given.logs or Path(running.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        # On disk: where it holds many blobs in memory, Azurite answers nothing for minutes while it collects garbage.
        azurite = running.enter_context(running_azurite(folder / "azurite"))
        service = running.enter_context(
            running_service(
                storage=azurite.connection_string, processing=0.2, validating=0.5, running=2.0, finalizing=0.5
            )
        )
        storage = running.enter_context(faulty_storage(azurite.connection_string, given.seed))
        common = {**SETTINGS, "AZURE_OPENAI_ENDPOINT": service.url}
        # What disturbs and what settles the accounts sees storage as it is; the hosts see it with its faults.
        hosts = Hosts({**common, "BatchStorage": storage.connection_string}, folder, given.hosts)
        trouble = Trouble({**common, "BatchStorage": azurite.connection_string}, service, storage, hosts, given.seed)
        with hosts.running():
            trouble.make(given.minutes * 60)
            settled = trouble.settle(SETTLE_SECONDS)
        accounts = Accounts(trouble.app, service, trouble.newest())
        faults = [*accounts.faults(), *hosts.faults()]
    lines = {
        "did": ", ".join(f"{count} {what}" for what, count in trouble.done.items() if count),
        "storage": ", ".join(f"{count} calls {outage}" for outage, count in storage.met.items()) or "no call failed",
        **accounts.summary(),
        "hosts": hosts.summary(),
    }
    print(f"soak of {given.minutes:g} minutes and {settled:.0f} s to settle, seed {given.seed}, {given.hosts} hosts")
    for name, text in lines.items():
        print(f"  {name:8} {text}")
    for fault in faults[:SHOWN]:
        print(f"  FAULT    {fault}")
    print(f"  {len(faults)} faults" if faults else "  all balanced")
    return 1 if faults else 0
