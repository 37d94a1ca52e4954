"""Results on the status page: rows to look at, files to fetch, trials, and where the page keeps its place."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from local.screenshots.sample_jobs import many_jobs, put, sample_jobs
from local.servers.still_app import StillApp, running_still_app
from shared.domain import blob_names
from shared.domain.model import Job
from shared.domain.ports import Container
from testing.seeding import fill_history
from tests.acceptance.page.test_reading import open_job, open_page

LONG_NAME = "quarterly-reviews/" + "a-name-that-goes-on-and-on-" * 7 + ".csv"


def sample(app: StillApp, name: str) -> Job:
    """The stored job of a prompt file."""
    [job] = [job for job, _ in sample_jobs(datetime.now(UTC)) if name in job.prompt_file]
    tail = job.job_id[-8:]
    [found] = [job for job, _ in app.app.store.history(after="", limit=50, state="", prefix="") if tail in job.job_id]
    return found


def test_the_first_answers_stand_beside_the_own_columns(page: Page, app: StillApp) -> None:
    open_page(page, app)
    open_job(page, "products.jsonl")
    answers = page.get_by_role("region", name="First answers")

    expect(answers.locator("tbody tr")).to_have_count(10)
    names = answers.locator("thead th").all_text_contents()
    assert names == ["Row", "SKU", "Title", "Description", "category", "brand", "keywords", "confidence"]
    first = answers.locator("tbody tr").first.locator("th, td").all_text_contents()
    assert first[:5] == [
        "1",
        "P-40001",
        "Cordless kettle 1.7 l",
        "Stainless steel, quick boil, auto shut-off, 2200 W",
        "kitchen/kettles",
    ]
    assert first[6:] == ["stainless steel, quick boil, auto shut-off", "0.97"]


def test_the_first_failed_rows_say_their_code_and_why(page: Page, app: StillApp) -> None:
    open_page(page, app)
    open_job(page, "products.jsonl")
    failed = page.get_by_role("region", name="First failed rows")
    expect(failed.locator("tbody tr")).to_have_count(10)
    first = failed.locator("tbody tr").first.locator("th, td").all_text_contents()
    assert first[:4] == ["3", "refusal", "The model refused: I'm sorry, I can't help with that.", "P-40003"]


def test_more_rows_are_shown_on_demand(page: Page, app: StillApp) -> None:
    open_page(page, app)
    open_job(page, "products.jsonl")
    answers = page.get_by_role("region", name="First answers")
    more = page.locator("[data-focus=more-ok]")
    more.click()
    expect(answers.locator("tbody tr")).to_have_count(60)
    more.click()
    expect(more).not_to_be_visible()
    expect(answers).to_be_focused()
    numbers = [int(number) for number in answers.locator("tbody th").all_text_contents()]
    assert numbers == sorted(set(numbers))
    assert len(numbers) > 60


def test_every_file_there_is_can_be_fetched_and_no_other_is_offered(page: Page, app: StillApp) -> None:
    job = sample(app, "products.jsonl")
    folder = blob_names.results_folder(job)
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    open_page(page, app)
    open_job(page, "products.jsonl")
    links = page.locator("#job-body .files a")
    expect(links).to_have_count(4)

    for name in ("results.csv", "results.jsonl", "errors.jsonl", "status.json"):
        with page.expect_download() as download:
            links.filter(has_text=name).press("Enter")
        assert download.value.suggested_filename == f"products-{name}"
        content = Path(download.value.path()).read_bytes()
        assert content == b"".join(app.app.files.read(Container.RESULTS, folder + name))
    assert all(app.key not in address.partition("#")[0] for address in addresses)
    expect(page.locator("#panel")).to_be_visible()


def test_workbook_and_parquet_are_offered_where_they_exist(page: Page, app: StillApp) -> None:
    job = sample(app, "buildings.csv")
    for name in ("results.xlsx", "results.parquet"):
        app.app.files.write(Container.RESULTS, blob_names.results_folder(job) + name, b"x" * 1200)
    open_page(page, app)
    open_job(page, "buildings.csv")
    expect(page.locator("#job-body .files a").filter(has_text="results.xlsx")).to_contain_text("1.2 KB")
    expect(page.get_by_role("link", name="results.parquet")).to_be_visible()


def test_a_job_under_way_offers_no_files(page: Page, app: StillApp) -> None:
    open_page(page, app)
    open_job(page, "tickets")
    expect(page.locator("#job-body")).to_contain_text("left, at the rate so far")
    expect(page.locator("#job-body .files a")).to_have_count(0)
    expect(page.locator("#job-body [role=region]")).to_have_count(0)


def test_files_that_are_switched_off_are_said_to_be(page: Page, app: StillApp) -> None:
    refusal = {"error": {"code": "forbidden", "message": "Files and rows are switched off."}}
    page.route("**/files", lambda route: route.fulfill(status=403, json=refusal))
    open_page(page, app)
    open_job(page, "products.jsonl")
    expect(page.locator("#job-body")).to_contain_text("Files and rows are switched off.")
    expect(page.locator("#job-body")).to_contain_text("48,154 succeeded")
    expect(page.locator("#job-body .files a")).to_have_count(0)


def test_a_file_that_is_gone_by_now_is_said_where_it_was_asked_for(page: Page, app: StillApp) -> None:
    refusal = {"error": {"code": "not_found", "message": "The job has no such file."}}
    page.route("**/files/results.csv?*", lambda route: route.fulfill(status=404, json=refusal))
    open_page(page, app)
    open_job(page, "products.jsonl")
    page.get_by_role("link", name="results.csv").click()
    expect(page.get_by_role("alert").filter(has_text="The job has no such file.")).to_be_visible()


def test_a_trial_is_called_one_and_offers_the_rest(page: Page, app: StillApp) -> None:
    open_page(page, app)
    trial = page.locator("#jobs > li").filter(has_text="new-prompt.csv")
    expect(trial.locator(".tag")).to_have_text("Trial")
    expect(trial).to_contain_text("5 of 200 rows sent")
    expect(trial.locator(".no")).to_have_count(0)

    open_job(page, "new-prompt.csv")
    expect(page.get_by_role("heading", name="Trial: 5 of 200 rows sent")).to_be_visible()
    expect(page.locator("#job-body")).to_contain_text("195 not sent")
    expect(page.locator("#job-body")).to_contain_text("support/_job.json")
    expect(page.get_by_role("heading", name="Rows without a result")).to_have_count(0)
    page.get_by_role("button", name="Send the other 195").click()
    expect(page.locator("#ask-text")).to_contain_text("The trial's answers are kept and not paid for again.")
    expect(page.locator("#ask-text")).to_contain_text("about $0.047")


def test_filter_and_open_job_stand_in_the_address_and_come_back_with_it(page: Page, app: StillApp) -> None:
    open_page(page, app)
    page.get_by_role("radio", name="Completed").check()
    page.get_by_role("searchbox").fill("catalogue/")
    expect(page.locator("#jobs > li")).to_have_count(1)
    open_job(page, "products.jsonl")
    job_id = sample(app, "products.jsonl").job_id
    assert page.url.endswith(f"#state=completed&find=catalogue%2F&job={job_id}")

    page.reload()
    expect(page.locator("#job-title")).to_have_text("catalogue/products.jsonl")
    page.keyboard.press("Escape")
    expect(page.get_by_role("radio", name="Completed")).to_be_checked()
    expect(page.get_by_role("searchbox")).to_have_value("catalogue/")
    expect(page.locator("#jobs > li")).to_have_count(1)
    assert page.url.endswith("#state=completed&find=catalogue%2F")


def test_chips_count_the_jobs_of_each_state(page: Page, app: StillApp) -> None:
    open_page(page, app)
    expect(page.locator("#states label").filter(has_text="Held")).to_have_text("Held 1")
    page.get_by_role("radio", name="Held").check()
    expect(page.locator("#jobs > li")).to_have_count(1)
    expect(page.locator("#states label").filter(has_text="Waiting")).to_have_text("Waiting 1")


def test_the_months_spending_is_shown_beside_that_of_the_jobs(page: Page, app: StillApp) -> None:
    month = {"spent_usd": 41.5, "reserved_usd": 8.25, "budget_usd": 100}

    def with_month(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "month": month})

    page.route("**/api/jobs?*", with_month)
    open_page(page, app)
    expect(page.locator("#tile-month")).to_contain_text("≤ $41.50")
    expect(page.locator("#tile-month")).to_contain_text("of $100.00 · $8.25 more reserved")
    expect(page.locator("#tile-cost")).to_contain_text("$21.")


JOB = {
    "job_id": "20261122T101500Z-3f2a9c1b",
    "state": "running",
    "created_at": "2026-11-22T10:00:00Z",
    "errors": {},
    "rows": {"total": 1000, "succeeded": 0, "failed": 0, "pending": 1000, "reused": 0},
}


@pytest.mark.parametrize(
    ("minutes", "answered", "says"),
    [
        (60, 500, "about 30 to 90 min left"),
        (60, 10, ""),
        (0.5, 500, ""),
        (60, 950, "about 2 to 4 min left"),
        (600, 100, "about 23 h to 7 d left"),
    ],
)
def test_the_time_left_follows_from_the_rate_so_far_with_its_uncertainty(
    page: Page, app: StillApp, minutes: float, answered: int, says: str
) -> None:
    open_page(page, app)
    now = datetime.fromisoformat(str(JOB["created_at"])) + timedelta(minutes=minutes)
    page.clock.set_fixed_time(now)
    assert page.evaluate("(job) => timeLeftLabel(job)", {**JOB, "answered": answered}) == says


@pytest.mark.parametrize(
    ("estimate", "says"),
    [
        (
            {"input_tokens": 4_812_000, "output_tokens": 1_200_000, "usd": 14.2, "basis": "cap"},
            "1,000 rows: about 4.8 million tokens to read and 1.2 million to write, if every answer were as long as "
            "its token cap allows. That costs about $14.20 at most.",
        ),
        (
            {"input_tokens": 4_812_000, "output_tokens": None, "usd": None, "basis": None},
            "1,000 rows: about 4.8 million tokens to read. How much will be written cannot be told beforehand, so "
            "neither can the cost.",
        ),
        (
            {"input_tokens": 900, "output_tokens": 90, "usd": None, "basis": "history"},
            "1,000 rows: about 900 tokens to read and 90 to write, going by earlier answers of this deployment. The "
            "price of the model is not known.",
        ),
    ],
)
def test_a_held_jobs_estimate_is_said_in_words_and_dollars(
    page: Page, app: StillApp, estimate: dict[str, Any], says: str
) -> None:
    open_page(page, app)
    assert page.evaluate("(job) => estimateWords(job)", {**JOB, "estimate": estimate}) == says


def test_before_a_held_job_is_released_its_estimate_is_said(page: Page, app: StillApp) -> None:
    open_page(page, app)
    open_job(page, "letters")
    expect(page.locator("#job-body .say").first).to_contain_text("Held (input_tokens).")
    page.get_by_role("button", name="Release").click()
    expect(page.locator("#ask-text")).to_contain_text("61,300 rows: about 4.8 million tokens to read.")


@pytest.fixture(scope="module")
def app_of_long_names(azurite: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StillApp]:
    """An app with two hundred jobs of long names, of which the newest can be opened."""
    with running_still_app(tmp_path_factory.mktemp("long-names"), azurite) as app:
        newest, *others = [
            (replace(job, prompt_file=LONG_NAME[:196] + f"{batches[0].index}"), batches)
            for job, batches in many_jobs(datetime.now(UTC), 200)
        ]
        fill_history(app.app, azurite, others)
        put(app.app, *newest)
        yield app


@pytest.mark.parametrize("width", [1180, 390])
def test_two_hundred_jobs_with_names_of_two_hundred_characters_fit(
    page: Page, app_of_long_names: StillApp, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 860})
    open_page(page, app_of_long_names)
    page.get_by_role("button", name="Show older jobs").click()
    expect(page.locator("#jobs > li")).to_have_count(200)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#jobs a.name").first.click()
    expect(page.locator("#job-body section").first).to_be_visible()
    assert page.evaluate("document.querySelector('#panel').scrollWidth <= innerWidth")
