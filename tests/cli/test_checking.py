"""`batchdrop check`: what it says of the cost, and who counts for it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from batchdrop.cli.check.checking import Exact, check, check_file, check_recipe, checked_file
from batchdrop.cli.console import CommandOutput
from batchdrop.cli.run.service import Service
from batchdrop.errors import AccountTrouble, ApiUnavailable, PricesRejected, RateLimited, RecipeRejected, UploadRejected
from batchdrop.local.claude_api.testing import RunningEmulator, running_emulator

RECIPE = "model: claude-haiku-5-5\nmax_tokens: 100\nprompt: 'Review: {{ x }}'\n"
OWN = (
    "date: 2026-12-01\nsource: our contract\nmodels: {claude-next: {standard: {input: 1, output: 2, cache_write_5m: 1, "
    "cache_write_1h: 1, cache_read: 1}}}\n"
)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe, with a table of 300 rows beside it."""
    path = tmp_path / "ask.yaml"
    path.write_text(RECIPE)
    rows = "".join(f"row {row} says something of some length\n" for row in range(300))
    (tmp_path / "f.csv").write_text("x\n" + rows)
    return path


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    """A service of one's own."""
    with running_emulator(accepted_keys=["sk-mine"]) as running:
        yield running


def _said(recipe: Path, *, good: bool = True, exact: Exact | None = None) -> str:
    told = io.StringIO()
    assert check_file(recipe, recipe.with_name("f.csv"), Console(file=told, width=160), exact=exact) is good
    return told.getvalue()


def test_dollars_in_both_lanes_with_their_bounds(recipe: Path) -> None:
    """The job's own lane is marked; the band, the prices' date and source are there."""
    said = _said(recipe)
    assert "300 rows: 300 requests, 0 rejected" in said
    assert "(estimated, ± 10%); out 300 to 30,000, expected 7,500" in said
    batch, live = (
        next(line.split() for line in said.splitlines() if line.startswith(lane)) for lane in ("batch", "live")
    )
    assert [word.startswith("$") for word in (*batch[1:4], *live[1:4])] == [True] * 6
    assert "this job's lane" in " ".join(batch)
    assert "prices of 2026-11-22 (Anthropic's published prices" in said


def test_what_matters_comes_first(recipe: Path) -> None:
    """Cost, Message Batches and rejects stand before the prompt; the prompt is text, and JSON is for `--verbose`."""
    recipe.write_text(RECIPE + "system: You are kind.\n")
    recipe.with_name("f.csv").write_text("x,y\nfirst,1\nshort\n")
    said = _said(recipe, good=False)
    places = [said.index(words) for words in ("lane ", "sent as ", "1 rejected", "row 2", "You are kind.", "tokens ")]
    assert places == sorted(places)
    assert "system: You are kind.\nprompt: Review: first\n" in said
    assert '"max_tokens"' not in said
    told = io.StringIO()
    check_file(recipe, recipe.with_name("f.csv"), Console(file=told, width=160), is_verbose=True)
    assert '"max_tokens": 100' in told.getvalue()


def test_message_batches_are_counted(recipe: Path) -> None:
    """A live job says what the other lane would make of it."""
    assert "sent as      1 Message Batch, more if shards are smaller" in _said(recipe)
    recipe.with_name("f.csv").write_text("x\n1\n")
    assert "sent as      single requests; in the batch lane: 1 Message Batch" in _said(recipe)


def test_a_column_of_two_words_is_explained(recipe: Path) -> None:
    """Its name is written as a key of the row."""
    recipe.write_text(RECIPE.replace("{{ x }}", "{{ Customer ID }}"))
    recipe.with_name("f.csv").write_text("Customer ID\n1\n")
    with pytest.raises(RecipeRejected, match=re.escape('{{ row["Customer ID"] }}')):
        _said(recipe)
    recipe.write_text(RECIPE.replace("{{ x }}", "{{ price/unit }}"))
    recipe.with_name("f.csv").write_text("price/unit\n1\n")
    with pytest.raises(RecipeRejected, match=re.escape('{{ row["price/unit"] }}')):
        _said(recipe)


def test_a_small_file_goes_live(recipe: Path) -> None:
    """`lane: auto`."""
    recipe.with_name("f.csv").write_text("x\n1\n")
    assert any("this job's lane" in line for line in _said(recipe).splitlines() if line.startswith("live"))


def test_an_unknown_price_is_said_and_ones_own_helps(recipe: Path) -> None:
    """`prices.yaml` beside the recipe, as it lies in the bucket."""
    recipe.write_text(RECIPE.replace("claude-haiku-5-5", "claude-next"))
    assert "price unknown" in _said(recipe, good=False)  # nor does the list of models have it
    recipe.with_name("prices.yaml").write_text(OWN)
    said = _said(recipe)
    assert "price unknown" not in said
    assert "your own prices of 2026-12-01" in said
    assert "your own prices: our contract" in said


