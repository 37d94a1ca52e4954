"""The loop that every polling trigger runs in."""

import logging
from collections.abc import Callable
from threading import Event

from azure.core.exceptions import AzureError

_log = logging.getLogger(__name__)
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 10.0


def poll_until(stop: Event, what: str, step: Callable[[], float]) -> None:
    """Call `step`, which returns the seconds to wait before its next call, until `stop` is set.

    Where storage cannot be reached, that is said, and tried again with growing waits; so is any fault of this host's
    own, as a trigger that died silently would be worse.
    """
    wait = _FIRST_WAIT_SECONDS
    while not stop.is_set():
        try:
            pause = step()
            wait = _FIRST_WAIT_SECONDS
        except AzureError as failure:
            _log.warning("%s: storage does not answer, next try in %.1f s: %s", what, wait, failure)
            pause, wait = wait, min(2 * wait, _LONGEST_WAIT_SECONDS)
        except Exception:  # noqa: BLE001 - see above
            _log.exception("%s: a fault of the local host, next try in %.1f s", what, wait)
            pause, wait = wait, min(2 * wait, _LONGEST_WAIT_SECONDS)
        stop.wait(pause)
