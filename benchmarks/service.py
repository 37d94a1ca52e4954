"""The local batch service with a large batch: time and peak memory, beside moving the same bytes over loopback.

`python benchmarks/service.py [--rows 100000]` uploads a file of requests, runs it and downloads the results, as any
client does, against `python -m local.batch_service` in a process of its own.
"""

import argparse
import json
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from openai import OpenAI

ROOT = Path(__file__).resolve().parent.parent
FIELDS = ("BuildingName", "HeightInFeet", "City", "Country", "Summary", "Reason")
PIECE = 1024 * 1024


def main() -> int:
    """Run the benchmark and print its figures; the exit code is 1 where rows were lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "requests.jsonl"
        write_requests(source, rows)
        with running() as url, OpenAI(base_url=f"{url}/openai/v1/", api_key="any", max_retries=0) as client:
            steps, lines, size = run(client, source)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)
    there, back = loopback_seconds(source_size := steps.pop("bytes"), size)
    report(rows, source_size, size, steps, there, back, peak)
    return 0 if lines == rows else 1


def write_requests(path: Path, rows: int) -> None:
    """Write a file of chat requests with a schema."""
    schema = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in FIELDS},
        "required": list(FIELDS),
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "building", "strict": True, "schema": schema}}
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for number in range(rows):
            prompt = f"Provide info about the Tower {number} in the city, and say in a sentence why people know it."
            body = {"model": "gpt-4o-batch", "messages": [{"role": "user", "content": prompt}], "response_format": form}
            line = {"custom_id": f"row-{number}", "method": "POST", "url": "/chat/completions", "body": body}
            out.write(json.dumps(line) + "\n")


@contextmanager
def running() -> Iterator[str]:
    """Run the service in a process of its own, with no waiting of its own."""
    times = [f"--{name}=0" for name in ("processing", "validating", "running", "finalizing")]
    command = [sys.executable, "-m", "local.batch_service", *times]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.wait(30)


def run(client: OpenAI, source: Path) -> tuple[dict[str, float], int, int]:
    """Upload, create, run and download; return the seconds of each step, the lines and the bytes downloaded."""
    steps: dict[str, float] = {"bytes": source.stat().st_size}

    def timed[T](name: str, step: Callable[[], T]) -> T:
        start = time.perf_counter()
        result = step()
        steps[name] = time.perf_counter() - start
        return result

    with source.open("rb") as content:
        file = timed("upload", lambda: client.files.create(file=content, purpose="batch"))
    batch = timed(
        "create and validate",
        lambda: client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"),
    )
    batch = timed("process", lambda: client.batches.retrieve(batch.id))
    lines, size = timed("download", lambda: download(client, batch.output_file_id or ""))
    return steps, lines, size


def download(client: OpenAI, file_id: str) -> tuple[int, int]:
    """Read a file in pieces; return its lines and bytes."""
    lines = size = 0
    with client.files.with_streaming_response.content(file_id) as reply:
        for piece in reply.iter_bytes(PIECE):
            lines += piece.count(b"\n")
            size += len(piece)
    return lines, size


def loopback_seconds(there: float, back: float) -> tuple[float, float]:
    """Return the seconds that plain sockets need for as many bytes, there and back."""
    return _moved(int(there)), _moved(int(back))


def _moved(size: int) -> float:
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = threading.Thread(target=_send, args=(server.getsockname()[1], size))
        start = time.perf_counter()
        sender.start()
        connection, _ = server.accept()
        with connection:
            while connection.recv(PIECE):
                pass
        sender.join()
        return time.perf_counter() - start


def _send(port: int, size: int) -> None:
    piece = bytes(PIECE)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for start in range(0, size, PIECE):
            connection.sendall(piece[: min(PIECE, size - start)])


def report(
    rows: int, uploaded: float, downloaded: int, steps: dict[str, float], there: float, back: float, peak: float
) -> None:
    """Print the figures as a table."""
    print(f"{rows:,} rows, {uploaded / 1e6:.0f} MB up, {downloaded / 1e6:.0f} MB down")
    for name, seconds in steps.items():
        plain = {"upload": there, "download": back}.get(name)
        beside = "" if plain is None else f"   (the same bytes over plain sockets: {plain:.2f} s)"
        print(f"  {name:<20}{seconds:7.2f} s{beside}")
    print(f"  {'all':<20}{sum(steps.values()):7.2f} s")
    print(f"  peak memory of the service: {peak:.0f} MB")


if __name__ == "__main__":
    sys.exit(main())
