"""DEPLOYMENTS: names that stand for several deployments, each target checked and named where it is at fault."""

import json
from typing import Any

import pytest

from shared.settings import Platform, Settings, Target, read_settings

OWN = "https://name.openai.azure.com"
WEST = "https://west.openai.azure.com"
KEYS = {"WEST_KEY": "canary-west", "OPENAI_KEY": "canary-openai", "SPACED_KEY": "two words"}


def read(deployments: Any, **changes: str) -> Settings:
    text = deployments if isinstance(deployments, str) else json.dumps(deployments)
    own = {"BatchStorage": "UseDevelopmentStorage=true", "AZURE_OPENAI_ENDPOINT": OWN}
    return read_settings({**own, **KEYS, "DEPLOYMENTS": text, **changes})


def one(target: Any, **changes: str) -> Target:
    settings = read({"mini": [target]}, **changes)
    assert settings.faults == ()
    (found,) = settings.deployments["mini"]
    return found


def test_a_text_is_a_deployment_of_the_own_resource_with_its_key_and_route() -> None:
    target = one("mini-batch", AZURE_OPENAI_API_KEY="own", AZURE_OPENAI_API_VERSION="2025-04-01-preview")

    assert target == Target(
        endpoint=OWN,
        deployment="mini-batch",
        key_setting="AZURE_OPENAI_API_KEY",
        api_key="own",
        api_version="2025-04-01-preview",
    )


def test_another_endpoint_takes_neither_the_own_key_nor_the_own_api_version() -> None:
    target = one(
        {"endpoint": f"{WEST}/openai/v1/", "deployment": "m"},
        AZURE_OPENAI_API_KEY="own",
        AZURE_OPENAI_API_VERSION="2025-04-01-preview",
    )

    assert target == Target(endpoint=WEST, deployment="m")


def test_a_target_has_its_own_key_and_api_version() -> None:
    target = one({"endpoint": WEST, "deployment": "m", "key": "WEST_KEY", "api_version": "2024-10-21"})

    assert (target.key_setting, target.api_key, target.api_version) == ("WEST_KEY", "canary-west", "2024-10-21")


@pytest.mark.parametrize(
    ("endpoint", "platform", "expected"),
    [
        ("https://api.openai.com", None, "https://api.openai.com"),
        ("https://api.openai.com/v1", None, "https://api.openai.com"),
        ("https://api.openai.com/v1/", "openai", "https://api.openai.com"),
        ("https://api.openai.com/v1", "azure", "https://api.openai.com"),
        ("http://127.0.0.1:8791/v1/", "OpenAI", "http://127.0.0.1:8791"),
        ("http://[::1]:8791", "openai", "http://[::1]:8791"),
    ],
)
def test_the_openai_platform_is_told_by_its_host_or_by_name(endpoint: str, platform: str | None, expected: str) -> None:
    named = {} if platform is None else {"platform": platform}
    target = one({"endpoint": endpoint, "deployment": "gpt-4o", "key": "OPENAI_KEY", **named})

    assert (target.platform, target.endpoint) == (Platform.OPENAI, expected)


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [
        (WEST, "west.openai.azure.com/m"),
        (f"{WEST}:443", "west.openai.azure.com/m"),
        (f"{WEST}:8443/", "west.openai.azure.com:8443/m"),
        ("http://localhost", "localhost:80/m"),
        ("http://127.0.0.1:8790", "127.0.0.1:8790/m"),
        ("http://[::1]:8790", "[::1]:8790/m"),
    ],
)
def test_a_target_is_called_by_host_port_and_deployment(endpoint: str, name: str) -> None:
    assert one({"endpoint": endpoint, "deployment": "m"}).name == name


def test_a_batch_goes_to_the_named_targets_in_order_and_else_to_the_own_resource() -> None:
    settings = read({"mini": ["mini-batch", {"endpoint": WEST, "deployment": "m"}]})

    assert [target.name for target in settings.targets("mini")] == [
        "name.openai.azure.com/mini-batch",
        "west.openai.azure.com/m",
    ]
    assert [target.name for target in settings.targets("other")] == ["name.openai.azure.com/other"]