def test_a_broken_price_table_is_reported(recipe: Path) -> None:
    """The check reads it like the job, and it is not a recipe itself."""
    prices = recipe.with_name("prices.yaml")
    prices.write_text("date: today\n")
    with pytest.raises(PricesRejected, match=r"prices\.yaml: 'source' is missing"):
        _said(recipe)
    with pytest.raises(RecipeRejected, match="reserved for your own prices"):
        check_recipe(prices, CommandOutput())


def test_a_job_above_its_cap_is_not_good(recipe: Path) -> None:
    """The same refusal as the job's, before it is dropped."""
    recipe.write_text(RECIPE + "max_cost_usd: 0.00001\n")
    assert "its 300 requests would cost at least" in _said(recipe, good=False)


def test_rows_that_are_answered_together_cost_once(recipe: Path) -> None:
    """As the job would ask them."""
    recipe.write_text(RECIPE + "dedupe: true\n")
    recipe.with_name("f.csv").write_text("x\n" + "same\n" * 9 + "other\n")
    assert "10 rows: 2 requests, 0 rejected, 8 share another row's answer" in _said(recipe)


def test_a_cap_says_how_many_message_batches_it_makes(recipe: Path) -> None:
    """Also as JSON; a cap that holds the whole job makes one, and without a cap nothing is said."""
    assert "\ncap " not in _said(recipe)
    recipe.write_text(f"{RECIPE}lane: batch\nmax_cost_usd: 0.004\n")
    assert re.search(r"\ncap +\d Message Batches, 1 without it; fewer if answers are shorter", _said(recipe))
    checked = checked_file(recipe, recipe.with_name("f.csv"), Console(file=io.StringIO()))
    found = msgspec.to_builtins(checked.document())["cap"]
    assert found["message_batches"] > found["message_batches_without_cap"] == 1
    assert found["requests_left"] == 0
    recipe.write_text(f"{RECIPE}lane: batch\nmax_cost_usd: 0.0012\n")
    assert "requests would not be sent" in _said(recipe)


def test_exact_counts_on_the_emulator_by_default(recipe: Path) -> None:
    """It is started for it, and said to be no real service."""
    said = _said(recipe, exact=Exact(Service(), 20))
    assert "(counted on 20 of 300 requests, ± 2%)" in said
    assert "the emulator on this machine, which estimates" in said


def test_exact_counts_on_the_service_that_is_named(recipe: Path, emulator: RunningEmulator) -> None:
    """With the user's key; nothing is billed, and the estimate is scaled by what was counted."""
    emulator.reset()
    checked = checked_file(
        recipe,
        recipe.with_name("f.csv"),
        Console(file=io.StringIO()),
        exact=Exact(Service(emulator.base_url, "sk-mine"), 30),
    )
    assert emulator.call_summary()["by_endpoint"] == {"messages.count_tokens": {"200": 30}}
    assert emulator.bill_summary()["requests"] == 0
    assert checked.counted is not None
    assert checked.counted.ratio == pytest.approx(1, abs=0.02)
    document = msgspec.to_builtins(checked.document())
    assert document["estimate"]["counted"] == 30
    assert document["estimate"]["input_tokens"] == checked.check.estimate.input_tokens
    assert document["too_expensive"] is None


def test_a_service_that_does_not_count_is_reported(recipe: Path, emulator: RunningEmulator) -> None:
    """A wrong key, no room, nobody there."""
    emulator.reset()
    with pytest.raises(AccountTrouble, match="401"):
        _said(recipe, exact=Exact(Service(emulator.base_url, "sk-other"), 3))
    emulator.settings(count_tokens_rpm=0)
    with pytest.raises(RateLimited, match="429"):
        _said(recipe, exact=Exact(Service(emulator.base_url, "sk-mine"), 3))
    with pytest.raises(ApiUnavailable, match="could not be counted"):
        _said(recipe, exact=Exact(Service("http://127.0.0.1:9", "sk-mine"), 3))


@pytest.fixture(autouse=True)
def _no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("claude-haiku-5-5", "claude-haiku-55", "unknown model 'claude-haiku-55'; did you mean 'claude-haiku-5-5'?"),
        ("max_tokens: 100", "max_tokens: 400000", "max_tokens: 400,000 is more than any model writes"),
        ("{{ x }}", "x", "the prompt names no column"),
    ],
)
def test_what_must_fail_is_a_fault(recipe: Path, old: str, new: str, told: str) -> None:
    """With and without a file, as text and as JSON; the exit code follows."""
    recipe.write_text(RECIPE.replace(old, new))
    assert told in _said(recipe, good=False)
    for as_json in (False, True):
        assert check(recipe, None, CommandOutput(as_json)) is False


