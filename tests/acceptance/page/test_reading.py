"""What the status page shows: every state, every figure, and text that stays text."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from local.screenshots.sample_jobs import many_jobs, put, sample_jobs
from local.servers.still_app import StillApp, running_still_app
from shared.domain import blob_names
from shared.domain.model import JobState, RowCode
from shared.domain.ports import Container
from testing.seeding import fill_history
from tests.acceptance.page.conftest import watch

HOSTILE = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>\u202egnp.csv'


def open_page(page: Page, app: StillApp) -> None:
    page.goto(app.page)
    expect(page.locator("#jobs > li").first).to_be_visible()


def row(page: Page, name: str) -> str:
    return page.locator("#jobs > li").filter(has_text=name).text_content() or ""


def open_job(page: Page, name: str) -> None:
    page.get_by_role("link", name=name).click()
    expect(page.locator("#job-body section").first).to_be_visible()


def test_every_state_is_shown_in_the_list_and_in_its_job(page: Page, app: StillApp) -> None:
    open_page(page, app)
    words = page.evaluate("Object.fromEntries(Object.entries(STATES).map(([state, [label]]) => [state, label]))")
    assert set(words) == set(JobState)
    for job, _ in sample_jobs(datetime.now(UTC)):
        item = page.locator("#jobs > li").filter(has_text=job.job_id[-8:])
        expect(item.locator(".badge")).to_have_text(words[job.state])
        item.get_by_role("link").click()
        expect(page.locator("#job-state")).to_have_text(words[job.state])
        expect(page.locator("#job-title")).to_have_text(job.prompt_file)
        page.keyboard.press("Escape")
        expect(page.locator("#panel")).not_to_be_visible()


def test_every_row_code_is_explained(page: Page, app: StillApp) -> None:
    open_page(page, app)
    of_documents = {"image_missing", "image_unsupported", "document_unsupported"}
    assert set(page.evaluate("Object.keys(ROW_CODES)")) == set(RowCode) | of_documents


def test_a_cost_however_small_is_never_shown_as_nothing(page: Page, app: StillApp) -> None:
    open_page(page, app)
    shown = page.evaluate("[0, 0.00001, 0.0007, 0.25, 9.6626].map(dollars)")
    assert shown == ["$0", "< $0.0001", "$0.0007", "$0.250", "$9.66"]


def test_the_list_gives_figures_reasons_and_warnings(page: Page, app: StillApp) -> None:
    open_page(page, app)
    assert "16,240 of 25,000 rows · 22 failed" in row(page, "tickets")
    assert "5M" in row(page, "tickets")
    assert "≤ $9.66" in row(page, "tickets")
    assert "1 h ago" in row(page, "tickets")
    assert "additionalProperties" in row(page, "tickets")
    assert "no room left for enqueued tokens" in row(page, "clauses")
    assert "MAX_JOB_INPUT_TOKENS" in row(page, "letters")
    assert "unknown" in row(page, "articles")
    expect(page.locator("#tile-open")).to_contain_text("3")
    expect(page.locator("#tile-stuck")).to_contain_text("2")
    expect(page).to_have_title("(2 waiting) StructuredBatch")


def test_a_job_shows_its_batches_errors_figures_and_results(page: Page, app: StillApp) -> None:
    open_page(page, app)
    open_job(page, "tickets")
    body = page.locator("#job-body")
    expect(body).to_contain_text("9,978 succeeded")
    expect(body).to_contain_text("6,240 answered at the service so far")
    expect(body).to_contain_text("Cost, at most")
    expect(body).to_contain_text("the bill decides")
    expect(body.locator(".batches > li")).to_have_count(3)
    expect(body.locator(".batches > li").nth(1)).to_contain_text("in progress")
    expect(body.locator(".batches > li").nth(1)).to_contain_text("attempt 1 · submitted")
    expect(body.locator(".chart > li").first).to_contain_text("refusal")
    page.keyboard.press("Escape")

    open_job(page, "bersetzungen")
    expect(body).to_contain_text("Failed (missing_column). ")
    address = body.get_by_role("link", name="results.csv").get_attribute("href") or ""
    assert re.fullmatch(r"/api/jobs/\d{8}T\d{6}Z-0d41b7c8/files/results\.csv", address)
    expect(body.locator("code").filter(has_text="results/inbox/Übersetzungen.csv/")).to_be_visible()


def test_targets_stand_above_the_list_with_what_is_open_and_why_one_is_left_alone(page: Page, app: StillApp) -> None:
    open_page(page, app)
    targets = page.locator("#targets")
    expect(targets.locator("summary")).to_have_text("2 targets 2 open batches · 1 waiting after a refusal")
    expect(targets.locator("li").first).not_to_be_visible()
    targets.locator("summary").press("Enter")
    west, own = targets.locator("li").all()
    expect(west).to_contain_text("contoso-west.openai.azure.com/gpt-4o-batch")
    expect(west).to_contain_text("Has room")
    expect(west).to_contain_text("No refusal so far")
    expect(own).to_contain_text("Waiting until")
    expect(own).to_contain_text("1 open batch")
    expect(own).to_contain_text("The deployment gpt-4o-batch has no room left for enqueued tokens")
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator("#frame")).not_to_have_attribute("aria-busy", "true")
    expect(own).to_be_visible()


def test_what_a_target_says_is_never_markup_and_none_are_shown_where_there_are_none(page: Page, app: StillApp) -> None:
    refusal = {"at": "2026-11-30T12:00:00Z", "message": HOSTILE}
    odd = {"target": HOSTILE, "open_batches": 1, "waiting_until": "2026-11-30T12:15:00Z", "last_refusal": refusal}
    shown: list[list[dict[str, object]]] = [[odd], []]

    def answer(route: Route) -> None:
        route.fulfill(json={**route.fetch().json(), "targets": shown[0]})

    page.route("**/api/jobs?*", answer)
    open_page(page, app)
    page.locator("#targets summary").click()
    expect(page.locator("#targets li bdi").first).to_have_text(HOSTILE)
    expect(page.locator("#targets li bdi").last).to_have_text(HOSTILE)
    assert page.locator("#targets img, #targets script").count() == 0
    del shown[0]
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator("#targets")).not_to_be_visible()


def test_reused_rows_are_counted_in_the_list_and_in_the_job(page: Page, app: StillApp) -> None:
    def answer(route: Route) -> None:
        body = route.fetch().json()
        for job in body.get("jobs", [body]):
            if job["prompt_file"] == "buildings.csv":
                job["rows"]["reused"] = 2
        route.fulfill(json=body)

    page.route(re.compile(r"/api/jobs(\?.*|/[\w-]+)$"), answer)
    open_page(page, app)
    assert "3 rows · 2 reused" in row(page, "buildings")
    assert "reused" not in row(page, "tickets")
    open_job(page, "buildings")
    expect(page.locator("#job-body .legend")).to_contain_text("2 of them reused from an earlier job")


def test_a_jobs_batches_say_where_they_are(page: Page, app: StillApp) -> None:
    open_page(page, app)
    open_job(page, "tickets")
    expect(page.locator(".batches > li").nth(0)).to_contain_text("at contoso.openai.azure.com/gpt-4o-batch")
    expect(page.locator(".batches > li").nth(2)).to_contain_text("at contoso-west.openai.azure.com/gpt-4o-batch")


def test_text_from_files_is_never_markup(page: Page, app: StillApp, azurite: str) -> None:
    now = datetime.now(UTC)
    [(job, [batch])] = many_jobs(now - timedelta(days=400), 1)
    hostile = replace(
        job,
        prompt_file=HOSTILE,
        message=f"message {HOSTILE}",
        warnings=(f"warning {HOSTILE}",),
        errors={"refusal": 1},
        rows_succeeded=9,
    )
    odd = replace(batch, model=HOSTILE, message=HOSTILE, batch_id=HOSTILE, status=HOSTILE, target=HOSTILE)
    put(app.app, replace(hostile, settings=(HOSTILE,)), [odd])
    result = {"row": 1, "custom_id": HOSTILE, "output": {HOSTILE: HOSTILE}, "input": {f"own {HOSTILE}": HOSTILE}}
    error = {"code": HOSTILE, "message": HOSTILE, "row": 2, "attempts": 1}
    for name, line in (("results", result), ("errors", {"custom_id": HOSTILE, "input": {}, "error": error})):
        blob = f"{blob_names.results_folder(hostile)}{name}.jsonl"
        app.app.files.write(Container.RESULTS, blob, json.dumps(line).encode() + b"\n")
    page.goto(f"{app.page}&job={job.job_id}")

    expect(page.locator("#job-title")).to_have_text(HOSTILE)
    for text in (f"message {HOSTILE}", f"warning {HOSTILE}", HOSTILE):
        expect(page.locator("#job-body").get_by_text(text).first).to_be_visible()
    for cell in ("th.own", "th.answer", "td.own", "td.answer", "tbody th .id", "td code", "td.message"):
        expect(page.locator(f"#job-body .rows {cell}").first).to_contain_text(HOSTILE)
    page.get_by_role("button", name="Retry failed rows").click()
    expect(page.locator("#ask-text")).to_contain_text("onerror")
    assert page.locator("main img, dialog img, main script, dialog script").count() == 0
    assert "owned" not in page.title()


def test_a_thousand_jobs_are_listed(page: Page, azurite: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_still_app(tmp_path_factory.mktemp("thousand"), azurite) as app:
        fill_history(app.app, azurite, many_jobs(datetime.now(UTC), 1000))
        open_page(page, app)
        expect(page.locator("#jobs > li")).to_have_count(50)
        page.get_by_role("button", name="Show older jobs").click()
        expect(page.locator("#jobs > li")).to_have_count(550)
        page.get_by_role("button", name="Show older jobs").click()
        expect(page.locator("#jobs > li")).to_have_count(1000)
        expect(page.get_by_role("button", name="Show older jobs")).not_to_be_visible()
        names = page.locator("#jobs a.name").all_text_contents()
        assert names == [f"many/file-{number:05d}.csv" for number in range(1, 1001)]
        page.get_by_role("button", name="Refresh").click()
        expect(page.locator("#frame")).not_to_have_attribute("aria-busy", "true")
        expect(page.locator("#jobs > li")).to_have_count(1000)


def test_the_list_is_narrowed_by_state_and_found_by_name_or_id(page: Page, app: StillApp) -> None:
    open_page(page, app)
    jobs = page.locator("#jobs > li")
    page.get_by_role("radio", name="Waiting").check()
    expect(jobs).to_have_count(1)
    expect(jobs).to_contain_text("clauses.jsonl")

    page.get_by_role("radio", name="All").check()
    page.get_by_role("searchbox").fill("WEEK-47")  # a part of the name, of a job that is shown already
    expect(jobs).to_have_count(1)
    page.get_by_role("searchbox").fill("catalogue/")
    expect(jobs).to_have_count(1)
    page.get_by_role("searchbox").fill("20261119T071200Z-4f90d2c6-r1")
    expect(jobs).to_contain_text("articles.ndjson.gz")

    page.get_by_role("searchbox").fill("no such file")
    expect(page.get_by_text("No job matches")).to_be_visible()
    page.get_by_role("button", name="Show all jobs").click()
    expect(jobs.nth(10)).to_be_visible()


def test_an_empty_app_says_what_to_do(page: Page, app: StillApp) -> None:
    page.route("**/api/jobs?*", lambda route: route.fulfill(json={"jobs": [], "cursor": None, "month": None}))
    page.goto(app.page)
    expect(page.get_by_text("No jobs yet")).to_be_visible()
    expect(page.get_by_text("Drop a prompt file")).to_be_visible()


def test_a_job_that_does_not_exist_is_said_to(page: Page, app: StillApp) -> None:
    page.goto(f"{app.page}&job=20200101T000000Z-00000000")
    expect(page.locator("#job-body")).to_contain_text("There is no such job.")


def test_the_back_button_closes_a_job(page: Page, app: StillApp) -> None:
    open_page(page, app)
    open_job(page, "survey")
    page.go_back()
    expect(page.locator("#panel")).not_to_be_visible()


def test_the_key_leaves_the_address_and_stays_for_the_session_only(
    page: Page, context: BrowserContext, app: StillApp
) -> None:
    open_page(page, app)
    assert page.url == f"{app.url}/api/dashboard"
    assert app.key not in str(page.evaluate("JSON.stringify({...localStorage}) + document.cookie + history.state"))
    page.reload()
    expect(page.locator("#jobs > li").first).to_be_visible()

    other = context.new_page()
    faults = watch(other)
    other.goto(f"{app.url}/api/dashboard")
    expect(other.get_by_role("textbox", name="Function key")).to_be_focused()
    assert faults == []

    page.get_by_role("button", name="Forget key").click()
    expect(page.get_by_role("textbox", name="Function key")).to_be_focused()
    expect(page.locator("#jobs > li")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("textbox", name="Function key")).to_be_visible()


def test_a_key_is_asked_for_and_a_wrong_one_refused(page: Page, app: StillApp) -> None:
    page.goto(f"{app.url}/api/dashboard")
    for wrong, says in (("wrong", "not accepted"), ("kein schlüssel", "not a function key")):
        page.get_by_role("textbox", name="Function key").fill(wrong)
        page.get_by_role("button", name="Show the jobs").click()
        expect(page.get_by_role("alert").filter(has_text=says)).to_be_visible()
    page.get_by_role("textbox", name="Function key").fill(app.key)
    page.keyboard.press("Enter")
    expect(page.locator("#jobs > li").first).to_be_visible()


def test_the_key_travels_in_a_header_to_the_app_alone(page: Page, app: StillApp) -> None:
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    open_page(page, app)
    open_job(page, "survey")
    assert all(address.startswith((f"{app.url}/api/", "data:")) for address in addresses)
    assert all(app.key not in address.partition("#")[0] for address in addresses)


def test_nothing_but_the_pages_own_script_can_run(page: Page, app: StillApp) -> None:
    policy = httpx2.get(f"{app.url}/api/dashboard").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "http:" not in policy
    page.add_init_script(
        "addEventListener('securitypolicyviolation', (event) => (window.broken = event.violatedDirective))"
    )
    open_page(page, app)
    assert page.evaluate("window.broken") is None


def test_nothing_moves_for_those_who_ask_for_less_motion(browser: Browser, app: StillApp) -> None:
    moving = {}
    for motion in ("no-preference", "reduce"):
        page = browser.new_page(reduced_motion=motion)
        open_page(page, app)
        moving[motion] = page.evaluate("document.getAnimations().length")
        page.close()
    assert moving["no-preference"] > 0
    assert moving["reduce"] == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1180, 390])
def test_the_page_is_accessible(browser: Browser, app: StillApp, scheme: str, width: int) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        bypass_csp=True,
    )
    page = context.new_page()
    page.goto(f"{app.url}/api/dashboard")
    expect(page.get_by_role("textbox", name="Function key")).to_be_visible()
    check(page, "key")
    open_page(page, app)
    check(page, "list")
    page.locator("#targets summary").click()
    expect(page.locator("#targets li").last).to_be_visible()
    check(page, "targets")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for name in ("tickets", "clauses", "products", "new-prompt"):
        open_job(page, name)
        check(page, name)
        assert page.evaluate("document.querySelector('#panel').scrollWidth <= innerWidth")
        page.keyboard.press("Escape")
    open_job(page, "letters")
    page.get_by_role("button", name="Release").click()
    check(page, "question")
    context.close()


def check(page: Page, what: str) -> None:
    violations = Axe().run(page).response["violations"]
    shown = [(found["id"], [node["html"][:120] for node in found["nodes"]]) for found in violations]
    assert shown == [], what
