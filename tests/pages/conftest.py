"""A real browser, and pages to look at. Without a browser these tests fail; they are never skipped."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@dataclass
class Seen:
    """A page that is open, and what it did that it should not."""

    page: Page
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


Opener = Callable[..., Seen]


@pytest.fixture(scope="module")  # not longer: as long as it is open, no other test of the process can run a loop
def browser() -> Iterator[Browser]:
    """Debian's chromium."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.fail("there is no chromium, and the report is tested in a real browser: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opener]:
    """Return what opens a page from a file, as a user would."""
    contexts = []

    def open_page(body: bytes, *, dark: bool = False, phone: bool = False) -> Seen:
        context = browser.new_context(
            color_scheme="dark" if dark else "light",
            viewport=PHONE if phone else DESK,  # type: ignore[arg-type] # a TypedDict
        )
        contexts.append(context)
        seen = Seen(context.new_page())
        seen.page.on("console", lambda message: seen.console.append(message.text))
        seen.page.on("pageerror", lambda error: seen.console.append(str(error)))
        seen.page.on("dialog", lambda dialog: seen.console.append(f"dialog {dialog.message}"))
        seen.page.on("request", lambda request: seen.requests.append(request.url))
        file = tmp_path / "report.html"
        file.write_bytes(body)
        seen.page.goto(file.as_uri())
        return seen

    yield open_page
    for context in contexts:
        context.close()
