"""The app at rest behind a socket, with jobs in every state; and clients with and without its key."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from local.screenshots.sample_jobs import put, put_refusal, sample_jobs
from local.servers.still_app import StillApp, running_still_app


@contextmanager
def app_with_jobs(azurite: str, folder: Path) -> Iterator[StillApp]:
    """An app with jobs in every state."""
    with running_still_app(folder, azurite) as app:
        now = datetime.now(UTC)
        for job, batches in sample_jobs(now):
            put(app.app, job, batches)
        put_refusal(app.app, now)
        yield app


@pytest.fixture(scope="session")
def still_app(azurite: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StillApp]:
    """One app for all tests of a process, whose jobs no test changes."""
    with app_with_jobs(azurite, tmp_path_factory.mktemp("still-app")) as app:
        yield app


@pytest.fixture
def own_app(azurite: str, tmp_path: Path) -> Iterator[StillApp]:
    """An app whose jobs the test may change."""
    with app_with_jobs(azurite, tmp_path) as app:
        yield app


@pytest.fixture
def anyone(still_app: StillApp) -> Iterator[httpx2.Client]:
    """A client without a key."""
    with httpx2.Client(base_url=still_app.url, timeout=60) as client:
        yield client


@pytest.fixture
def client(still_app: StillApp) -> Iterator[httpx2.Client]:
    """A client with the key."""
    with httpx2.Client(base_url=still_app.url, headers={"x-functions-key": still_app.key}, timeout=60) as client:
        yield client
