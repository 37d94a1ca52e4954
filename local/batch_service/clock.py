"""The service's time: real time, or a time that stands still, plus an offset that only moves forward."""

import threading
import time


class Clock:
    """Tells the service's time in seconds since 1970. `frozen` time moves only by `advance`."""

    def __init__(self, *, frozen: bool = False, offset: float = 0.0, frozen_at: float | None = None) -> None:
        self.frozen = frozen
        self.offset = offset
        self.frozen_at = frozen_at if frozen_at is not None else time.time()
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the present time in seconds."""
        return (self.frozen_at if self.frozen else time.time()) + self.offset

    def advance(self, seconds: float) -> float:
        """Move the time forward by `seconds` (not negative) and return it."""
        if seconds < 0:
            raise ValueError("the clock moves forward only")
        with self._lock:
            self.offset += seconds
        return self.now()
