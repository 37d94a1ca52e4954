"""The whole service: one resource with its files, batches, scenario, clock and journal, in one folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.batch_service.batches import Batches, Timings
from local.batch_service.clock import Clock
from local.batch_service.database import Database
from local.batch_service.files import Files
from local.batch_service.own_storage import Blobs
from local.batch_service.scenario import Quota, Scenario
from local.batch_service.scripts import Scripts


class Service:
    """An emulated Azure OpenAI resource. What lies in `folder` from an earlier run goes on from there."""

    def __init__(
        self,
        folder: Path,
        *,
        scenario: Scenario | None = None,
        timings: Timings | None = None,
        blobs: Blobs | None = None,
        frozen: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.database = Database(folder / "service.sqlite")
        self.timings = timings or Timings()
        self.clock = self._clock(frozen)
        self.scripts = Scripts(self.database, scenario or Scenario())
        self.files = Files(self.database, folder / "files", self.clock)
        self.batches = Batches(
            self.database, self.clock, self.files, self.scripts, folder / "batches", blobs, self.timings
        )

    def stop(self) -> None:
        """Let all work end soon, so that `close` need not wait long."""
        self.batches.stop()

    def close(self) -> None:
        """End all work and close the database."""
        self.batches.close()
        self.database.close()

    def reset(self) -> None:
        """Forget all files, batches, calls and scenarios, and go back to the scenario of the start."""
        self.batches.clear()
        self.database.clear()
        self.files.clear()
        self.scripts.restart()
        self._keep_clock()

    def advance(self, seconds: float) -> float:
        """Move the clock forward and return its time; raises ValueError for a negative number."""
        now = self.clock.advance(seconds)
        self._keep_clock()
        return now

    def set_quota(self, quota: Mapping[str, Quota]) -> None:
        """Set the limits of some deployments."""
        self.scripts.current.quota.update(quota)

    def journal(self, calls_after: int, billed_after: int, limit: int) -> dict[str, Any]:
        """Return a page of the calls and of the billed rows, and the totals of all."""
        self.batches.work_all()
        return {
            "calls": self.database.calls(calls_after, limit),
            "billed": self.database.billed(billed_after, limit),
            "totals": {**self.database.totals(), **self.batches.totals()},
        }

    def _clock(self, frozen: bool) -> Clock:
        kept = self.database.documents("clock")
        if not kept:
            return Clock(frozen=frozen)
        return Clock(frozen=frozen, offset=kept[0]["offset"], frozen_at=kept[0]["frozen_at"] if frozen else None)

    def _keep_clock(self) -> None:
        self.database.put("clock", "clock", {"offset": self.clock.offset, "frozen_at": self.clock.frozen_at})
