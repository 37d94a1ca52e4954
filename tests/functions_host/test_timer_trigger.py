"""Timer triggers of the functions host."""

import json
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from azure.storage.blob import BlobLeaseClient

from local.functions_host import FunctionsHost, Habits, InvocationError, SettingsError
from local.functions_host.timer_lease import lease_blob
from tests.functions_host.conftest import SAMPLE_APP

Runs = list[tuple[str, Any]]


def test_a_timer_function_runs_when_told_and_knows_whether_it_is_late(host: FunctionsHost, runs: Runs) -> None:
    host.run_timer("tick")
    host.run_timer("tick", past_due=True)
    assert runs == [("tick", False), ("tick", True)]


def test_a_timer_function_that_raises_says_so_to_who_ran_it(
    host: FunctionsHost, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(list[object]):
        def append(self, _: object) -> None:
            raise RuntimeError("no more")

    monkeypatch.setattr("function_app.RUNS", Refusing())
    with pytest.raises(InvocationError, match="RuntimeError: no more"):
        host.run_timer("tick")


def test_a_listening_timer_runs_on_schedule_without_overlap_and_makes_up_for_missed_ticks_once(
    storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"Storage": storage, "INBOX": "inbox", "SCHEDULE": "* * * * * *"}
    with FunctionsHost(SAMPLE_APP, settings) as host:
        host.start_indexing()
        slow = SlowRuns()
        monkeypatch.setattr("function_app.RUNS", slow)
        host.listen()
        assert slow.third.wait(20)
        host.stop()
    assert slow.most_at_once == 1
    # Back to back: a run of 1.1 s misses a tick and is followed by the next run at once, not at the tick after.
    gaps = [later - earlier for earlier, later in zip(slow.started, slow.started[1:], strict=False)]
    # A busy machine may delay one of them, but not make up for a tick that is waited for.
    assert min(gaps) < 1.7


def test_a_timer_rests_until_the_lease_of_a_killed_host_has_run_out(
    storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"Storage": storage, "AzureWebJobsStorage": storage, "INBOX": "inbox", "SCHEDULE": "* * * * * *"}
    killed = subprocess.run([sys.executable, "-c", KILLED, SAMPLE_APP, json.dumps(settings)], check=False, timeout=60)
    assert killed.returncode == 9
    with FunctionsHost(SAMPLE_APP, settings) as host:
        host.start_indexing()
        runs: Runs = sys.modules["function_app"].RUNS
        lease = lease_blob("tick")
        assert lease.get_blob_properties().lease.state == "leased"
        host.listen()
        time.sleep(2.5)
        assert runs == []
        BlobLeaseClient(lease).break_lease(0)  # in place of a wait for the rest of the minute
        deadline = time.monotonic() + 20
        while not runs:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        host.stop()
        assert lease.get_blob_properties().lease.state == "available"


@pytest.mark.parametrize("seconds", [-1, 1, 14, 61])
def test_a_lease_that_storage_would_refuse_is_refused_at_once(seconds: int) -> None:
    with pytest.raises(SettingsError, match="15 to 60"):
        Habits(timer_lease_seconds=seconds)


KILLED = """
import json, os, sys, time
from pathlib import Path
from local.functions_host import FunctionsHost
host = FunctionsHost(Path(sys.argv[1]), json.loads(sys.argv[2]))
host.start_indexing()
host.listen()
while not sys.modules["function_app"].RUNS:
    time.sleep(0.05)
os._exit(9)
"""


class SlowRuns(list[object]):
    """Stands in for the list that the sample app appends to, taking its time."""

    def __init__(self) -> None:
        super().__init__()
        self.third = threading.Event()
        self.started: list[float] = []
        self.most_at_once = 0
        self._at_once = 0

    def append(self, item: object) -> None:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        self.started.append(time.monotonic())
        time.sleep(1.1)
        super().append(item)
        self._at_once -= 1
        if len(self) == 3:
            self.third.set()
