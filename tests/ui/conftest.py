"""A console in a real browser. Without a browser these tests fail; they are never skipped."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from batchdrop.cli.ui.access import Access
from batchdrop.cli.ui.application import application
from batchdrop.cli.ui.page import Page as ConsolePage
from batchdrop.cli.ui.session import Session
from tests.project import ROOT

AXE = ROOT / ".tools" / "ui" / "node_modules" / "axe-core" / "axe.min.js"
NAMES = ("chromium", "chromium-browser", "google-chrome")
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 900}


@dataclass
class Opened:
    """A console's page in the browser, and what it did that it should not."""

    page: Page
    address: str
    console: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def look(self, *, dark: bool = False, phone: bool = False) -> None:
        """Change the colour scheme and the size of the window."""
        self.page.emulate_media(color_scheme="dark" if dark else "light", reduced_motion="reduce")
        self.page.set_viewport_size(PHONE if phone else DESK)

    def is_well(self) -> None:
        """Nothing was logged, nothing was loaded from elsewhere, and nothing scrolls sideways."""
        assert self.console == []
        assert self.foreign == []
        assert self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    def accessible(self) -> None:
        """axe-core finds nothing. It comes in by the debugger's way, because the policy refuses it as a script."""
        assert AXE.is_file(), f"{AXE} is missing; make it with: make console"
        self.page.evaluate(f"() => {{ {AXE.read_text(encoding='utf-8')} }}")
        found = self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        faults = [
            (one["id"], [(node["html"][:160], node["failureSummary"][:300]) for node in one["nodes"]])
            for one in found["violations"]
        ]
        assert faults == []


Opens = Callable[..., Opened]


@contextmanager
def served(session: Session, *pages: ConsolePage) -> Iterator[Access]:
    """Serve a console on a free port, as `batchdrop ui` does."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        host = f"127.0.0.1:{listening.getsockname()[1]}"
        access = Access(f"http://{host}", lambda _: None)
        app = application(session, pages, access, host)
        config = uvicorn.Config(app, log_level="error", ws="none", lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield access
        finally:
            server.should_exit = True
            thread.join()


# Not longer than a module: as long as it is open, no other test of the process can run a loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium; a browser takes ten times as long to open as a page."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.fail("there is no chromium, and the console is tested in a real browser: apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def opens(browser: Browser) -> Iterator[Opens]:
    """Open a console's entrance in a window of its own, as the user's browser does."""
    contexts = []

    def open_console(access: Access) -> Opened:
        contexts.append(browser.new_context(accept_downloads=True))
        address = access.entrance.partition("/enter")[0]
        opened = Opened(contexts[-1].new_page(), address)
        opened.page.on("console", lambda message: opened.console.append(message.text))
        opened.page.on("pageerror", lambda error: opened.console.append(str(error)))
        opened.page.on("dialog", lambda dialog: opened.console.append(f"dialog {dialog.message}"))
        opened.page.on("request", lambda one: None if one.url.startswith(address) else opened.foreign.append(one.url))
        opened.look()
        opened.page.goto(access.entrance)
        opened.page.wait_for_url(lambda url: "/enter" not in url)
        return opened

    yield open_console
    for context in contexts:
        context.close()
