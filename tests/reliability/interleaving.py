"""Two workers in two threads of which only one ever moves: they hand over to each other at every port call."""

import threading
from collections.abc import Callable, Iterable

from shared.domain.errors import AppError
from shared.domain.ports import App
from tests.reliability.watching import watched

type Work = Callable[[App], object]


class Actor:
    """One worker, which stops before each of its port calls until it is let on."""

    def __init__(self, work: Work, app: App) -> None:
        self.done = False
        self.fault: BaseException | None = None
        self._turn, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._work = work
        self._app = watched(app, self._stop)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Let it go on to its next call, or to its end."""
        if self.done:
            return
        self._turn.release()
        self._back.acquire()
        if self.done:
            self._thread.join()
            if self.fault is not None:
                raise self.fault

    def finish(self) -> int:
        """Let it go on to its end; return how many steps that took."""
        taken = 0
        while not self.done:
            self.step()
            taken += 1
        return taken

    def _stop(self, call: str) -> None:
        self._back.release()
        self._turn.acquire()

    def _run(self) -> None:
        self._turn.acquire()
        try:
            self._work(self._app)
        except AppError:
            pass  # As the host would: the message or the tick comes again.
        except BaseException as error:  # noqa: BLE001  # Whatever it is, it is raised in the test's own thread.
            self.fault = error
        self.done = True
        self._back.release()


def interleave(first: Actor, second: Actor, turns: Iterable[bool]) -> None:
    """Let the two go on step by step, the second wherever a turn is true, and both to their ends after the turns."""
    for second_moves in turns:
        (second if second_moves else first).step()
    first.finish()
    second.finish()
