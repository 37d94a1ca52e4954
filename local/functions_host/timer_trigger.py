"""Timer triggers: runs the function at each occurrence of its schedule, never twice at once.

Like the real host's, but for the status it keeps between restarts: here a restart begins anew, with no run for what was
missed meanwhile. https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer
"""

import json
import threading
from datetime import UTC, datetime
from threading import Event

from local.functions_host.invocation import Invoker
from local.functions_host.messages import TypedData
from local.functions_host.ncrontab import ScheduleError, parse_schedule
from local.functions_host.settings import SettingsError, resolve_names
from local.functions_host.timer_lease import TimerLease
from local.functions_host.worker import Function, InvocationError


class TimerTrigger:
    """The trigger of one function."""

    def __init__(self, function: Function, invoker: Invoker, lease_seconds: int) -> None:
        """Raise SettingsError where the schedule is wrong or its setting is missing."""
        self.function = function
        self._invoker = invoker
        self._lock = threading.Lock()
        self._last: datetime | None = None
        self._lease_seconds = lease_seconds
        try:
            self._schedule = parse_schedule(resolve_names(function.trigger.options["schedule"]))
            self._schedule.next_after(datetime.now(UTC))
        except ScheduleError as wrong:
            raise SettingsError(str(wrong)) from wrong

    def run(self, past_due: bool = False) -> None:
        """Run the function now, after a run that is under way has ended; raises InvocationError."""
        with self._lock:
            started = datetime.now(UTC)
            status = {"Last": _text(self._last), "Next": _text(self._schedule.next_after(started))}
            info = {
                "Schedule": {"AdjustForDST": True},
                "ScheduleStatus": {**status, "LastUpdated": _text(self._last)},
                "IsPastDue": past_due,
            }
            self._last = started
            self._invoker.run(self.function, "timer", TypedData(json=json.dumps(info)))

    def listen(self, stop: Event) -> None:
        """Run the function on schedule until `stop` is set, once no other host does; missed occurrences become one."""
        lease = TimerLease(self.function.name, self._lease_seconds)
        lease.wait(stop)
        try:
            self._run_on_schedule(stop)
        finally:
            lease.release()

    def _run_on_schedule(self, stop: Event) -> None:
        due = self._schedule.next_after(datetime.now(UTC))
        if self.function.trigger.options.get("runOnStartup"):
            due = datetime.now(UTC)
        while not stop.wait(max(0.0, (due - datetime.now(UTC)).total_seconds())):
            try:
                self.run()
            except InvocationError:
                pass  # logged already; the next occurrence is the retry
            due = max(self._schedule.next_after(due), datetime.now(UTC))


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment else "0001-01-01T00:00:00+00:00"
