"""What people see of remembered rows: in `check` before, in `show`, the report and one row's story after."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from batchdrop.adapters.pages.html_pages import HtmlPages
from batchdrop.adapters.sqlite.answers import SqliteAnswerStore
from batchdrop.answer_store.answer import Answer
from batchdrop.answer_store.key import Keys
from batchdrop.cli import deployment
from batchdrop.cli.check.check_view import print_checked
from batchdrop.cli.check.checked import Checked
from batchdrop.cli.check.checking import checked_file
from batchdrop.cli.job.row_story import row_story
from batchdrop.cli.job.showing import _print_summary
from batchdrop.cli.run.kept_answers import answers_file, answers_kept
from batchdrop.cli.run.service import Service
from batchdrop.errors import RecipeRejected
from batchdrop.job.layout import JobKeys
from batchdrop.job.remembering import policy_of
from batchdrop.recipe.recipe_file import parse_recipe_file
from batchdrop.report.tally import Tally
from tests.fakes import FakeBatchApi, FakeObjectStore, succeeded
from tests.remembering import RECIPE, Jobs


def _checked(folder: Path, recipe: str, store: SqliteAnswerStore) -> Checked:
    (folder / "ask.yaml").write_text(recipe)
    (folder / "f.csv").write_text("x\none\ntwo\ntwo\n")
    return checked_file(folder / "ask.yaml", folder / "f.csv", Console(file=io.StringIO()), answers=lambda: store)


def _said(checked: Checked) -> str:
    told = io.StringIO()
    print_checked(checked, Console(file=told, width=160))
    return told.getvalue()


def test_check_says_what_is_remembered_and_what_it_saves(tmp_path: Path) -> None:
    """Before any answer nothing; then how many requests and dollars; and that a changed recipe finds nothing."""
    store = SqliteAnswerStore(tmp_path / "answers.sqlite")
    before = _checked(tmp_path, RECIPE, store)
    assert "remembered" not in _said(before)
    assert before.document()["saved_usd"] is None
    keys = Keys(store.secret("ask"), policy_of(before.manifest))
    at = int(before.manifest.upload.uploaded_at.timestamp())
    answer = Answer(keys.of(before.check.first[1]).hex(), at, "recipe", msgspec.Raw(b"{}"))
    store.write_run("ask", "run", [answer])
    store.publish("ask", ["run"])
    after = _checked(tmp_path, RECIPE, store)
    assert "3 rows: 1 requests, 0 rejected, 1 share another row's answer, 1 remembered" in _said(after)
    assert "remembered   1 requests have an answer already, which saves about $" in _said(after)
    assert (after.document()["remembered"], after.document()["saved_usd"] > 0) == (1, True)
    changed = _said(_checked(tmp_path, RECIPE.replace("ask", "tell"), store))
    assert "remembered   no row: the recipe has answers, but it asks something else now" in changed


def test_check_looks_where_the_answers_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the file of the runs below OUT, by service; or in a stack's bucket."""
    assert answers_kept(tmp_path, {}, None) is None
    SqliteAnswerStore(answers_file(tmp_path, Service())).secret("r")
    here = answers_kept(tmp_path, {}, None)
    assert here is not None
    assert not here().view("r").runs
    assert answers_kept(tmp_path, {"ANTHROPIC_API_KEY": "sk-real"}, None) is None
    assert answers_kept(tmp_path, {"ANTHROPIC_BASE_URL": "http://x"}, None) is None
    names = {
        answers_file(tmp_path, Service(url)) for url in (None, "https://api.anthropic.com", "http://a", "http://b")
    }
    assert len(names) == 4
    jobs = Jobs()
    jobs.run("a")

    class Found:
        bucket: FakeObjectStore = jobs.world.store

    monkeypatch.setattr(deployment, "find_deployment", lambda *_args, **_options: Found())
    stack = answers_kept(tmp_path, {}, "mine")
    assert stack is not None
    assert len(stack().view("r").runs) == 1


def test_a_closed_job_says_it_everywhere() -> None:
    """The summary, `show`, the report and a row's story."""
    jobs = Jobs()
    jobs.world.pages = HtmlPages()
    jobs.run("a")
    jobs.run("a", "b")
    summary = json.loads(jobs.last.result("summary.json"))
    saved = summary["remembered"]["saved_usd"]
    assert summary["remembered"]["rows"] == 1
    assert Decimal(str(saved)) > 0
    told = io.StringIO()
    _print_summary(summary, Console(file=told, width=160))
    assert "remembered 1 rows, which saved $" in told.getvalue()
    assert "statuses  1 remembered" in told.getvalue()
    assert "1 rows, which saved $" in jobs.last.result("report.html").decode()
    story = row_story(jobs.last.store, jobs.last.upload.job_id, 1)
    assert (story.status, story.answer, story.rounds) == ("remembered", {"answer": "re: ask a"}, [])
    jobs.run("new")
    assert "remembered" not in json.loads(jobs.last.result("summary.json"))


def test_the_report_counts_paid_tokens_only() -> None:
    """Distributions of tokens are those of what was sent; the values of remembered rows are counted, too."""
    jobs = Jobs(
        RECIPE + "answer: {label: {enum: [x]}}\n", api=FakeBatchApi(result_of=lambda _: succeeded('{"label":"x"}'))
    )
    jobs.run("a")
    jobs.run("a", "b")
    part = JobKeys(jobs.last.upload.job_id).part_tally(0, 1)
    tally = msgspec.json.decode(jobs.world.store.read(part), type=Tally)
    assert tally.statistics.input_tokens.count == 1
    assert '"x":2' in msgspec.json.encode(tally.statistics.columns["label"]).decode()
    assert not tally.statistics.failures.kinds


@pytest.mark.parametrize("given", ["'90'", "400d", "soon", "0d"])
def test_durations_that_are_refused(given: str) -> None:
    """The message names the key, and says what to write."""
    with pytest.raises(RecipeRejected, match=r"key 'remember'.*write (90d|365d)"):
        parse_recipe_file(f"{RECIPE.replace('90d', given)}".encode(), name="r.yaml")


@pytest.mark.parametrize("given", ["90d", "12h", "365d"])
def test_durations_that_are_taken(given: str) -> None:
    """Up to a year."""
    assert parse_recipe_file(RECIPE.replace("90d", given).encode(), name="r.yaml").remembered_for
