"""Storage with outages: a relay before Azurite that refuses, or breaks off, some of what goes through it.

A client asks again on a connection only after it has the whole answer to what it asked before. So bytes that come after
an answer begin a new request, and the relay need not understand HTTP.
"""

import asyncio
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

CHUNK = 65536
STARTS_WITHIN = 10.0
REFUSAL = b'<?xml version="1.0" encoding="utf-8"?><Error><Code>ServerBusy</Code><Message>Busy.</Message></Error>'
BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/xml\r\nx-ms-error-code: ServerBusy\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(REFUSAL), REFUSAL)
)


class Outage(StrEnum):
    """What an outage does to the calls that it meets."""

    BUSY = "busy"
    LOST_BEFORE = "lost before it took effect"
    LOST_AFTER = "lost after it took effect"


class FaultyStorage:
    """The relay; `connection_string` is that of the storage behind it."""

    def __init__(self, connection_string: str, seed: int) -> None:
        self.connection_string = ""
        self.met: Counter[Outage] = Counter()
        self._behind = connection_string
        self._random = random.Random(seed)
        self._outage: tuple[Outage, float, float] | None = None

    def fail(self, outage: Outage, share: float, seconds: float) -> None:
        """Let a share of all calls fail for some seconds."""
        self._outage = (outage, share, time.monotonic() + seconds)

    def restore(self) -> None:
        """Let all calls through."""
        self._outage = None

    async def serve(self, ready: threading.Event) -> None:
        """Relay until cancelled."""
        ports = dict.fromkeys(int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", self._behind))
        through = self._behind
        for port in ports:
            server = await asyncio.start_server(self._connection(port), "127.0.0.1", 0)
            through = through.replace(f"127.0.0.1:{port}/", f"127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        self.connection_string = through
        ready.set()
        await asyncio.Event().wait()

    def _connection(self, port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                behind = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                writer.close()
                return
            await _Connection(self, (reader, writer), behind).run()

        return relay

    def next_fault(self) -> Outage | None:
        """Decide what happens to a request that begins now."""
        if self._outage is None:
            return None
        outage, share, until = self._outage
        if time.monotonic() > until or self._random.random() > share:
            return None
        self.met[outage] += 1
        return outage


type _Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Connection:
    """One client's connection and the one behind it."""

    def __init__(self, storage: FaultyStorage, client: _Ends, behind: _Ends) -> None:
        self._storage, self._client, self._behind = storage, client, behind
        self._answered = True
        self._fault: Outage | None = None

    async def run(self) -> None:
        """Relay both ways until one side ends, or a fault ends it."""
        ways = [asyncio.ensure_future(self._requests()), asyncio.ensure_future(self._answers())]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for _, writer in (self._client, self._behind):
            writer.close()

    async def _requests(self) -> None:
        while chunk := await self._client[0].read(CHUNK):
            if self._answered:
                self._answered, self._fault = False, self._storage.next_fault()
            if self._fault is Outage.BUSY:
                self._client[1].write(BUSY)
                await self._client[1].drain()
                return
            if self._fault is Outage.LOST_BEFORE:
                return
            self._behind[1].write(chunk)
            await self._behind[1].drain()

    async def _answers(self) -> None:
        while chunk := await self._behind[0].read(CHUNK):
            self._answered = True
            if self._fault is Outage.LOST_AFTER:
                return
            self._client[1].write(chunk)
            await self._client[1].drain()


@contextmanager
def faulty_storage(connection_string: str, seed: int) -> Iterator[FaultyStorage]:
    """Run a relay before this storage, in a thread, until the block ends."""
    storage, ready = FaultyStorage(connection_string, seed), threading.Event()
    loop = asyncio.new_event_loop()
    relaying = loop.create_task(storage.serve(ready))

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(relaying)
        except asyncio.CancelledError:
            pass  # That is how it ends.

    thread = threading.Thread(target=run, name="faulty-storage", daemon=True)
    thread.start()
    try:
        if not ready.wait(STARTS_WITHIN):
            raise TimeoutError("The relay before the storage did not start.")
        yield storage
    finally:
        loop.call_soon_threadsafe(relaying.cancel)
        thread.join(STARTS_WITHIN)
