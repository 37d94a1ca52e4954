"""Make the documentation's pictures of the status page: python -m local.screenshots [FOLDER].

The page is the real one, over real storage that holds jobs in every state.
"""

import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from local.screenshots.browser import BrowserError, running_browser
from local.screenshots.sample_jobs import put, put_refusal, sample_jobs
from local.servers.azurite import running_azurite
from local.servers.processes import ServerError
from local.servers.stack import PROJECT
from local.servers.still_app import StillApp, running_still_app

FOLDER = PROJECT / "docs" / "images"
DESK, PHONE = (1180, 860), (390, 844)


def main(arguments: Sequence[str]) -> int:
    """Write the pictures and say where; return the exit status."""
    folder = Path(arguments[0]) if arguments else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work, running_azurite() as azurite:
            with running_still_app(Path(work), azurite.connection_string) as app, running_browser() as browser:
                now = datetime.now(UTC)
                for job, batches in reversed(sample_jobs(now)):
                    put(app.app, job, batches)
                put_refusal(app.app, now)
                _take_all(browser, app, folder)
    except (BrowserError, ServerError) as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def _take_all(browser: Browser, app: StillApp, folder: Path) -> None:
    for scheme in ("light", "dark"):
        for device, size in (("desk", DESK), ("phone", PHONE)):
            context = browser.new_context(
                viewport={"width": size[0], "height": size[1]},
                color_scheme="dark" if scheme == "dark" else "light",
                reduced_motion="reduce",
                device_scale_factor=1,
            )
            page = context.new_page()
            page.goto(app.page)
            expect(page.locator("#jobs > li")).to_have_count(11)
            _take(page, folder / f"jobs-{device}-{scheme}.png")
            page.get_by_role("link", name="products.jsonl").click()
            expect(page.get_by_role("region", name="First failed rows")).to_be_visible()
            _take(page, folder / f"job-{device}-{scheme}.png")
            context.close()


def _take(page: Page, file: Path) -> None:
    page.screenshot(path=file)
    print(file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
