"""A real browser, and pages to look at. Without a browser these tests fail; they are never skipped."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 900}


@dataclass
class Seen:
    """A page that is open, and what it did that it should not."""

    page: Page
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def clear(self) -> None:
        """Forget what the page before did."""
        self.console.clear()
        self.requests.clear()


Opener = Callable[..., Seen]


# Not longer than a module: as long as it is open, no other test of the process can run a loop.
@pytest.fixture(scope="module")
def window() -> Iterator[Seen]:
    """Return one window of Debian's chromium for all tests: a window takes ten times as long to open as a page."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.fail("there is no chromium, and the report is tested in a real browser: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        seen = Seen(browser.new_context().new_page())
        seen.page.on("console", lambda message: seen.console.append(message.text))
        seen.page.on("pageerror", lambda error: seen.console.append(str(error)))
        seen.page.on("dialog", lambda dialog: seen.console.append(f"dialog {dialog.message}"))
        seen.page.on("request", lambda request: seen.requests.append(request.url))
        yield seen
        browser.close()


@pytest.fixture
def opened(window: Seen, tmp_path: Path) -> Opener:
    """Return what opens a page from a file, as a user would; a test has one page open at a time."""

    def open_page(body: bytes, *, dark: bool = False, phone: bool = False) -> Seen:
        window.clear()
        window.page.emulate_media(color_scheme="dark" if dark else "light")
        window.page.set_viewport_size(PHONE if phone else DESK)
        file = tmp_path / "report.html"
        file.write_bytes(body)
        window.page.goto(file.as_uri())
        return window

    return open_page
