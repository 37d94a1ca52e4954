"""Run a command's module so that Ctrl-C shows no traceback while it loads: python -m local.commands.start MODULE."""

import runpy
import signal
import sys

if __name__ == "__main__":
    try:
        if sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # dev.py held it back until here
        sys.argv = sys.argv[1:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        sys.exit(130)
