"""Run the function app of the current folder: python -m local.functions_host."""

import argparse
import logging
import os
import secrets
import sys
from pathlib import Path

from local.functions_host import FunctionsHost, Habits, IndexingError, SettingsError, read_local_settings
from local.functions_host.server import bind, serve
from local.functions_host.worker import FunctionNameFilter, Worker

_SETTINGS_FILE = "local.settings.json"
_KEY_VARIABLE, _SYSTEM_KEY_VARIABLE = "FUNCTION_KEY", "BLOBS_EXTENSION_KEY"


def main() -> int:
    """Serve the app until Ctrl-C or SIGTERM; return the exit status, 1 where the app cannot be run."""
    arguments = _parse_arguments()
    settings_file = Path(arguments.settings)
    try:
        settings = {}
        if settings_file.exists() or arguments.settings != _SETTINGS_FILE:
            settings = read_local_settings(settings_file)
        # As with Core Tools, a variable that is set already beats the file.
        settings = {name: value for name, value in settings.items() if name not in os.environ}
        listener = bind(arguments.port)
    except SettingsError as wrong:
        return _fail(str(wrong))
    except OSError:
        return _fail(f"Port {arguments.port} is in use. Choose another: --port PORT, 0 for any free one.")
    key = arguments.function_key or os.environ.get(_KEY_VARIABLE) or secrets.token_urlsafe(24)
    system_key = os.environ.get(_SYSTEM_KEY_VARIABLE) or secrets.token_urlsafe(24)
    try:
        habits = Habits(arguments.timer_lease, arguments.in_flight, arguments.miss_same_second)
    except SettingsError as wrong:
        return _fail(str(wrong))
    host = FunctionsHost(Path.cwd(), settings, key, system_key=system_key, habits=habits)
    _configure_logging(arguments.log_level, host.worker)
    try:
        host.start_indexing()
        host.check_connections()
    except (IndexingError, SettingsError) as wrong:
        return _fail(f"The app cannot be run. {wrong}")
    if not (arguments.function_key or os.environ.get(_KEY_VARIABLE)):
        print(f"function key (header x-functions-key): {key}", file=sys.stderr)
    if not os.environ.get(_SYSTEM_KEY_VARIABLE) and host.awaits_events:
        print(f"system key of the route for events (?code=...): {system_key}", file=sys.stderr)

    def announce() -> None:
        port = listener.getsockname()[1]
        print(f"functions ready on http://127.0.0.1:{port} ({len(host.functions)} functions)", flush=True)

    serve(host, listener, announce, arguments.stop_timeout)
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m local.functions_host", description=__doc__)
    parser.add_argument("--port", type=int, default=7071, help="port of the HTTP functions; 0: any free one")
    parser.add_argument("--settings", default=_SETTINGS_FILE, help="file of app settings; the default may be absent")
    parser.add_argument("--function-key", help=f"key of the HTTP functions; default: ${_KEY_VARIABLE}, or a new one")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    parser.add_argument("--stop-timeout", type=float, default=20, help="seconds that running functions get at the end")
    usual = Habits()
    parser.add_argument(
        "--timer-lease",
        type=int,
        default=usual.timer_lease_seconds,
        metavar="SECONDS",
        help="how long the timers of a killed host rest: 15 to 60, or 0 for no lease; default: 60, as the real host",
    )
    parser.add_argument(
        "--in-flight",
        type=int,
        default=usual.in_flight_seconds,
        metavar="SECONDS",
        help="how long the messages of a killed host stay hidden; default: 600, as the real host",
    )
    parser.add_argument(
        "--miss-same-second",
        action="store_true",
        help="miss blobs of the second of the newest one seen before, as the real host's scan can",
    )
    return parser.parse_args()


def _configure_logging(level: str, worker: Worker) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(FunctionNameFilter(worker))
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(function)s: %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in ("azure", "httpx", "httpx2", "httpcore2", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _fail(message: str) -> int:
    print(message, file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
