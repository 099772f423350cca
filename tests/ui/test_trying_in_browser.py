"""An analyst's first hour in a real browser: a mistake and its fix, tries, two versions, and the whole file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from rich.console import Console

from batchdrop.cli.job.jobs import JobStatus, find_job
from batchdrop.cli.run.service import Service
from batchdrop.cli.ui.session import Session
from batchdrop.cli.ui.stacks import Where, stack_at
from batchdrop.cli.ui.trying.page import TRY
from tests.local.polling import eventually
from tests.ui.conftest import Opened, Opens, served

pytestmark = pytest.mark.stack

ROWS = """\
id,product,comment
001,レインジャケット,"縫い目から水がしみてきて、半日で駄目になりました。"
002,Kettle,Boils in two minutes
003,<b>Bag</b>,"<img src=x onerror=alert(1)><script>alert(2)</script>"
004,"{{ 7 * 7 }}","' onclick=alert(3) x='"
"""
RECIPE = """\
model: claude-haiku-5-5
max_tokens: 64
prompt: |
  Product: {{ product }}
  Classify: {{ comment }}
answer:
  label: {enum: [positive, negative]}
  score: number
"""


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A console as `batchdrop ui 声.csv --recipe label.yaml` starts it, with a stack of its own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.delenv("BATCHDROP_ENDPOINT_URL", raising=False)
    file, recipe, out = tmp_path / "声.csv", tmp_path / "label.yaml", tmp_path / "out"
    file.write_text(ROWS, encoding="utf-8")
    recipe.write_text(RECIPE, encoding="utf-8")
    stack = stack_at(Where(None, None, None), Service(), out, Console(quiet=True))
    stack.start()
    yield Session(stack, Service(), file, recipe, None, out)
    stack.close()


def _paste_recipe(page: Page, text: str) -> None:
    """Put a text in the place of all others, as a paste does."""
    content = page.locator(".cm-content")
    content.click()
    page.keyboard.press("Control+a")
    paste = """(content, text) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", text);
      content.dispatchEvent(new ClipboardEvent("paste", {clipboardData, bubbles: true, cancelable: true}));
    }"""
    content.evaluate(paste, text)


def _fixes_a_mistake(opened: Opened) -> None:
    """A mistake is marked at its line, and a click fixes it. The editor completes keys."""
    page, text = opened.page, opened.page.locator("textarea[name=recipe]")
    _paste_recipe(page, RECIPE.replace("max_tokens", "max_token"))
    expect(page.locator(".finding")).to_contain_text("did you mean 'max_tokens'")
    expect(page.locator(".cm-lint-marker-error")).to_have_count(1)
    opened.accessible()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#trouble")).to_contain_text("label.yaml")
    assert all("409" in one for one in opened.console)
    opened.console.clear()
    page.get_by_role("button", name="Write max_tokens").click()
    expect(page.locator(".lane.own")).to_be_visible()
    expect(page.locator("#trouble")).to_contain_text("max_token")  # the check by itself leaves it to be read
    page.get_by_role("button", name="Dismiss").click()
    assert text.input_value() == RECIPE
    page.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("lan")
    page.locator(".cm-tooltip-autocomplete li", has_text="lane").click()
    page.keyboard.type("batch\n")
    assert text.input_value() == f"{RECIPE}lane: batch\n"
    expect(page.locator(".lane.own")).to_contain_text("Message Batches")


def _tries_two_versions(opened: Opened) -> None:
    """A try by keyboard, another version beside it, a row's prompt, and a search."""
    page, rows = opened.page, opened.page.locator(".answers-table tbody tr")
    page.keyboard.press("Control+Enter")
    expect(rows).to_have_count(4)
    expect(page.locator(".answers-table")).to_contain_text("<img src=x onerror=alert(1)>")
    _paste_recipe(page, RECIPE.replace("[positive, negative]", "[good, poor]"))
    page.get_by_role("button", name="Try", exact=True).click()
    expect(page.get_by_text("Changes of the recipe, 1 to 2")).to_be_visible()
    page.get_by_role("button", name="Prompt and answer of row 3").click()
    expect(page.locator(".story")).to_contain_text("Classify: <img src=x onerror=alert(1)><script>alert(2)</script>")
    for dark, phone in ((False, False), (True, True)):
        opened.look(dark=dark, phone=phone)
        opened.accessible()
        opened.is_well()
    opened.look()
    page.get_by_label("Search rows and answers").fill("レイン")
    expect(rows).to_have_count(1)


def _saves(opened: Opened) -> None:
    page = opened.page
    page.locator(".cm-content").click()
    page.keyboard.press("Control+s")
    expect(page.locator("#saved")).to_contain_text("Saved label.yaml")


def _runs_all(opened: Opened) -> str:
    """The cost first, then the job; return its id."""
    opened.page.get_by_role("button", name="Run all …").click()
    dialog = opened.page.get_by_role("dialog")
    expect(dialog).to_contain_text("nobody: the emulator answers", timeout=60_000)
    opened.accessible()
    dialog.get_by_role("button", name="Run all for about").click()
    expect(dialog).to_contain_text("The job runs", timeout=60_000)
    return dialog.locator("code").inner_text()


def test_from_a_mistake_to_a_whole_job(session: Session, opens: Opens) -> None:
    """Everything by the page alone; foreign markup never runs, and axe finds nothing in each state."""
    with served(session, TRY) as access:
        opened = opens(access)
        expect(opened.page.locator(".lane.own .price")).to_contain_text("$")
        _fixes_a_mistake(opened)
        _tries_two_versions(opened)
        _saves(opened)
        assert session.recipe is not None
        assert "[good, poor]" in session.recipe.read_text(encoding="utf-8")
        job = _runs_all(opened)
        opened.is_well()
    deployment = session.stack.deployment()
    eventually(lambda: find_job(deployment, job).status is not JobStatus.RUNNING, what="the job's end")
    assert find_job(deployment, job).status is JobStatus.SUCCEEDED
    output = deployment.bucket.read(f"{find_job(deployment, job).results}output.csv").decode()
    assert output.splitlines()[0].startswith("id,product,comment,label,score")
    assert output.count(",answered,") == 4
