"""The command `python -m local.batch_service`: run the emulated batch service until it is told to end."""

import argparse
import os
import sys
from pathlib import Path

from pydantic import ValidationError

from local.batch_service import json_text
from local.batch_service.batches import Timings
from local.batch_service.control import faults_of
from local.batch_service.errors import ServiceError
from local.batch_service.scenario import Scenario
from local.batch_service.scripts import with_answers
from local.batch_service.server import Server, blob_store, data_folder, listen, url_of
from local.batch_service.service import Service

KEY_VARIABLE = "ANSWERS_API_KEY"


def main() -> int:
    """Run the service; return the exit code: 0 after a signal, 2 where it can't start."""
    options = _options()
    try:
        key = options.answers_key or os.environ.get(KEY_VARIABLE)
        scenario = with_answers(_scenario(options.scenario, options.platform), options.answers, options.model, key)
        with data_folder(options.data) as folder, listen(options.port) as listener:
            service = Service(folder, scenario=scenario, timings=_timings(options), blobs=blob_store(options.storage))
            url = url_of(listener)
            Server(service, lambda: print(f"listening on {url}", flush=True)).run(sockets=[listener])
            service.close()
    except ValidationError as error:
        print(f"The batch service can't start: {faults_of(error)}", file=sys.stderr)
        return 2
    except (OSError, ServiceError, ValueError) as error:
        print(f"The batch service can't start: {error}", file=sys.stderr)
        return 2
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.batch_service", description="A local Azure OpenAI batch service."
    )
    usual = Timings()
    parser.add_argument("--port", type=int, default=0, help="the port on 127.0.0.1; 0 takes a free one (default)")
    parser.add_argument("--data", type=Path, help="the folder of its state; by default a temporary one")
    parser.add_argument("--scenario", type=Path, help="a JSON file that says what goes wrong (docs/batch-service.md)")
    parser.add_argument("--platform", choices=["azure", "openai"], help="whose ways it has; default: azure")
    parser.add_argument("--answers", metavar="URL", help="an OpenAI-compatible endpoint that answers the rows")
    parser.add_argument("--model", metavar="NAME", help="the model named to that endpoint; by default the row's own")
    parser.add_argument("--answers-key", metavar="KEY", help=f"that endpoint's key; default: ${KEY_VARIABLE}")
    parser.add_argument("--storage", metavar="CONNECTION_STRING", help="the account of input_blob and output_folder")
    for name in ("processing", "validating", "running", "finalizing", "cancelling"):
        value = getattr(usual, name)
        parser.add_argument(f"--{name}", type=float, default=value, metavar="SECONDS", help=f"default {value:g}")
    return parser.parse_args()


def _timings(options: argparse.Namespace) -> Timings:
    return Timings(options.processing, options.validating, options.running, options.finalizing, options.cancelling)


def _scenario(path: Path | None, platform: str | None) -> Scenario:
    told = {} if platform is None else {"platform": platform}
    if path is None:
        return Scenario.model_validate(told)
    try:
        given = json_text.read(path.read_bytes())
        scenario = Scenario.model_validate({**given, **told} if isinstance(given, dict) else given)
    except ValidationError as error:
        raise ValueError(f"{path}: {faults_of(error)}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if scenario.recorded and not Path(scenario.recorded).is_absolute():
        return scenario.model_copy(update={"recorded": str(path.parent / scenario.recorded)})
    return scenario


if __name__ == "__main__":
    sys.exit(main())
