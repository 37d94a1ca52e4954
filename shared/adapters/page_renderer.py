"""Adapter: PDFs rendered in a child process, behind shared.domain.ports.PdfRenderer.

A hostile or broken PDF can take the child down, or hold it up until it is killed, and nothing else. The child knows no
secrets: its environment holds what it takes to start.
"""

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, Any, Final

from shared.domain.errors import Unavailable
from shared.domain.ports import RenderingError

SECONDS: Final = 65
"""How long one PDF may take; the child ends itself a little earlier."""

MAX_BYTES: Final = 200_000_000
"""Bytes of all pages together: more than any request may have."""

_MODULE: Final = "shared.documents.render_pages"
_PASSED_ON: Final = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP")


class PageRenderer:
    """Renders one PDF after the other in a child, which is started with the first and again after each fault."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def render(self, data: bytes, *, dpi: int, page: int, most: int) -> list[bytes]:
        ask = {"size": len(data), "dpi": dpi, "page": page, "most": most}
        with self._lock:
            child = self._running()
            late = threading.Event()
            watch = threading.Timer(self._seconds, _kill, (child, late))
            watch.daemon = True
            watch.start()
            try:
                return _answer(child, ask, data)
            except (OSError, ValueError, EOFError):
                self._end()
                took_long = late.is_set() or child.returncode == _TOO_LONG
                raise RenderingError(
                    "it takes too long to render" if took_long else "it is damaged, or takes too much memory to render"
                ) from None
            except RenderingError:
                raise
            except BaseException:
                self._end()
                raise
            finally:
                watch.cancel()

    def close(self) -> None:
        with self._lock:
            self._end()

    def _running(self) -> subprocess.Popen[bytes]:
        """Return the child, a new one where there is none; raises Unavailable where it does not start."""
        if self._child is not None and self._child.poll() is None:
            return self._child
        self._end()
        child = self._child = _started()
        watch = threading.Timer(self._seconds, child.kill)
        watch.daemon = True
        watch.start()
        assert child.stdout is not None
        is_ready = bool(child.stdout.readline())
        watch.cancel()
        if not is_ready:
            self._end()
            raise Unavailable("The process that renders PDFs does not start")
        return child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for stream in (child.stdin, child.stdout):
            with suppress(OSError):  # What a dead child has not read cannot be flushed.
                if stream is not None:
                    stream.close()
        child.wait()


_TOO_LONG: Final = 3
"""The exit code of a child that ended itself, as a PDF took too long."""


def _started() -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, "-m", _MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )


def _answer(child: subprocess.Popen[bytes], ask: dict[str, Any], data: bytes) -> list[bytes]:
    """Return the pages; raises RenderingError, and EOFError or others where the child is gone."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps(ask).encode() + b"\n" + data)
    child.stdin.flush()
    pages: list[bytes] = []
    total = 0
    while True:
        said = json.loads(child.stdout.readline())
        if "error" in said:
            raise RenderingError(said["error"])
        if "end" in said:
            return pages
        total += said["size"]
        if total <= MAX_BYTES:
            pages.append(_read(child.stdout, said["size"]))
        else:
            raise EOFError


def _read(source: IO[bytes], size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _kill(child: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    child.kill()
