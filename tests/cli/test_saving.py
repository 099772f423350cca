"""`batchdrop save`: the cheapest model that provably agrees is certified, and its answers are paid once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from batchdrop.adapters.pages.html_pages import compared_page
from batchdrop.adapters.sqlite.answers import SqliteAnswerStore
from batchdrop.cli.check.recipes import load_recipe
from batchdrop.cli.console import CommandError, CommandOutput
from batchdrop.cli.main import app
from batchdrop.cli.run.kept_answers import answers_file
from batchdrop.cli.run.service import Service
from batchdrop.cli.save.command import is_approved
from batchdrop.cli.save.save_view import lines, saved_view, verdict
from batchdrop.cli.save.saved_recipe import with_model, write_recipe
from batchdrop.cli.save.searching import Saved, Saving, searched
from batchdrop.errors import RecipeRejected
from batchdrop.local.claude_api.testing import RunningEmulator, running_emulator
from batchdrop.saver.agreement import agreement
from batchdrop.saver.drift import Drift

SAVE = "save: {keep: 0.9, sample: 200, try: [claude-sonnet-5-5, claude-haiku-5-5]}\n"
RECIPE = f"""# our best
model: claude-opus-5-5  # the reference
max_tokens: 50
{SAVE}prompt: 'Say: {{{{ review }}}}'
answer: {{label: {{enum: [a, b]}}, kind: {{enum: [c, d, e]}}}}
"""
ROWS = 6_000


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table that is large enough for a search of 200 rows to pay."""
    path = tmp_path_factory.mktemp("table") / "rows.csv"
    path.write_text("id,review\n" + "".join(f"{row},review {row}\n" for row in range(ROWS)), encoding="utf-8")
    return path


@contextmanager
def _models(**errs: float) -> Iterator[RunningEmulator]:
    """Run an emulator whose models err on a share of the rows: `haiku=0.02`."""
    rates = {f"claude-{name}-5-5": rate for name, rate in {"opus": 0.0, "sonnet": 0.0, "haiku": 0.0, **errs}.items()}
    with running_emulator(speed=1, error_rates=rates) as emulator:
        yield emulator


def _search(folder: Path, table: Path, emulator: RunningEmulator, recipe: str = RECIPE) -> Saved:
    path = folder / "best.yaml"
    path.write_text(recipe, encoding="utf-8")
    return searched(Saving(path, table, None, folder / "out"), Service(emulator.base_url, "sk-mine"))


def _paid(emulator: RunningEmulator) -> int:
    return int(emulator.bill_summary()["requests"])


def test_the_cheapest_model_that_agrees_is_certified(tmp_path: Path, table: Path) -> None:
    """A model with 1 % of wrong rows keeps 90 %; the dearer one is not even tried."""
    with _models(haiku=0.01) as emulator:
        saved = _search(tmp_path, table, emulator)
        assert saved.model == "claude-haiku-5-5"
        assert saved.certificate is not None
        wrong = len(saved.compared.disagreements)
        assert verdict(saved) == (
            "claude-haiku-5-5 agrees with the reference on at least 90.0 % of rows, with 95 % confidence "
            f"({200 - wrong} of 200; two plans tried)"
        )
        assert (saved.itself.agreed, saved.itself.rows, saved.is_noisy) == (200, 200, False)
        assert saved.reference_usd is not None
        assert saved.model_usd is not None
        assert saved.model_usd < saved.reference_usd / 10
        assert _paid(emulator) == 200 + 200 + 200
        again = _search(tmp_path, table, emulator)
        assert again.certificate == saved.certificate
        assert again.spent_usd == Decimal(0)
        assert _paid(emulator) == 600


def test_a_bad_model_ends_early_and_the_next_is_certified(tmp_path: Path, table: Path) -> None:
    """Haiku errs on 40 % of the rows: 100 of them show it."""
    with _models(haiku=0.4) as emulator:
        saved = _search(tmp_path, table, emulator)
        assert saved.model == "claude-sonnet-5-5"
        assert _paid(emulator) == 200 + 200 + 100 + 200
        notes = {plan.model: plan.notes for plan in saved.compared.plans}
        assert notes["claude-haiku-5-5"] == ["its search ended after 100 rows: it disagrees too often to pass"]
        assert notes["claude-sonnet-5-5"] == []


def test_nothing_is_certified_where_nothing_agrees(tmp_path: Path, table: Path) -> None:
    """The words say so, and the recipe that is written has the reference's model."""
    with _models(haiku=0.4, sonnet=0.3) as emulator:
        saved = _search(tmp_path, table, emulator)
        assert (saved.certificate, saved.model) == (None, None)
        assert verdict(saved).startswith("no model is certified")


def test_a_search_that_costs_too_much_is_not_begun(tmp_path: Path, table: Path) -> None:
    """Sonnet costs half of opus, so 200 live answers of it are a tenth of the bill of 2,000 rows."""
    small = tmp_path / "rows.csv"
    small.write_text("".join(table.read_text(encoding="utf-8").splitlines(keepends=True)[:2_001]), encoding="utf-8")
    with _models() as emulator:
        saved = _search(tmp_path, small, emulator)
        assert (saved.model, saved.too_dear) == ("claude-haiku-5-5", ["claude-sonnet-5-5"])
        assert saved.certificate is not None
        assert saved.certificate.tried == 1


