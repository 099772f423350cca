"""Jobs and results in a real browser, on the real template: watch a job, filter, read, correct, send again, save."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from batchdrop.cli.deployment import Deployment, find_deployment
from batchdrop.cli.job.jobs import newest_executions
from batchdrop.cli.ui.jobs.page import JOBS
from batchdrop.local.stack import EmbeddedStack, StackOptions
from tests.local.polling import eventually
from tests.ui.conftest import Opens, served
from tests.ui.jobs.ended import ATTACK, on

pytestmark = pytest.mark.stack

RECIPE = (
    "model: claude-haiku-5-5\nmax_tokens: 64\nlane: batch\nprompt: 'Judge: {{ text }}'\n"
    "answer: {label: {enum: [positive, neutral, negative]}}\n"
)
REFUSED = 3
TEXTS = [
    *(f"とても良い商品でした {number}" for number in range(30)),
    *(f"broken {number} [[refusal]]" for number in range(REFUSED)),
    ATTACK,
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The real template; a wait of five minutes takes some seconds, so that there is something to watch."""
    options = StackOptions(
        wait_scale=1 / 1_000, log_dir=tmp_path_factory.mktemp("ui"), overrides={"ShardRows": "20", "LiveRows": "0"}
    )
    with EmbeddedStack(options) as stack:
        deployment = find_deployment("batchdrop", region=None, endpoint_url=stack.endpoint_url)
        deployment.store.write("recipes/reviews.yaml", RECIPE.encode())
        yield deployment


def test_a_job_from_its_start_to_its_repair(
    stack: Deployment, opens: Opens, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What an analyst does after she has pressed Run all; nothing of it needs the terminal."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    session = on(stack)
    stack.store.write("inbox/reviews/注文.csv", "\n".join(["text", *TEXTS]).encode())
    job = eventually(lambda: next((one.job_id for one in newest_executions(stack)), ""), what="the job")
    try:
        with served(session, JOBS) as access:
            opened = opens(access)
            page = opened.page
            page.get_by_role("link", name="注文.csv").click()
            expect(page.get_by_text("running", exact=True)).to_be_visible()
            opened.accessible()
            expect(page.get_by_role("link", name="Browse the results")).to_be_visible(timeout=60_000)  # it ended

            page.get_by_role("link", name="Browse the results").click()
            expect(page.locator("tr[data-row]")).to_have_count(len(TEXTS), timeout=20_000)
            page.locator("#counts").get_by_role("link", name="refusal").click()
            expect(page.locator("tr[data-row]")).to_have_count(REFUSED)
            opened.accessible()

            page.keyboard.press("j")
            page.keyboard.press("Enter")
            expect(page.locator("#story")).to_contain_text("Judge: broken 0 [[refusal]]")
            opened.accessible()
            page.locator("#story select").select_option("negative")
            page.get_by_role("button", name="Save as gold").click()
            expect(page.locator("#story")).to_contain_text("Saved in gold.jsonl")
            page.keyboard.press("Escape")
            expect(page.locator("#story")).to_be_hidden()
            gold = json.loads(stack.store.read(f"results/reviews/注文/{job}/gold.jsonl"))
            assert (gold["_row"], gold["expected_label"]) == (31, "negative")

            page.get_by_text("Export …").click()
            with page.expect_download() as saved:
                page.get_by_role("link", name="CSV", exact=True).click()
            assert len(saved.value.path().read_text(encoding="utf-8").splitlines()) == 1 + REFUSED

            for box in page.get_by_role("checkbox").all():
                box.check()
            expect(page.get_by_text("3 rows are chosen")).to_be_visible()
            page.get_by_role("button", name="Send these rows again").click()
            page.wait_for_url(f"**/jobs/{job}-v2")
            for dark, phone in ((False, True), (True, False)):
                opened.look(dark=dark, phone=phone)
                opened.accessible()
            opened.is_well()
    finally:
        session.stack.close()
