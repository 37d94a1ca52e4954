"""Have the emulated batch service's rows answered by a real model, at any OpenAI-compatible endpoint."""

import argparse
import json
import urllib.error
import urllib.request
from typing import Any

from local.servers.processes import ServerError

_SECONDS = 10


def look_for(url: str | None) -> None:
    """Raise ServerError where an address is given and nothing listens there; any answer at all will do."""
    if url is None:
        return
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/models", timeout=_SECONDS):
            pass
    except urllib.error.HTTPError:
        pass  # It is there; not every such server lists its models, or without a key.
    except (OSError, ValueError) as error:
        raise ServerError(
            f"Nothing answers at {url} ({getattr(error, 'reason', error)}). Start the model's server first. The "
            "address is the one that the openai client takes as base_url, as http://127.0.0.1:11434/v1."
        ) from error


def answer_with(service_url: str, options: argparse.Namespace) -> None:
    """Tell the service where its answers come from, from now on."""
    scenario = _call(f"{service_url}/_local/scenario")
    forwarding = {"url": options.answers, "model": options.model}
    if options.answers_key:
        forwarding["key"] = options.answers_key
    _call(f"{service_url}/_local/scenario", {**scenario, "answers": forwarding})


def _call(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found
    except urllib.error.HTTPError as error:
        reason = error.read().decode("utf-8", "replace")
        raise ServerError(f"The batch service does not take this endpoint: {reason}") from error
