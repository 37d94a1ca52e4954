"""The status page in a real browser, over the real app and real storage."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from local.screenshots.browser import BrowserError, running_browser
from local.screenshots.sample_jobs import put, put_refusal, sample_jobs
from local.servers.still_app import StillApp, running_still_app

SECONDS = 30
expect.set_options(timeout=SECONDS * 1000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of a module; without one they are skipped.

    Not for longer: playwright leaves an event loop running in the main thread, which other tests would trip over.
    """
    try:
        with running_browser() as browser:
            yield browser
    except BrowserError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def app(azurite: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StillApp]:
    """The app at rest, with jobs in every state."""
    with running_still_app(tmp_path_factory.mktemp("page"), azurite) as app:
        now = datetime.now(UTC)
        for job, batches in sample_jobs(now):
            put(app.app, job, batches)
        put_refusal(app.app, now)
        yield app


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser session of the test's own; what turns on the page would keep a processor busy all the time."""
    context = browser.new_context(
        viewport={"width": 1180, "height": 860}, locale="en-US", timezone_id="UTC", reduced_motion="reduce"
    )
    context.set_default_timeout(SECONDS * 1000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab, in which no script may fail and no policy be broken."""
    page = context.new_page()
    faults = watch(page)
    yield page
    assert faults == []


def watch(page: Page) -> list[str]:
    """Collect the page's uncaught errors, and what the browser forbade it."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda message: faults.append(message.text) if "Content Security Policy" in message.text else None,
    )
    return faults
