"""What people see of escalation: in `check` before, in `show`, the report and one row's story after."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from batchdrop.adapters.pages.html_pages import HtmlPages
from batchdrop.cli.check.checking import check_file, check_recipe
from batchdrop.cli.console import CommandOutput
from batchdrop.cli.job.row_printing import print_story
from batchdrop.cli.job.row_story import row_story
from batchdrop.cli.job.showing import _escalated
from batchdrop.errors import RecipeRejected
from batchdrop.finish.job_summary import encoded
from batchdrop.report.statistics import Statistics
from batchdrop.report.summary import Summary
from tests.emulated_job import emulated_job
from tests.jobs import JOB, World, dropped, reviews

HAIKU, SONNET = "claude-haiku-5-5", "claude-sonnet-5-5"
RECIPE = f"""model: {HAIKU}
max_tokens: 100
prompt: 'Review: {{{{ x }}}}'
answer: {{label: {{enum: [good, bad]}}, confidence: number}}
escalate: {{to: {SONNET}, when: confidence < 0.8}}
lane: batch
"""


def _checked(folder: Path, recipe: str, *, rows: int = 300) -> tuple[bool, str]:
    path, told = folder / "ask.yaml", io.StringIO()
    path.write_text(recipe)
    path.with_name("f.csv").write_bytes(reviews(rows))
    return check_file(path, path.with_name("f.csv"), Console(file=told, width=160)), told.getvalue()


def test_check_shows_the_cost_without_with_a_share_and_with_all(tmp_path: Path) -> None:
    """The share is called an assumption. The estimate's high counts all rows, its low none."""
    is_good, said = _checked(tmp_path, RECIPE)
    [line] = [line for line in said.splitlines() if line.startswith("escalation")]
    assert is_good
    assert f"to {SONNET}: $" in line
    assert "with 15% of the rows (assumed)" in line
    none, some, every = (float(word.strip("$,")) for word in line.split() if word.startswith("$"))
    assert none < some < every
    assert some == pytest.approx(none + 0.15 * (every - none), rel=0.05)
    _, plain = _checked(tmp_path, RECIPE.replace("escalate", "# escalate"))
    assert "escalation" not in plain
    low, expected, high = _dollars(plain)
    own_low, own_expected, own_high = _dollars(said)
    assert own_low == low
    assert own_expected == pytest.approx(some, rel=0.05)
    assert own_expected > expected
    assert own_high > high + 0.9 * (every - none)


def _dollars(said: str) -> tuple[float, float, float]:
    [line] = [line for line in said.splitlines() if line.startswith("batch ")]
    low, expected, high = (float(word.strip("$")) for word in line.split()[1:4])
    return low, expected, high


@pytest.mark.parametrize(("change", "words"), [
    ({SONNET: "claude-sonet-5-5"}, "unknown model 'claude-sonet-5-5'; did you mean 'claude-sonnet-5-5'?"),
    ({"max_tokens: 100": "max_tokens: 400000"}, "more than any model writes"),
])  # fmt: skip
def test_check_finds_what_the_other_model_refuses(tmp_path: Path, change: dict[str, str], words: str) -> None:
    """A model that does not exist, and a limit that it does not take."""
    recipe = RECIPE
    for old, new in change.items():
        recipe = recipe.replace(old, new)
    is_good, said = _checked(tmp_path, recipe, rows=2)
    assert not is_good
    assert words in said
    assert not check_recipe(tmp_path / "ask.yaml", CommandOutput())


def test_a_limit_of_the_other_model_alone_is_found(tmp_path: Path) -> None:
    """`models.yaml` knows it; `retry` may double the limit."""
    (tmp_path / "models.yaml").write_text(f"models: {{{SONNET}: {{max_tokens: 150}}}}\n")
    assert _checked(tmp_path, RECIPE, rows=2)[0]
    is_good, said = _checked(tmp_path, f"{RECIPE}retry: {{max_tokens: x2}}\n", rows=2)
    assert not is_good
    assert f"max_tokens: 200 is more than {SONNET} takes, which is 150; lower it" in said


def test_the_split_refuses_the_other_model_too() -> None:
    """Before anything is sent, in a job that knows its models."""
    world = dropped(reviews(2), recipe=RECIPE.replace(SONNET, "claude-none"))
    world.knows_models = True
    with pytest.raises(RecipeRejected, match=r"recipes/r\.yaml: escalate\.to: model: unknown model 'claude-none'"):
        world.split()


def test_a_cap_needs_the_other_models_price() -> None:
    """Else no hold would be a worst case."""
    world = dropped(reviews(2), recipe=RECIPE.replace(SONNET, "claude-none") + "max_cost_usd: 1\n")
    with pytest.raises(RecipeRejected, match="the price of claude-none is not known"):
        world.split()


def _job(world: World) -> tuple[Summary, dict[str, object]]:
    summary = world.run()
    return summary, json.loads(encoded(summary))


def test_a_rows_story_has_both_answers_and_why() -> None:
    """Round by round, each with its model; the outcome is the second one's."""
    with emulated_job(reviews(30), recipe=RECIPE, unsure_rates={HAIKU: 1.0, SONNET: 0.0}) as job:
        job.run()
        story = row_story(job.store, JOB, 3)
        first, second = story.rounds
        assert (first.escalated, second.escalated) == (None, "confidence < 0.8")
        assert [one.request["model"] for one in story.rounds] == [HAIKU, SONNET]
        assert [one.result["message"]["model"] for one in story.rounds] == [HAIKU, SONNET]
        assert story.status == "answered"
        assert json.loads(second.result["message"]["content"][0]["text"]) == story.answer
        told = io.StringIO()
        print_story(story, Console(file=told, width=160))
        assert f"round 2, escalated to {SONNET} (confidence < 0.8): request" in told.getvalue()


def test_show_and_the_report_say_how_many_why_and_what_both_cost() -> None:
    """In words."""
    with emulated_job(reviews(30), recipe=RECIPE, unsure_rates={HAIKU: 0.4, SONNET: 0.0}) as job:
        summary, document = _job(job)
        block = document["escalation"]
        assert isinstance(block, dict)
        rows = block["rows"]
        assert 0 < rows < 30
        words = _escalated(block)
        assert words.startswith(f"{rows} rows to {SONNET} ({rows} confidence < 0.8); {HAIKU} $")
        assert f"{SONNET} $" in words
        assert summary.estimate is not None
        assert summary.estimate.usd is not None
        assert summary.cost.usd is not None
        assert summary.estimate.usd.low <= summary.cost.usd <= summary.estimate.usd.high
        page = HtmlPages().report(summary, job.manifest, Statistics()).decode()
        assert f"escalated to {SONNET}: {rows} rows ({rows} confidence &lt; 0.8)" in page
