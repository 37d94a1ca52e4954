"""Runs the local servers until Ctrl-C: python -m local.commands.up [--services-only].

Their data stays in .local/up (.local/services), from one start to the next.
"""

import sys
import time
from collections.abc import Sequence

from azure.core.exceptions import AzureError

from local.servers.azurite import ANY_PORTS, STANDARD_PORTS
from local.servers.processes import Interrupted, ServerError, interrupt_on_signals
from local.servers.running import forget_running, only_one, write_running
from local.servers.stack import LOCAL, Ports, Servers, is_free, running_servers

SERVICE_PORT = 8790
FUNCTIONS_PORT = 7071


def main(arguments: Sequence[str]) -> int:
    """Runs the servers until a signal comes or one of them ends; returns 0 after Ctrl-C."""
    interrupt_on_signals()
    functions = "--services-only" not in arguments
    unknown = [argument for argument in arguments if argument != "--services-only"]
    if unknown:
        print(f"'{unknown[0]}' is not understood: this command takes no options.", file=sys.stderr)
        return 2
    try:
        with only_one():
            return _run(functions)
    except (ServerError, AzureError) as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt as interruption:
        print("Stopped. The data stays for the next start.", file=sys.stderr)
        return 128 + interruption.signum if isinstance(interruption, Interrupted) else 0


def _run(functions: bool) -> int:
    ports = _preferred_ports() if functions else _fixed_ports()
    print(
        "Starting storage (Azurite)"
        + (", the batch service and the functions ..." if functions else " and the batch service ..."),
        flush=True,
    )
    with running_servers(LOCAL / ("up" if functions else "services"), ports, functions=functions) as servers:
        try:
            write_running(servers)
            print(_announcement(servers), flush=True)
            while True:
                servers.check()
                time.sleep(0.5)
        finally:
            forget_running()


def _preferred_ports() -> Ports:
    """The usual ports where they are free, else any."""
    return Ports(
        storage=STANDARD_PORTS if all(map(is_free, STANDARD_PORTS)) else ANY_PORTS,
        service=SERVICE_PORT if is_free(SERVICE_PORT) else 0,
        functions=FUNCTIONS_PORT if is_free(FUNCTIONS_PORT) else 0,
    )


def _fixed_ports() -> Ports:
    """The ports that local.settings.example.json names; raises ServerError where one is taken."""
    taken = [str(port) for port in (*STANDARD_PORTS, SERVICE_PORT) if not is_free(port)]
    if taken:
        raise ServerError(
            f"Port {', '.join(taken)} of this machine is in use, and local.settings.json needs it: "
            f"stop what listens there. (Ports {STANDARD_PORTS[0]} to {STANDARD_PORTS[-1]} are Azurite's.)"
        )
    return Ports(STANDARD_PORTS, SERVICE_PORT)


def _announcement(servers: Servers) -> str:
    lines = [
        "",
        f"Batch service      {servers.service_url}   (emulated: its answers are made up)",
        f"Storage            {servers.connection_string}",
        "                   (this connection string is for Azure Storage Explorer, too)",
    ]
    if servers.status_page:
        lines += [
            f"Functions          {servers.functions_url}   (key {servers.function_key})",
            f"Status page        {servers.status_page}",
            "",
            "Drop a prompt file:   python3 dev.py drop FILE      (in another terminal)",
        ]
    else:
        lines += [
            "",
            "Now, in another terminal: copy local.settings.example.json to local.settings.json, and: func start",
            "Then drop a prompt file:  python3 dev.py drop FILE",
        ]
    return "\n".join([*lines, "Ctrl-C ends it."])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
