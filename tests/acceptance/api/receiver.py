"""Somebody's web hook: a real server that accepts, refuses or ignores notices, and remembers them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """The server's address, what it answers (the last status for ever), and what it got."""

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [204])
    headers: dict[str, str] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)
    signatures: list[str | None] = field(default_factory=list)
    types: list[str | None] = field(default_factory=list)

    @property
    def states(self) -> list[str]:
        """The jobs' states in all notices that came."""
        return [json.loads(body)["state"] for body in self.bodies]


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """Run the server on a free port for the length of a with-block."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            receiver.signatures.append(self.headers["X-Signature-256"])
            receiver.types.append(self.headers["Content-Type"])
            status = receiver.statuses.pop(0) if len(receiver.statuses) > 1 else receiver.statuses[0]
            if status == 0:
                self.wfile.write(b"this is no HTTP\r\n\r\n")
                return
            self.send_response(status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook?token=hidden"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
