"""Whole jobs watched and steered on the status page, with all three local servers: storage, service, functions."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import pytest
from azure.storage.blob import BlobServiceClient
from playwright.sync_api import BrowserContext, Locator, Page, expect

from local.servers.stack import PROMPTS, Servers, running_servers
from tests.acceptance.page.conftest import SECONDS

HOSTILE = "<img src=x onerror=document.title='owned'>.csv"
TABLE = "Custom ID,Prompt,Model,Required\na,Who built it?,m,Name\nb,When?,m,Year: integer\n"
LARGE = f"Prompt,Model,Required\n{'word ' * 4000},m,Name\n"
QUICK = {"validating": 0, "running": 0, "finalizing": 0}


class Local:
    """The running servers, and short names for what the tests do to them."""

    def __init__(self, servers: Servers) -> None:
        self.page = servers.status_page or ""
        self._blobs = BlobServiceClient.from_connection_string(servers.connection_string)
        self._service = servers.service_url

    def play(self, scenario: Mapping[str, Any]) -> None:
        """Bring a scenario of the batch service into force."""
        httpx2.post(f"{self._service}/_local/scenario", json=scenario).raise_for_status()

    def drop(self, name: str, content: str) -> None:
        """Drop a prompt file."""
        container = self._blobs.get_container_client(PROMPTS)
        if not container.exists():
            container.create_container()
        container.upload_blob(name, content.encode())


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """All servers; jobs of more than 1000 tokens are held."""
    before = os.environ.get("MAX_JOB_INPUT_TOKENS")
    os.environ["MAX_JOB_INPUT_TOKENS"] = "1000"
    try:
        with running_servers(tmp_path_factory.mktemp("local")) as servers:
            yield Local(servers)
    finally:
        os.environ.pop("MAX_JOB_INPUT_TOKENS")
        if before is not None:
            os.environ["MAX_JOB_INPUT_TOKENS"] = before


@pytest.fixture
def page(local: Local, context: BrowserContext) -> Page:
    """The status page, opened."""
    page = context.new_page()
    page.goto(local.page)
    expect(page.locator("#live[data-kind=live]")).to_be_visible()
    return page


def soon(page: Page, locator: Locator, text: str = "") -> None:
    """Wait until the locator is visible, with this text; the page is made to refresh sooner than it would by itself."""
    for _ in range(4 * SECONDS):
        try:
            if text:
                return expect(locator).to_have_text(text, timeout=500)
            return expect(locator).to_be_visible(timeout=500)
        except AssertionError:
            page.evaluate("dispatchEvent(new Event('online'))")
    raise AssertionError(f"{locator} is not there, or not {text!r}: {page.locator('body').inner_text()}")


def follow(page: Page, name: str) -> None:
    """Open a job as soon as it is listed."""
    soon(page, page.get_by_role("link", name=name))
    page.get_by_role("link", name=name).click()
    expect(page.locator("#job-body section").first).to_be_visible()


def becomes(page: Page, state: str) -> None:
    """Wait until the opened job is in a state."""
    soon(page, page.locator("#job-state"), state)


def test_a_job_is_watched_from_its_drop_to_its_end(local: Local, page: Page) -> None:
    local.play({"batches": [QUICK]})
    local.drop("table.csv", TABLE)

    follow(page, "table.csv")
    becomes(page, "Completed")

    body = page.locator("#job-body")
    expect(body).to_contain_text("2 succeeded")
    expect(body.get_by_role("link", name="results.csv")).to_be_visible()
    expect(body).to_contain_text("2 completed, 0 failed of 2 requests")
    expect(body.get_by_role("button", name="Retry failed rows")).to_have_count(0)


def test_failed_rows_are_retried_in_a_job_of_their_own(local: Local, page: Page) -> None:
    local.play({"batches": [QUICK], "rows": [{"custom_id": "b", "outcome": "error", "status": 400}]})
    local.drop(HOSTILE, TABLE)
    follow(page, HOSTILE)
    becomes(page, "Completed")
    expect(page.locator("#job-body")).to_contain_text("request_failed")
    local.play({"batches": [QUICK]})
    first = page.locator("#job-meta").inner_text()

    page.get_by_role("button", name="Retry failed rows").click()
    expect(page.locator("#ask-text")).to_contain_text("1 row of <img")
    page.get_by_role("button", name="Retry", exact=True).click()

    expect(page.locator("#job-meta")).to_have_text(f"{first}-r1")
    becomes(page, "Completed")
    expect(page.locator("#job-body")).to_contain_text("2 succeeded")
    expect(page.locator("#job-body").get_by_role("link", name=first)).to_be_visible()
    assert page.title() == "StructuredBatch"


def test_a_running_job_is_cancelled_by_keyboard_alone(local: Local, page: Page) -> None:
    local.play({"batches": [{**QUICK, "running": 3600, "cancelling": 0}]})
    local.drop("long.csv", TABLE)
    link = page.get_by_role("link", name="long.csv")
    soon(page, link)

    page.get_by_role("searchbox").focus()
    press_until(page, "Tab", "#states input")
    for _ in range(30):
        page.keyboard.press("Tab")
        if link.evaluate("(element) => element === document.activeElement"):
            break
    page.keyboard.press("Enter")
    becomes(page, "Running")
    press_until(page, "Tab", "[data-focus=cancel]")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Cancel this job?")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("[data-focus=cancel]")).to_be_focused()
    page.keyboard.press("Enter")
    press_until(page, "Tab", "#ask-yes")
    page.keyboard.press("Enter")
    becomes(page, "Cancelled")
    page.keyboard.press("Escape")
    expect(link).to_be_focused()


def test_a_job_that_is_being_cancelled_is_not_offered_to_be_cancelled_again(local: Local, page: Page) -> None:
    local.play({"batches": [{**QUICK, "running": 3600, "cancelling": 3600}]})
    local.drop("slow-to-cancel.csv", TABLE)
    follow(page, "slow-to-cancel.csv")
    becomes(page, "Running")

    page.get_by_role("button", name="Cancel job").click()
    page.locator("#ask-yes").click()

    expect(page.locator("#job-body")).to_contain_text("Being cancelled")
    expect(page.get_by_role("button", name="Cancel job")).to_have_count(0)
    page.reload()
    expect(page.locator("#job-body")).to_contain_text("Being cancelled")
    expect(page.get_by_role("button", name="Cancel job")).to_have_count(0)


def test_a_trial_is_looked_at_and_the_rest_is_sent(local: Local, page: Page) -> None:
    local.play({"batches": [QUICK]})
    local.drop("trial/_job.json", '{"limit": 1}')
    local.drop("trial/tickets.csv", TABLE)
    follow(page, "trial/tickets.csv")
    becomes(page, "Completed")
    expect(page.get_by_role("heading", name="Trial: 1 of 2 rows sent")).to_be_visible()
    expect(page.get_by_role("region", name="First answers").locator("tbody tr")).to_have_count(1)

    page.get_by_role("button", name="Send the other 1").click()
    page.get_by_role("dialog", name="Send the other 1?").get_by_role("button", name="Send 1").click()

    expect(page.locator("#job-meta")).to_contain_text("-r1")
    becomes(page, "Completed")
    expect(page.locator("#job-body")).to_contain_text("2 succeeded")
    expect(page.get_by_role("region", name="First answers").locator("tbody tr")).to_have_count(2)
    page.go_back()
    expect(page.locator("#job-body")).to_contain_text("Tried again in")
    expect(page.get_by_role("button", name="Send the other 1")).to_have_count(0)


def test_a_held_job_is_released(local: Local, page: Page) -> None:
    local.play({"batches": [QUICK]})
    local.drop("large.csv", LARGE)
    follow(page, "large.csv")
    becomes(page, "Held")
    expect(page.locator("#job-body")).to_contain_text("MAX_JOB_INPUT_TOKENS")

    page.get_by_role("button", name="Release").click()
    page.get_by_role("dialog", name="Release this job?").get_by_role("button", name="Release").click()

    becomes(page, "Completed")


def test_a_waiting_job_says_why(local: Local, page: Page) -> None:
    local.play({"batches": [QUICK], "calls": [{"method": "POST", "path": "*/batches", "answer": {"status": 503}}]})
    local.drop("waits.csv", TABLE)
    follow(page, "waits.csv")
    becomes(page, "Waiting")
    expect(page.locator("#job-body .say").first).to_contain_text("Waiting.")
    page.get_by_role("button", name="Cancel job").click()
    page.locator("#ask-yes").click()
    expect(page.locator("#ask")).not_to_be_visible()


def test_what_came_too_late_is_said_where_it_was_asked(local: Local, page: Page) -> None:
    local.play({"batches": [{**QUICK, "running": 3600, "cancelling": 0}]})
    local.drop("late.csv", TABLE)
    follow(page, "late.csv")
    becomes(page, "Running")
    refusal = {"error": {"code": "not_now", "message": "The job has ended already (completed)."}}
    page.route("**/cancel", lambda route: route.fulfill(status=409, json=refusal))

    page.get_by_role("button", name="Cancel job").click()
    page.locator("#ask-yes").click()

    expect(page.get_by_role("alert").filter(has_text="The job has ended already")).to_be_visible()
    page.get_by_role("button", name="Keep as it is").click()
    expect(page.locator("#ask")).not_to_be_visible()


def press_until(page: Page, key: str, selector: str) -> None:
    """Press a key until an element has the focus."""
    for _ in range(40):
        page.keyboard.press(key)
        if page.locator(selector).first.evaluate(f"() => document.activeElement.matches({selector!r})"):
            return
    raise AssertionError(f"{selector} cannot be reached with {key}")
