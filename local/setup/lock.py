"""A lock between processes, held on an open file. Standard library only, for Python 3.9."""

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Iterator


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep out other processes that would install at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        told = False
        while not try_lock(file.fileno()):
            if not told:
                print("Waiting for another dev.py that is installing ...", file=sys.stderr, flush=True)
                told = True
            time.sleep(0.2)
        yield  # closing the file gives the lock back, as does the end of the process


def try_lock(descriptor: int) -> bool:
    """Take the lock on an open file if it is free, and say whether it was."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
