"""What must fail is found before anything is sent; what may fail is a warning."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from batchdrop.answers.shape import answer_shape
from batchdrop.errors import RecipeRejected
from batchdrop.recipe.models import Model, ModelTable, model_table, parse_models, with_own
from batchdrop.recipe.recipe import Recipe, parse_recipe
from batchdrop.split.findings import Findings, model_findings, recipe_findings
from tools import models as tool

TODAY = date(2026, 12, 1)
SERVICE = ModelTable(
    "2026-12-01",
    "https://api.anthropic.com",
    {
        "claude-haiku-5-5": Model(max_tokens=128_000),
        "claude-old": Model("retired"),
        "claude-late": Model("deprecated", retires_at="2026-11-30"),
        "claude-later": Model("deprecated", retires_at="2027-01-31"),
    },
)


def _recipe(**keys: Any) -> Recipe:
    return parse_recipe({"model": "claude-haiku-5-5", "prompt": "{{ x }}", **keys}, name="r.yaml")


def _of(recipe: Recipe) -> Findings:
    return recipe_findings(recipe, answer_shape(recipe, name="r.yaml"))


def _of_model(name: str, *, table: ModelTable = SERVICE, max_tokens: int = 256, **more: Any) -> Findings:
    return model_findings([name], table, max_tokens=max_tokens, today=TODAY, **more)


def test_a_known_model_has_no_findings() -> None:
    """Up to its own limit."""
    assert _of_model("claude-haiku-5-5", max_tokens=128_000) == Findings()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("claude-haiku-55", "unknown model 'claude-haiku-55'; did you mean 'claude-haiku-5-5'?"),
        ("gpt-9", "unknown model 'gpt-9' (models of 2026-12-01: https://api.anthropic.com)"),
        ("claude-old", "claude-old is retired"),
    ],
)
def test_a_model_that_refuses_every_row_is_a_fault(name: str, told: str) -> None:
    """The message names the list, and the nearest id."""
    assert told in _of_model(name).faults[0]


def test_a_gateway_may_have_models_of_its_own() -> None:
    """Its list could not be read, so the id is only a warning."""
    unsure = ModelTable("2026-12-01", "the SDK", SERVICE.models, is_certain=False)
    found = _of_model("corp/claude", table=unsure)
    assert (found.faults, len(found.warnings)) == ([], 1)


@pytest.mark.parametrize(
    ("name", "told"),
    [("claude-late", "it was to retire on 2026-11-30"), ("claude-later", "it retires on 2027-01-31")],
)
def test_a_deprecated_model_is_a_warning(name: str, told: str) -> None:
    """The API says that a date in the past does not retire a model."""
    found = _of_model(name)
    assert (found.faults, told in found.warnings[0]) == ([], True)


@pytest.mark.parametrize(("max_tokens", "faults", "warnings"), [(128_001, 1, 0), (300_001, 2, 0), (1, 0, 0)])
def test_more_tokens_than_the_model_takes_are_a_fault(max_tokens: int, faults: int, warnings: int) -> None:
    """The service knows the limit."""
    found = _of_model("claude-haiku-5-5", max_tokens=max_tokens)
    assert (len(found.faults), len(found.warnings)) == (faults, warnings)


@pytest.mark.parametrize(("max_tokens", "faults", "warnings"), [(32_000, 0, 0), (32_001, 0, 1), (300_001, 1, 0)])
def test_an_unknown_limit_warns(max_tokens: int, faults: int, warnings: int) -> None:
    """The shipped list has no limits; no model writes more than 300,000."""
    found = _of_model("claude-haiku-5-5", table=model_table(), max_tokens=max_tokens)
    assert (len(found.faults), len(found.warnings)) == (faults, warnings)


def test_a_beta_may_raise_the_limit() -> None:
    """`output-300k` is for more than the model's own."""
    assert _of_model("claude-haiku-5-5", max_tokens=300_000, betas=["output-300k-2026-03-24"]) == Findings()


def test_the_shipped_list_is_the_sdks() -> None:
    """A new SDK needs `python -m tools.models`."""
    shipped = json.loads(tool.PATH.read_text())
    assert tool.document(date=shipped["date"]) == shipped
    assert model_table().models["claude-sonnet-4-5"] == Model("deprecated", retires_at="2026-11-30")


def test_own_models_come_first() -> None:
    """For a model that is newer than the list, or a limit that it lacks."""
    own = parse_models({"models": {"claude-next": {"max_tokens": 5}, "claude-haiku-5-5": None}}, name="models.yaml")
    table = with_own(SERVICE, own)
    assert _of_model("claude-next", table=table, max_tokens=6).faults
    assert not _of_model("claude-next", table=table, max_tokens=5).faults
    assert _of_model("claude-haiku-5-5", table=table, max_tokens=200_000).warnings


@pytest.mark.parametrize(
    "fields",
    [
        [],
        None,
        {},
        {"m": {}},
        *({"models": one} for one in ({}, {"m": {"max_token": 5}}, {"m": {"lifecycle": 1}}, {"m": 5})),
    ],
)
def test_a_broken_list_is_refused(fields: Any) -> None:
    """With the file's name."""
    with pytest.raises(RecipeRejected, match=r"models\.yaml: "):
        parse_models(fields, name="models.yaml")


@pytest.mark.parametrize("keys", [{"prompt": "Say something."}, {"prompt": "{{ 1 + 1 }}"}])
def test_a_prompt_without_columns_is_a_fault(keys: Any) -> None:
    """Each row would get, and pay for, the same request."""
    assert "names no column" in _of(_recipe(**keys)).faults[0]


@pytest.mark.parametrize(
    "keys",
    [
        {"prompt": "{{ x }}"},
        {"prompt": "{{ row | json }}"},
        {"prompt": "Describe it.", "input": "files"},
        {"prompt": "Describe it.", "attach": {"column": "path", "as": "image"}},
    ],
)
def test_a_prompt_that_uses_the_row_is_none(keys: Any) -> None:
    """Also as a whole, or by its file."""
    assert _of(_recipe(**keys)) == Findings()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({f"f{number}": "string" for number in range(101)}, "101 fields"),
        ({"x": {"enum": [f"v{number}" for number in range(501)]}}, "501 enum values"),
        ({"x": {"type": "string", "description": "d" * 16_000}}, "bytes"),
        ({f"f{number}": "string" for number in range(100)}, ""),
    ],
)
def test_a_large_schema_is_a_warning(answer: Any, told: str) -> None:
    """The API compiles a grammar of it, and refuses a large one."""
    warnings = _of(_recipe(answer=answer)).warnings
    assert (told in warnings[0]) if told else not warnings


@pytest.mark.parametrize(
    ("budget", "keys", "told"),
    [
        (1_024, {"max_tokens": 1_024}, "must be less than max_tokens"),
        (5_000, {"max_tokens": 4_096}, "must be less than max_tokens"),
        (1_000, {"max_tokens": 4_096}, "takes 1,024 or more"),
        (2_000, {"max_tokens": 2_001}, ""),
        (9_000, {"max_tokens": 1_024, "betas": ["interleaved-thinking-2025-05-14"]}, ""),
    ],
)
def test_a_budget_of_thinking_that_cannot_work_is_refused(budget: int, keys: Any, told: str) -> None:
    """In the recipe itself, so that no job starts."""
    thinking = {"params": {"thinking": {"type": "enabled", "budget_tokens": budget}}}
    if not told:
        assert _recipe(**thinking, **keys)
        return
    with pytest.raises(RecipeRejected, match=rf"params\.thinking\.budget_tokens.*{told}"):
        _recipe(**thinking, **keys)
