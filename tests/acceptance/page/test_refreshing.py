"""How the status page keeps up to date: by itself, rarely enough, and over an app that does not answer."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from local.screenshots.sample_jobs import many_jobs
from local.servers.still_app import StillApp, running_still_app
from testing.seeding import fill_history
from tests.acceptance.page.test_reading import open_page


@pytest.mark.parametrize("status", [500, 503, 404, 502])
def test_an_app_that_answers_with_an_error_is_said_and_the_list_stays(page: Page, app: StillApp, status: int) -> None:
    open_page(page, app)
    body = "<html>gateway" if status == 502 else '{"error": {"code": "x", "message": "Storage is <b>busy</b>."}}'
    page.route("**/api/jobs?*", lambda route: route.fulfill(status=status, body=body))
    page.get_by_role("button", name="Refresh").click()
    says = "answers with status 502" if status == 502 else "Storage is <b>busy</b>."
    expect(page.get_by_role("alert").filter(has_text=says)).to_be_visible()
    assert page.locator("#jobs > li").count() >= 10

    page.unroute("**/api/jobs?*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#banner")).not_to_be_visible()


def test_an_app_that_cannot_be_reached_is_tried_again_by_itself(page: Page, app: StillApp) -> None:
    page.clock.install()
    open_page(page, app)
    page.route("**/api/jobs?*", lambda route: route.abort())
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_text("The function app does not answer.")).to_be_visible()
    page.unroute("**/api/jobs?*")
    page.clock.run_for(20_000)
    expect(page.locator("#banner")).not_to_be_visible()


def test_an_offline_device_is_said_and_comes_back(page: Page, context: BrowserContext, app: StillApp) -> None:
    open_page(page, app)
    context.set_offline(True)
    expect(page.get_by_text("This device is offline.")).to_be_visible()
    expect(page.locator("#live")).to_have_text("Offline")
    context.set_offline(False)
    expect(page.locator("#banner")).not_to_be_visible()


def test_refreshing_gets_rarer_without_news_and_stops_unseen(page: Page, app: StillApp) -> None:
    page.clock.install()
    calls: list[str] = []
    page.on("request", lambda request: calls.append(request.url) if "/api/jobs" in request.url else None)
    open_page(page, app)

    def asked(minutes: int) -> int:
        calls.clear()
        for _ in range(minutes * 6):
            page.clock.run_for(10_000)
            expect(page.locator("#frame")).not_to_have_attribute("aria-busy", "true")
        return len(calls)

    assert 3 <= asked(5) <= 15
    assert 1 <= asked(15) <= 5
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    assert asked(15) == 0
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#frame")).not_to_have_attribute("aria-busy", "true")
    assert len(calls) == 1


def test_news_appear_by_themselves_and_leave_the_focus_where_it_is(page: Page, app: StillApp) -> None:
    page.clock.install()
    open_page(page, app)
    link = page.get_by_role("link", name="survey.csv")
    link.focus()

    def changed(route: Route) -> None:
        answer = route.fetch()
        text = answer.text().replace("survey.csv", "renamed-survey.csv")
        route.fulfill(response=answer, body=text)

    page.route("**/api/jobs?*", changed)
    page.clock.run_for(61_000)
    expect(page.get_by_role("link", name="renamed-survey.csv")).to_be_focused()


def test_older_jobs_that_are_asked_for_during_a_refresh_stay(page: Page, azurite: str, tmp_path: Path) -> None:
    with running_still_app(tmp_path, azurite) as app:
        fill_history(app.app, azurite, many_jobs(datetime.now(UTC), 60))
        open_page(page, app)
        late: list[Route] = []
        page.route("**/api/jobs?limit=50", lambda route: late.append(route))
        with page.expect_request("**/api/jobs?limit=50"):
            page.get_by_role("button", name="Refresh").click()
        page.get_by_role("button", name="Show older jobs").click()
        expect(page.locator("#jobs > li")).to_have_count(60)
        for route in late:
            route.continue_()
        page.wait_for_function("!running")
        expect(page.locator("#jobs > li")).to_have_count(60)