def test_a_noisy_reference_is_said_first(tmp_path: Path, table: Path) -> None:
    """The emulator always gives the same answer, so the noise is put in."""
    with _models(haiku=0.01) as emulator:
        saved = _search(tmp_path, table, emulator)
    assert [line.startswith("the reference agrees with itself") for line, _ in lines(saved)][:3] == [False, False, True]
    first, _ = next(lines(replace(saved, itself=agreement(190, 200))))
    assert first.startswith("the reference agrees with itself on 95.0 % of rows (190 of 200;")


def test_a_model_that_drifts_is_named_with_its_rows(tmp_path: Path, table: Path) -> None:
    """The emulator errs evenly, so the drift is put in. Such a model is not run without a person."""
    ceiling = RECIPE.replace("keep: 0.9", "keep: 0.9, continue_under_usd: 1")
    with _models(haiku=0.01) as emulator:
        saved = _search(tmp_path, table, emulator, ceiling)
    assert saved.drift is None
    drifting = replace(saved, drift=Drift(5_000, 6_000, 9, 40))
    words = [line for line, _ in lines(drifting)]
    assert words[1] == (
        "it drifts: in rows 5,000 to 6,000 it disagrees on 9 of 40 compared rows, so the promise is for the whole "
        "file, not for that part"
    )
    output = CommandOutput()
    assert [is_approved(one, output, yes=False) for one in (saved, drifting)] == [True, False]
    assert is_approved(drifting, output, yes=True)
    assert not is_approved(saved, CommandOutput(json=True), yes=True)


def test_the_job_finds_the_answers_that_were_paid(tmp_path: Path, table: Path) -> None:
    """They are in the store of the recipe's name, which the certified recipe keeps."""
    with _models(haiku=0.01) as emulator:
        saved = _search(tmp_path, table, emulator)
        assert saved.model is not None
        written = write_recipe(tmp_path / "best.yaml", saved.model, tmp_path / "out", verdict(saved))
        assert written == tmp_path / "out" / "saved" / "best.yaml"
        recipe, _ = load_recipe(written)
        assert (recipe.model, recipe.remember, recipe.save) == ("claude-haiku-5-5", "90d", None)
        store = SqliteAnswerStore(answers_file(tmp_path / "out", Service(emulator.base_url, "sk-mine")))
        assert store.view("best").runs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            RECIPE,
            RECIPE.replace("claude-opus-5-5", "m").replace(SAVE, "") + "remember: 90d\n",
        ),
        (
            "prompt: |\n  {{ x }}\n\nsave:\n  keep: 0.9\n  try:\n    - a\nremember: 1d\nmodel: 'old'\n",
            "prompt: |\n  {{ x }}\n\nremember: 1d\nmodel: m\n",
        ),
        ("{model: old, prompt: '{{ x }}', save: {try: [a]}}", "model: m\nprompt: '{{ x }}'\nremember: 90d\n"),
    ],
)
def test_the_recipe_keeps_the_user_s_text(text: str, expected: str) -> None:
    """Comments and order stay; `save` goes."""
    assert with_model(text, "m") == expected


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("save: {try: [pack]}", "key 'save.try\\[0\\]': 'pack' cannot be tried yet"),
        ("save: {try: [claude-opus-5-5]}", "'claude-opus-5-5' is the recipe's own model"),
        ("save: {try: [a, b, a]}", "key 'save.try\\[2\\]': 'a' stands there twice"),
        ("save: {try: [a]}\nsample: 5", "key 'sample': the rows that are compared are the sample"),
        ("save: {try: [a], keeps: 1}", "did you mean 'keep'"),
        ("save: {try: []}", "save.try"),
    ],
)
def test_wrong_recipes(tmp_path: Path, table: Path, more: str, says: str) -> None:
    """Nothing is sent."""
    recipe = f"model: claude-opus-5-5\nprompt: '{{{{ review }}}}'\n{more}\n"
    with _models() as emulator:
        with pytest.raises(RecipeRejected, match=says):
            _search(tmp_path, table, emulator, recipe)
        assert _paid(emulator) == 0


def test_a_recipe_without_the_key_says_what_to_add(tmp_path: Path, table: Path) -> None:
    """The line can be copied."""
    with _models() as emulator, pytest.raises(CommandError, match=r"Add it, for example: save: \{keep: 0.98"):
        _search(tmp_path, table, emulator, "model: claude-opus-5-5\nprompt: '{{ review }}'\n")


def test_the_page_has_the_certificate(tmp_path: Path, table: Path) -> None:
    """It says what was counted, and loads nothing."""
    with _models(haiku=0.01) as emulator:
        saved = _search(tmp_path, table, emulator)
    page = compared_page(saved_view(saved)).decode()
    assert "A cheaper model is certified" in page
    assert verdict(saved) in page
    assert "agreement is not accuracy" in page
    assert "<script" not in page


def test_the_command_writes_page_recipe_and_json(tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pipe it asks nothing, and says how to go on."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "best.yaml").write_text(RECIPE, encoding="utf-8")
    with _models(haiku=0.01) as emulator:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", emulator.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-mine")
        ended = CliRunner().invoke(app, ["save", "best.yaml", str(table)], env={"COLUMNS": "80"})
        assert ended.exit_code == 0, ended.output
        assert "the page: out/save.html" in ended.output
        assert f"to run the file with it: batchdrop run out/saved/best.yaml {table}" in ended.output
        document: dict[str, Any] = json.loads(
            CliRunner().invoke(app, ["save", "best.yaml", str(table), "--json"]).stdout
        )
    assert document["saved"]["model"] == "claude-haiku-5-5"
    assert document["saved"]["certificate"]["tried"] == 2
    assert Path(document["page"]).exists()
    assert os.environ["ANTHROPIC_API_KEY"] == "sk-mine"
