"""Run a Python module as a server that stops when its parent is gone.

`python -m local.servers.lifeline MODULE [ARGUMENT …]` runs MODULE as `python -m MODULE` would. Its standard input is
the lifeline: a pipe whose other end the parent holds. When that end is closed, because the parent stops the server or
because the parent was killed, the module gets the signal that a stop by hand would give it.
"""

import _thread
import os
import runpy
import signal
import sys
import threading
import time

GRACE_SECONDS = 30


def main() -> None:
    """Run the module named by the first argument, tied to standard input."""
    sys.argv = sys.argv[1:]
    threading.Thread(target=_stop_when_input_ends, daemon=True).start()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _stop_when_input_ends() -> None:
    # os.read, not sys.stdin: a thread that waits inside a buffered reader aborts the interpreter's exit.
    while os.read(0, 1024):
        pass
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:
        # To the main thread by name, so that a blocking call there is interrupted.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
