"""The functions host as a server: HTTP on loopback, the other triggers in the background, until a signal."""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router, request_response

from local.functions_host.functions_host import FunctionsHost

_log = logging.getLogger(__name__)


def bind(port: int) -> socket.socket:
    """Return a socket bound to the loopback port, a free one for 0; raises OSError where it is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        raise
    return listener


def serve(host: FunctionsHost, listener: socket.socket, on_ready: Callable[[], None], stop_seconds: float) -> None:
    """Run an indexed host until SIGINT or SIGTERM, then let what runs finish.

    Where that takes longer than `stop_seconds`, the process ends at once with status 1: storage gives the work back.
    """
    stop = threading.Event()
    _set_on_signals(stop)
    server = uvicorn.Server(
        uvicorn.Config(
            _application(host),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=int(stop_seconds),
        )
    )
    web = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="http", daemon=True)
    web.start()
    while not server.started and web.is_alive():
        stop.wait(0.01)
    host.listen()
    on_ready()
    # A wait with a timeout: on Windows a wait without one cannot be interrupted.
    while not stop.wait(0.5):
        pass
    _log.info("Stopping")
    server.should_exit = True
    closing = threading.Thread(target=_close, args=(web, host), daemon=True)
    closing.start()
    closing.join(stop_seconds)
    if closing.is_alive():
        _log.error("A function still runs after %.0f s; ending without it", stop_seconds)
        sys.stderr.flush()
        os._exit(1)


def _close(web: threading.Thread, host: FunctionsHost) -> None:
    web.join()
    host.close()


def _application(host: FunctionsHost) -> Router:
    async def answer(request: Request) -> Response:
        body = await request.body()
        result = await run_in_threadpool(
            host.http,
            request.method,
            request.scope["path"],
            query=request.url.query,
            headers=dict(request.headers),
            body=body,
        )
        response = Response(result.body, result.status)
        for name, value in result.headers:
            if name == "set-cookie":
                response.headers.append(name, value)
            else:
                response.headers[name] = value
        return response

    # Not a route of its own: no pattern takes every path, one with a line break included.
    return Router(default=request_response(answer))


def _set_on_signals(stop: threading.Event) -> None:
    def handle(_signum: int, _frame: FrameType | None) -> None:
        stop.set()

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handle)
