"""The console's frame in a real browser: it lets in, it can be read and used by keyboard, and it runs nothing."""

from __future__ import annotations

from tests.ui.conftest import Opens, served
from tests.ui.consoles import Echo, session_of


def test_the_frame(opens: Opens) -> None:
    """The entrance leads to the first page; each page is accessible, in both colours and on a phone."""
    with served(session_of(), Echo().page) as access:
        opened = opens(access)
        page = opened.page
        assert page.url == f"{opened.address}/echo"
        assert "batchdrop-" not in page.evaluate("document.cookie")
        page.goto(f"{opened.address}/about")
        for dark in (False, True):
            opened.look(dark=dark, phone=dark)
            opened.accessible()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        opened.is_well()
        page.goto(f"{opened.address}/nothing")
        assert "There is no such page" in page.inner_text("main")
        opened.accessible()


def test_what_slips_in_does_not_run(opens: Opens) -> None:
    """A template that forgot to escape: the policy refuses the script all the same."""
    with served(session_of(), Echo().page) as access:
        opened = opens(access)
        opened.page.goto(f"{opened.address}/echo/raw")
        assert "after it" in opened.page.inner_text("body")
        assert opened.page.title() != "run"
        assert any("Content Security Policy" in one for one in opened.console)


def test_a_download_is_saved(opens: Opens) -> None:
    """A page with a script in it is a file on the disk, not a page of the console."""
    with served(session_of(), Echo().page) as access:
        opened = opens(access)
        with opened.page.expect_download() as saved:
            opened.page.evaluate("location.href = '/echo/file?name=a%2Fb%20注.html'")
        assert saved.value.suggested_filename == "b 注.html"
        assert opened.page.url == f"{opened.address}/echo"
