"""Run the local servers until Ctrl-C: all three for `up`, without the functions for `services`.

Their data stays in .local/up (.local/services), from one start to the next.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from azure.core.exceptions import AzureError

from local.commands.command_line import parse
from local.commands.screen import fail
from local.servers.azurite import ANY_PORTS, STANDARD_PORTS
from local.servers.processes import Interrupted, ServerError, interrupt_on_signals
from local.servers.running import forget_running, lasting_key, only_one, write_running
from local.servers.stack import LOCAL, Ports, Servers, is_free, running_servers

SERVICE_PORT = 8790
FUNCTIONS_PORT = 7071


def main(arguments: Sequence[str]) -> int:
    """Run the servers until a signal comes or one of them ends; return 0 after Ctrl-C."""
    parse(arguments[0], arguments[1:])
    interrupt_on_signals()
    try:
        with only_one():
            return _run(functions=arguments[0] == "up")
    except (ServerError, AzureError) as failure:
        return fail(failure)
    except KeyboardInterrupt as interruption:
        print("Stopped. The data stays for the next start.", file=sys.stderr)
        return 128 + interruption.signum if isinstance(interruption, Interrupted) else 0


def _run(*, functions: bool) -> int:
    ports = _preferred_ports() if functions else _fixed_ports()
    print(
        "Starting storage (Azurite)"
        + (", the batch service and the functions ..." if functions else " and the batch service ..."),
        flush=True,
    )
    folder = LOCAL / ("up" if functions else "services")
    with running_servers(folder, ports, functions=functions, key=lasting_key()) as servers:
        try:
            write_running(servers)
            print(_announcement(servers, folder), flush=True)
            while True:
                servers.check()
                time.sleep(0.5)
        finally:
            forget_running()


def _preferred_ports() -> Ports:
    """Return the usual ports where they are free, else any."""
    return Ports(
        storage=STANDARD_PORTS if all(map(is_free, STANDARD_PORTS)) else ANY_PORTS,
        service=SERVICE_PORT if is_free(SERVICE_PORT) else 0,
        functions=FUNCTIONS_PORT if is_free(FUNCTIONS_PORT) else 0,
    )


def _fixed_ports() -> Ports:
    """Return the ports that local.settings.example.json names; raises ServerError where one is taken."""
    taken = [str(port) for port in (*STANDARD_PORTS, SERVICE_PORT) if not is_free(port)]
    if taken:
        raise ServerError(
            f"Port {', '.join(taken)} of this machine is in use, and local.settings.json needs it: "
            f"stop what listens there. (Ports {STANDARD_PORTS[0]} to {STANDARD_PORTS[-1]} are Azurite's.)"
        )
    return Ports(STANDARD_PORTS, SERVICE_PORT)


def _announcement(servers: Servers, folder: Path) -> str:
    lines = [""]
    if servers.status_page:
        lines += [
            f"Status page        {servers.status_page}",
            f"Functions          {servers.functions_url}   (key {servers.function_key})",
        ]
    lines += [
        f"Batch service      {servers.service_url}   (emulated: its answers are made up)",
        f"Log                {folder / ('functions.log' if servers.status_page else 'service.log')}",
        f"Storage            {servers.connection_string}",
        "                   (this connection string is for Azure Storage Explorer, too)",
        "",
    ]
    if servers.status_page:
        lines += [
            "In another terminal:",
            "  python3 dev.py drop FILE     drop a prompt file, follow its job, fetch its results",
            "  python3 dev.py jobs          list the jobs",
        ]
    else:
        lines += [
            "Now, in another terminal: copy local.settings.example.json to local.settings.json, and: func start",
            "Then drop a prompt file:  python3 dev.py drop FILE",
        ]
    return "\n".join([*lines, "Ctrl-C ends it."])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