def test_the_service_knows_its_models(recipe: Path, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its list decides, also on other names of a model, and on the largest max_tokens."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", emulator.base_url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-mine")
    recipe.write_text(RECIPE.replace("max_tokens: 100", "max_tokens: 128000"))
    assert "warning" not in _said(recipe)
    recipe.write_text(RECIPE.replace("max_tokens: 100", "max_tokens: 128001"))
    assert "128,001 is more than claude-haiku-5-5 takes, which is 128,000" in _said(recipe, good=False)
    recipe.write_text(RECIPE.replace("claude-haiku-5-5", "claude-haiku-4-5-20251001"))
    assert "fault" not in _said(recipe)
    recipe.write_text(RECIPE.replace("claude-haiku-5-5", "claude-fable-5-2"))
    assert "unknown model 'claude-fable-5-2'; did you mean" in _said(recipe, good=False)


def test_a_gateway_without_a_list_leaves_a_warning(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have models of its own; the check does not fail for them, nor for a key that is missing."""
    recipe.write_text(RECIPE.replace("claude-haiku-5-5", "corp/claude"))
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    assert "fault        model: unknown model 'corp/claude'" in _said(recipe, good=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-mine")
    assert "warning      model: unknown model 'corp/claude'" in _said(recipe)


def test_own_models_stand_beside_the_recipe(recipe: Path) -> None:
    """For a model that is newer than the list."""
    recipe.write_text(RECIPE.replace("claude-haiku-5-5", "claude-next"))
    recipe.with_name("models.yaml").write_text("models: {claude-next: {max_tokens: 50}}\n")
    assert "max_tokens: 100 is more than claude-next takes, which is 50" in _said(recipe, good=False)
    recipe.with_name("models.yaml").write_text(
        "models: {claude-next: {retires_at: 2027-01-01, lifecycle: deprecated}}\n"
    )
    assert "it retires on 2027-01-01" in _said(recipe)
    recipe.with_name("models.yaml").write_text("models: [\n")
    with pytest.raises(RecipeRejected, match=r"models\.yaml: it is not YAML"):
        _said(recipe)


def test_a_header_without_rows_is_refused(recipe: Path) -> None:
    """As the job would."""
    recipe.with_name("f.csv").write_text("x\n")
    with pytest.raises(UploadRejected, match="the file has no rows"):
        _said(recipe)


def test_empty_cells_are_counted(recipe: Path) -> None:
    """Sent, they are a warning; skipped, they are no fault."""
    recipe.with_name("f.csv").write_text("x,y\na,1\n,2\n")
    assert "1 row is sent although all columns of the prompt are empty" in _said(recipe)
    recipe.write_text(RECIPE + "on_empty: skip\n")
    assert "2 rows: 1 requests, 0 rejected, 1 skipped" in _said(recipe)
    recipe.write_text(RECIPE + "on_empty: reject\n")
    assert "1 rejected" in _said(recipe, good=False)


def test_the_pilot_and_the_prompt_cache_are_shown_with_dollars(recipe: Path) -> None:
    """Where they matter: in a job of a thousand requests, and for a prefix that is long enough."""
    assert "pilot" not in _said(recipe)
    assert "prompt cache" not in _said(recipe)
    rules = "Read the whole review before you decide. " * 120
    recipe.write_text(f"model: claude-sonnet-5-5\nmax_tokens: 16\nsystem: '{rules}'\nprompt: '{{{{ x }}}}'\n")
    recipe.with_name("f.csv").write_text("x\n" + "".join(f"row {row}\n" for row in range(2_000)))
    said = _said(recipe)
    assert "pilot        the first request goes alone, through the live lane" in said
    assert "prompt cache primed: it is expected to save $2.72 (84%) at a hit rate of 95%" in said


def test_a_cache_that_cannot_pay_is_a_warning(recipe: Path) -> None:
    """`true` on a prefix below the model's minimum; more examples would pay."""
    rules = "Read the whole review before you decide. " * 50
    system = f"system: {{text: '{rules}', cache: true}}"
    recipe.write_text(f"model: claude-sonnet-5-5\nmax_tokens: 16\n{system}\nprompt: '{{{{ x }}}}'\n")
    recipe.with_name("f.csv").write_text("x\n" + "".join(f"row {row}\n" for row in range(2_000)))
    said = " ".join(_said(recipe).split())
    assert "warning system.cache: true: nothing is cached: the requests share about 6" in said
    assert "More examples, 1,024 tokens in all, would save about $" in said
