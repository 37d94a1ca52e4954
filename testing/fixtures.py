"""A world for each test: containers, queues and a table of its own, and a service whose clock stands still."""

from collections.abc import Callable, Iterator

import pytest
from azure.data.tables import TableServiceClient

from local.batch_service.server import RunningService, running_service
from testing.world import World, make_world, settings_for

PLATFORM_KEY = "sk-of-the-platform"
PLATFORM = {"platform": "openai", "keys": [PLATFORM_KEY]}
"""The scenario of an emulated service that is the OpenAI platform."""


@pytest.fixture(scope="session")
def one_service(azurite: str) -> Iterator[RunningService]:
    """Yield one batch service for all tests of a process."""
    with running_service(
        frozen=True, storage=azurite, processing=0, validating=60, running=180, finalizing=60
    ) as service:
        yield service


@pytest.fixture
def service(one_service: RunningService) -> RunningService:
    """Return the service as if new, but for its clock, which has moved on."""
    one_service.reset()
    return one_service


@pytest.fixture(scope="session")
def one_platform() -> Iterator[RunningService]:
    """Yield one batch service in the OpenAI platform's ways for all tests of a process."""
    with running_service(PLATFORM, frozen=True, processing=0, validating=60, running=180, finalizing=60) as service:
        yield service


@pytest.fixture
def platform(one_platform: RunningService) -> RunningService:
    """Return that service as if new, but for its clock."""
    one_platform.reset()
    return one_platform


@pytest.fixture
def punctual_world(azurite: str) -> Iterator[World]:
    """Yield a world whose clock starts at the present time, which is also that of the blobs."""
    with running_service(frozen=True, processing=0, validating=60, running=180, finalizing=60) as punctual:
        yield make_world(punctual, settings_for(azurite, punctual.url))


@pytest.fixture
def new_world(azurite: str, service: RunningService) -> Iterator[Callable[..., World]]:
    """Yield a function that makes worlds, each with its own settings; their tables go when the test is over.

    Azurite writes all tables into one file, time and again: what no test needs any more would slow down all others.
    """
    made: list[World] = []

    def make(**changes: str) -> World:
        made.append(make_world(service, settings_for(azurite, service.url, **changes)))
        return made[-1]

    yield make
    with TableServiceClient.from_connection_string(azurite) as tables:
        for world in made:
            tables.delete_table(world.environment["JOBS_TABLE"])


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    """Return a world with the default settings."""
    return new_world()
