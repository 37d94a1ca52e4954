"""The request for a new batch, checked before anything is made of it."""

from dataclasses import dataclass
from typing import Any

from local.batch_service.errors import invalid_payload
from local.batch_service.files import expiry_seconds, knows_expiry
from local.batch_service.scenario import Scenario
from local.batch_service.validation import endpoints

MAX_PAIRS, MAX_KEY, MAX_VALUE = 16, 64, 512


@dataclass(frozen=True)
class NewBatch:
    """A batch that is asked for: its input is a file's id, or a blob with a folder for the results."""

    endpoint: str
    input_file_id: str | None
    input_blob: str | None
    output_folder: str | None
    metadata: dict[str, str] | None
    output_expires: int | None
    api_version: str | None


def read(body: Any, api_version: str | None, scenario: Scenario) -> NewBatch:
    """Read the body of `POST /batches`; raises ServiceError where it is wrong. No `api_version` is the v1 route."""
    limits = scenario.limits
    if not isinstance(body, dict):
        raise invalid_payload("The request's body must be a JSON object.")
    blob = body.get("input_blob")
    folder = None if blob is None else _output_folder(body)
    file_id = body.get("input_file_id")
    if blob is None and (not isinstance(file_id, str) or not file_id):
        raise invalid_payload("Missing required parameter: 'input_file_id'.")
    expires = expiry_seconds(body.get("output_expires_after"), limits)
    return NewBatch(
        endpoint=_endpoint(body, endpoints(scenario.platform)),
        input_file_id=None if blob is not None else file_id,
        input_blob=blob,
        output_folder=folder,
        metadata=_metadata(body.get("metadata")),
        output_expires=expires if knows_expiry(api_version) else None,
        api_version=api_version,
    )


def _endpoint(body: dict[str, Any], known: frozenset[str]) -> str:
    if body.get("completion_window") != "24h":
        raise invalid_payload("The completion_window must be '24h'.")
    endpoint = body.get("endpoint")
    if not isinstance(endpoint, str) or endpoint not in known:
        raise invalid_payload(f"The endpoint must be one of {', '.join(sorted(known))}.")
    return endpoint


def _metadata(given: Any) -> dict[str, str] | None:
    if given is None:
        return None
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise invalid_payload("The metadata must be an object whose values are strings.")
    if len(given) > MAX_PAIRS:
        raise invalid_payload(f"The metadata has {len(given)} pairs; {MAX_PAIRS} are allowed.")
    for key, value in given.items():
        if len(key) > MAX_KEY or len(value) > MAX_VALUE:
            raise invalid_payload(f"A metadata key may have {MAX_KEY} characters and a value {MAX_VALUE}.")
    return given


def _output_folder(body: dict[str, Any]) -> str:
    """Return where an own-storage batch writes its results, once the rules of that mode are met."""
    folder = body.get("output_folder")
    if (
        not isinstance(body["input_blob"], str)
        or not isinstance(folder, dict)
        or not isinstance(folder.get("url"), str)
    ):
        raise invalid_payload("An input_blob needs an output_folder with a url.")
    if body.get("input_file_id"):
        raise invalid_payload("Give either input_file_id or input_blob, not both.")
    if body.get("metadata"):
        raise invalid_payload("Metadata is not supported together with input_blob.")
    return str(folder["url"])