@pytest.mark.parametrize(
    ("target", "named"),
    [
        (7, "deployment's name"),
        ([], "deployment's name"),
        ("", "deployment"),
        ({"endpoint": WEST}, '"deployment" is missing'),
        ({"endpoint": WEST, "deployment": ""}, '"deployment" must be a text'),
        ({"endpoint": 1, "deployment": "m"}, '"endpoint" must be a text'),
        ({"endpoint": "west", "deployment": "m"}, '"endpoint" must be an http(s) URL'),
        ({"endpoint": f"{WEST}/openai/deployments/m/chat", "deployment": "m"}, "single route"),
        ({"endpoint": "http://west.openai.azure.com", "deployment": "m"}, '"endpoint" must begin with https://'),
        ({"endpoint": "http://127.evil.example", "deployment": "m"}, '"endpoint" must begin with https://'),
        ({"endpoint": WEST, "deployment": "m", "key": "EAST_KEY"}, "EAST_KEY, which is not set"),
        ({"endpoint": WEST, "deployment": "m", "key": "SPACED_KEY"}, "SPACED_KEY, which must be a key"),
        ({"endpoint": WEST, "deployment": "m", "key": "sk-canary"}, "name of the app setting"),
        ({"endpoint": WEST, "deployment": "m", "key": "0a1b"}, "name of the app setting"),
        ({"endpoint": WEST, "deployment": "m", "key": "canary0a1b"}, "a setting, which is not set"),
        ({"endpoint": WEST, "deployment": "m", "apiversion": "x"}, "allowed are endpoint, deployment, key"),
        ({"endpoint": WEST, "deployment": "m", "platform": "aws"}, "azure, openai"),
        ({"endpoint": "https://api.openai.com/v1", "deployment": "m"}, 'needs "key"'),
        (
            {"endpoint": "https://api.openai.com", "deployment": "m", "key": "OPENAI_KEY", "api_version": "x"},
            '"api_version"',
        ),
    ],
)
def test_a_malformed_target_is_a_fault_that_names_it(target: Any, named: str) -> None:
    settings = read({"good": ["m"], "mini": ["m", target]})

    (fault,) = settings.faults
    assert fault.startswith('DEPLOYMENTS "mini", target 2: ')
    assert named in fault
    assert "canary" not in fault


def test_every_faulty_target_is_named() -> None:
    faults = read({"a": [1], "b": ["m", {"endpoint": WEST}, {"deployment": "m"}]}, MAX_ATTEMPTS="x").faults

    assert [fault.partition(":")[0] for fault in faults[1:]] == [
        'DEPLOYMENTS "a", target 1',
        'DEPLOYMENTS "b", target 2',
        'DEPLOYMENTS "b", target 3',
    ]
    assert faults[0].startswith("MAX_ATTEMPTS")
    assert faults[-1].endswith("is there twice")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("mini=a,b", "breaks off at character 1"),
        ('{"mini": ["a",]}', "breaks off at character"),
        ("[]", "JSON object"),
        ('{"mini": "a"}', "list of its targets"),
        ('{"mini": {"endpoint": "x"}}', "list of its targets"),
        ('{"mini": []}', "without targets"),
        ('{"": ["a"]}', "JSON object"),
        ('{"mini": ["a"], "mini": ["b"]}', "twice"),
        ("[" * 100_000, "JSON object"),
    ],
)
def test_what_is_no_object_of_lists_is_a_fault(text: str, named: str) -> None:
    (fault,) = read(text).faults

    assert fault.startswith("DEPLOYMENTS ")
    assert named in fault


def test_no_targets_key_is_shown() -> None:
    settings = read({"mini": [{"endpoint": WEST, "deployment": "m", "key": "WEST_KEY"}]})

    assert settings.targets("mini")[0].api_key == "canary-west"
    assert "canary" not in repr(settings)
