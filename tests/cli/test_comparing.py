"""`batchdrop compare`: the same random rows with several recipes; nothing is paid twice, and all words are counted."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from batchdrop.adapters.pages.html_pages import compared_page
from batchdrop.adapters.sqlite.answers import SqliteAnswerStore
from batchdrop.cli.compare.compare_page import page_view
from batchdrop.cli.compare.compare_view import print_compared
from batchdrop.cli.compare.comparing import Compared, Comparing, compared
from batchdrop.cli.console import CommandError
from batchdrop.cli.main import app
from batchdrop.cli.run.kept_answers import answers_file
from batchdrop.cli.run.service import Service
from batchdrop.cli.safe_console import SafeConsole
from batchdrop.cli.trial.trying import Trying, tried
from batchdrop.errors import RecipeRejected
from batchdrop.local.claude_api.testing import RunningEmulator, running_emulator
from batchdrop.saver.agreement import agreement, agrees
from batchdrop.saver.words import agreement_words

RECIPE = """model: {model}
max_tokens: 50
prompt: '{ask} {{{{ review }}}}'
answer: {{label: {{enum: [a, b]}}, sure: boolean}}
gold: {{label: truth}}
"""


@pytest.fixture
def emulator() -> Iterator[RunningEmulator]:
    """A service of one's own, and its bill."""
    with running_emulator(speed=1) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two recipes, and a table of 300 rows; the truth of every third is known, and one row cannot be sent."""
    rows = [f"{row},review {row},{'a' if row % 3 == 0 else ''}" if row != 2 else "2" for row in range(1, 301)]
    (tmp_path / "rows.csv").write_text("id,review,truth\n" + "\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "best.yaml").write_text(RECIPE.format(model="claude-opus-5-5", ask="Think:"), encoding="utf-8")
    (tmp_path / "cheap.yaml").write_text(RECIPE.format(model="claude-haiku-5-5", ask="Say:"), encoding="utf-8")
    return tmp_path


def _compare(folder: Path, emulator: RunningEmulator, *names: str, rows: int = 40) -> Compared:
    recipes = [folder / name for name in names or ("best.yaml", "cheap.yaml")]
    service = Service(emulator.base_url, "sk-mine")
    return compared(Comparing(recipes, folder / "rows.csv", rows, None, folder / "out"), service)


def _paid(emulator: RunningEmulator) -> int:
    return int(emulator.bill_summary()["requests"])


def test_two_recipes_on_the_same_random_rows(folder: Path, emulator: RunningEmulator) -> None:
    """Agreement is counted on the rows themselves, with the disagreements side by side."""
    ended = _compare(folder, emulator)
    best, cheap = ended.plans
    assert (len(ended.rows), ended.requests, _paid(emulator)) == (40, 299, 80)
    assert max(ended.rows) > 100
    assert best.agrees is None
    assert cheap.agrees is not None
    assert (cheap.agrees.rows, cheap.agrees.agreed) == (40, 40 - len(ended.disagreements))
    assert cheap.fields["label"].agreed == 40 - sum("label" in one.fields for one in ended.disagreements)
    for one in ended.disagreements:
        assert all(one.answers["A"][field] != one.answers["B"][field] for field in one.fields)
        assert one.cells == {"review": f"review {one.row}"}
    assert best.million_usd["batch"] is not None
    assert cheap.million_usd["batch"] is not None
    assert best.million_usd["batch"] > 10 * cheap.million_usd["batch"]
    [gold] = cheap.gold
    assert gold.truths == gold.answered == sum(row % 3 == 0 for row in ended.rows)
    assert ended.is_whole


def test_models_with_seeded_errors_agree_as_often_as_they_err(folder: Path) -> None:
    """The interval holds the true share; the first recipe has all right, the second errs on a fifth of the rows."""
    text = (folder / "best.yaml").read_text(encoding="utf-8")
    (folder / "cheap.yaml").write_text(text.replace("opus", "haiku"), encoding="utf-8")
    with running_emulator(speed=1, error_rates={"claude-opus-5-5": 0.0, "claude-haiku-5-5": 0.2}) as emulator:
        plan = _compare(folder, emulator, rows=200).plans[1]
    assert plan.agrees is not None
    assert plan.agrees.low < 0.8 < plan.agrees.high


def test_nothing_is_paid_twice(folder: Path, emulator: RunningEmulator) -> None:
    """Neither in a second comparison, nor by a try of the same rows, nor if two recipes send the same."""
    _compare(folder, emulator)
    (folder / "same.yaml").write_text((folder / "best.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    again = _compare(folder, emulator, "best.yaml", "cheap.yaml", "same.yaml")
    assert [plan.sent for plan in again.plans] == [0, 0, 0]
    assert again.plans[2].agrees == agreement(40, 40)
    trying = Trying(folder / "cheap.yaml", folder / "rows.csv", 40, is_random=True, files=None, out=folder / "out")
    assert tried(trying, Service(emulator.base_url, "sk-mine")).sent == 0
    assert _paid(emulator) == 80


def test_equal_rows_are_sent_once(folder: Path, emulator: RunningEmulator) -> None:
    """Duplicates in the sample share one request."""
    rows = "".join(f"{row},review {row % 4},\n" for row in range(40))
    (folder / "rows.csv").write_text(f"id,review,truth\n{rows}", encoding="utf-8")
    ended = _compare(folder, emulator)
    assert (_paid(emulator), [plan.answered for plan in ended.plans]) == (8, [40, 40])
    assert [(plan.sent, plan.shared, plan.paid_before) for plan in ended.plans] == [(4, 36, 0)] * 2


def test_the_job_that_follows_uses_the_answers(folder: Path, emulator: RunningEmulator) -> None:
    """With `remember`, they are in the store that `run` reads."""
    for name in ("best.yaml", "cheap.yaml"):
        path = folder / name
        path.write_text(path.read_text(encoding="utf-8") + "remember: 90d\n", encoding="utf-8")
    _compare(folder, emulator)
    store = SqliteAnswerStore(answers_file(folder / "out", Service(emulator.base_url, "sk-mine")))
    assert all(store.view(name).runs for name in ("best", "cheap"))


def test_recipes_without_a_field_in_common(folder: Path, emulator: RunningEmulator) -> None:
    """Nothing is compared, and the plan says so; its cost is still shown."""
    text = RECIPE.format(model="claude-haiku-5-5", ask="Say:").replace("label", "kind").replace("sure", "certain")
    (folder / "other.yaml").write_text(text, encoding="utf-8")
    plan = _compare(folder, emulator, "best.yaml", "other.yaml").plans[1]
    assert (plan.agrees, plan.fields) == (None, {})
    assert plan.notes == ["it has no answer field in common with the reference"]


def test_a_broken_recipe_costs_nothing(folder: Path, emulator: RunningEmulator) -> None:
    """All recipes are read before the first request."""
    (folder / "broken.yaml").write_text("model: x\npromt: y\n", encoding="utf-8")
    with pytest.raises(RecipeRejected, match="did you mean 'prompt'"):
        _compare(folder, emulator, "best.yaml", "broken.yaml")
    assert _paid(emulator) == 0


def test_a_file_without_a_row_to_send_is_refused(folder: Path, emulator: RunningEmulator) -> None:
    """Nothing can be compared, and nothing is paid."""
    (folder / "rows.csv").write_text("id,review,truth\n1\n", encoding="utf-8")
    with pytest.raises(
        CommandError, match=r"rows.csv: no row can be sent with .*best.yaml; `batchdrop check` says why"
    ):
        _compare(folder, emulator)
    assert _paid(emulator) == 0


def test_what_a_terminal_shows_fits_80_columns(folder: Path, emulator: RunningEmulator) -> None:
    """Costs, agreement with its interval, accuracy, and the first rows that differ."""
    ended = _compare(folder, emulator)
    console = SafeConsole(file=io.StringIO(), width=80)
    print_compared(ended, console)
    shown = console.file.getvalue()  # type: ignore[attr-defined] # a StringIO
    assert max(map(len, shown.splitlines())) <= 80
    words = " ".join(shown.split())
    assert ended.plans[1].agrees is not None
    assert f"agrees with A on {agreement_words(ended.plans[1].agrees)}" in words
    assert "per million rows as Message Batches" in words
    assert "label: accuracy" in words
    assert f"rows that differ from A: {len(ended.disagreements)}" in words


def test_the_page_escapes_and_loads_nothing(folder: Path, emulator: RunningEmulator) -> None:
    """Texts of the file are text, and the policy is the report's."""
    hostile = "<script>alert(1)</script>"
    rows = "".join(f"{row},{hostile} {row},\n" for row in range(40))
    (folder / "rows.csv").write_text(f"id,review,truth\n{rows}", encoding="utf-8")
    page = compared_page(page_view(_compare(folder, emulator))).decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert "default-src 'none'" in page


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["best.yaml", "rows.csv"], "give 2 to 8 recipes to compare; `batchdrop try` answers rows with one"),
        (["best.yaml", "cheap.yaml"], "give exactly one file beside the recipes (.yaml); found: none"),
        (["best.yaml", "cheap.yaml", "a.csv", "b.csv"], "found: a.csv, b.csv"),
        (["best.yaml", "nowhere.yaml", "rows.csv"], "nowhere.yaml does not exist"),
        (["best.yaml", "cheap.yaml", "rows.csv", "--rows", "0"], "--rows"),
    ],
)
def test_wrong_usage(folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str) -> None:
    """Exit code 2, before anything is sent."""
    monkeypatch.chdir(folder)
    ended = CliRunner().invoke(app, ["compare", *words], env={"COLUMNS": "300", "NO_COLOR": "1"})
    assert ended.exit_code == 2
    assert says in ended.output


def test_the_command_writes_a_page_and_json(
    folder: Path, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a pipe as text, with --json as one document."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", emulator.base_url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-mine")
    words = ["compare", "best.yaml", "cheap.yaml", "rows.csv", "--rows", "20"]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 0, ended.output
    assert "the page: out/compare.html" in ended.output
    assert "Rows that differ from A" in (folder / "out" / "compare.html").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert [plan["name"] for plan in document["plans"]] == ["A", "B"]
    assert document["plans"][1]["agrees"]["rows"] == 20
    assert document["plans"][1]["sent"] == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(1, 1.0, True), (True, 1, False), (" a", "a", True), ("a", "A", False), (None, None, True), ([1], [1], True)],
)
def test_what_agrees(one: object, other: object, same: bool) -> None:  # noqa: FBT001 - a test's parameters
    """Numbers by value, texts without spaces at their ends."""
    assert agrees(one, other) is same


def test_one_row_is_never_rounded_away() -> None:
    """9,999 of 10,000 rows are not all of them."""
    assert agreement_words(agreement(9_999, 10_000)).startswith("> 99.9 % of rows (9,999 of 10,000;")
    assert agreement_words(agreement(0, 0)) == "an unknown share of rows: none has an answer of both"
