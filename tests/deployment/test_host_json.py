"""host.json is what the host accepts, and leaves the app the time and the tries that its design counts on."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from shared.pipeline.steps import BUDGET
from testing.paths import PROJECT

SCHEMA = json.loads(Path(__file__).with_name("data").joinpath("host.schema.json").read_text("utf-8"))


@pytest.fixture
def host() -> dict[str, Any]:
    """The project's host.json."""
    found: dict[str, Any] = json.loads((PROJECT / "host.json").read_text("utf-8"))
    return found


def faults(host: dict[str, Any]) -> list[str]:
    """What the schema says against a host.json."""
    return [error.message for error in jsonschema_rs.validator_for(SCHEMA).iter_errors(host)]


def test_host_json_keeps_its_schema(host: dict[str, Any]) -> None:
    assert faults(host) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("functionTimeout", "30"),
        ("extensions.queues.batchSize", 33),
        ("extensions.queues.visibilityTimeout", "1:00"),
        ("extensions.blobs.poisonBlobTreshold", 5),
        ("logging.logLevel.default", "Info"),
        ("extensionBundle.version", "4"),
    ],
)
def test_the_schema_tells_a_wrong_host_json(host: dict[str, Any], path: str, value: object) -> None:
    *parents, key = path.split(".")
    section = host
    for parent in parents:
        section = section[parent]
    section[key] = value
    assert faults(host)


def test_a_trigger_has_far_more_time_than_it_takes_for_itself(host: dict[str, Any]) -> None:
    hours, minutes, seconds = map(int, host["functionTimeout"].split(":"))
    assert hours * 3600 + minutes * 60 + seconds >= 10 * BUDGET.total_seconds()


def test_a_failed_message_is_not_tried_again_at_once(host: dict[str, Any]) -> None:
    assert host["extensions"]["queues"]["visibilityTimeout"] == "00:01:00"
    assert host["extensions"]["queues"].get("messageEncoding", "base64") == "base64"
