"""Chromium without a window, for the status page's tests and screenshots."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

PACKAGE = "chromium-headless-shell"
"""Debian's package of a Chromium without a window of its own, which takes a third of the processor's time."""

_NAMES = (PACKAGE, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_OPTIONS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class BrowserError(Exception):
    """This machine has no browser."""


def find_browser() -> str:
    """Return the path of an installed Chromium or Chrome; raises BrowserError."""
    for name in _NAMES:
        found = shutil.which(name)
        if found:
            return found
    raise BrowserError(
        f"Found no browser (one of {', '.join(_NAMES)}): install one, for instance Debian's package {PACKAGE}."
    )


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run the browser for the length of a with-block; raises BrowserError."""
    program = find_browser()
    # Chromium's sandbox does not work for root.
    options = [*_OPTIONS, *(["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=options)
        try:
            yield browser
        finally:
            browser.close()
