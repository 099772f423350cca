"""The estimate's promise: what a job is billed lies between its bounds, whatever its rows, by the emulator's counts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.shape import answer_shape
from batchdrop.local.claude_api.fake_model import FakeModel, read_request
from batchdrop.local.claude_api.prices import picodollars
from batchdrop.local.claude_api.prompt_cache import Visit
from batchdrop.local.claude_api.settings import Settings
from batchdrop.money.estimate import INPUT_BAND, ROUNDING
from batchdrop.money.request_count import RequestCount, frame_of
from batchdrop.recipe.lane import Lane
from batchdrop.recipe.recipe import parse_recipe
from batchdrop.requests.content_block import content_block
from batchdrop.requests.request import RecipeRequests
from batchdrop.requests.row import Cursor, Row
from tests.documents import document

RULES = "Rule: read the whole review before you label it, and mind irony and what is left unsaid. " * 60
CODE = 'def total(rows):\n\treturn sum(row["usd"] for row in rows)  # "€"\n'
RECIPES: dict[str, dict[str, Any]] = {
    "text": {"prompt": "Summarise: {{ text }}", "max_tokens": 200},
    "one word": {"system": "One of: good, bad.", "prompt": "{{ text }}?", "max_tokens": 8},
    "typed": {
        "prompt": "{{ text }}!",
        "answer": {"label": {"enum": ["good", "bad"]}, "why": "string?", "n": "integer"},
    },
    "cached": {"system": {"text": RULES, "cache": True}, "prompt": "{{ text }}!"},
    "too short to be cached": {"system": {"text": "Be kind.", "cache": True}, "prompt": "{{ text }}!"},
    "older model": {"model": "claude-sonnet-4-5", "prompt": "次のレビュー:\n{{ text }}"},
    "conversation": {
        "messages": [
            {"role": "user", "content": "{{ text }}."},
            {"role": "assistant", "content": "Go on"},
            {"role": "user", "content": "Is '{{ text }}' rude?"},
        ]
    },
}
texts = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="["), max_size=40),
    st.builds(
        lambda text, times: text * times, st.sampled_from(["word ", "日本語。", "Ж", CODE, "😀"]), st.integers(1, 400)
    ),
)
blocks = st.sampled_from(["disc.png", "disc.jpg", "page.pdf", "invoice.pdf"]).map(
    lambda name: content_block(document(name), name=name, kind=None)
)


def _billed(asked: list[bytes], *, lane: Lane) -> tuple[int, Decimal]:
    """Return what the emulator counts and charges for the requests, one after the other."""
    model, settings, tokens, dollars = FakeModel(), Settings(), 0, 0
    for params in asked:
        tier: Any = "batch" if lane == "batch" else "standard"
        request = read_request(params, lane=tier, version="2026-10-21", strict_schemas=True)
        fate = model.fate(request, settings, "x")
        usage = model.message(request, fate, visit=Visit(tier, 0, 0), settings=settings).usage
        tokens += request.input_tokens
        dollars += picodollars(request.params.model, usage, half=lane == "batch")
    return tokens, Decimal(dollars) / 10**12


def _check(recipe_fields: dict[str, Any], rows: list[Row], lane: Lane) -> None:
    recipe = parse_recipe({"model": "claude-haiku-5-5", **recipe_fields}, name="r")
    shape = answer_shape(recipe, name="r")
    source = RecipeRequests(recipe, shape, name="r")
    frame = frame_of(recipe, shape, source.empty or b"")
    count, each = RequestCount(frame, recipe), RequestCount(frame, recipe)
    requests = [source.request(row) for row in rows]
    asked, owns = [request.params for request in requests], [request.own for request in requests]
    count.add(asked, owns)
    for params, own in requests:
        each.add((params,), (own,))
    assert count.estimate == each.estimate
    estimate, (tokens, spent) = count.estimate, _billed(asked, lane=lane)
    usd = estimate.usd(lane)
    assert usd is not None
    assert abs(estimate.input_tokens - tokens) <= INPUT_BAND * tokens + ROUNDING * len(asked)
    assert usd.low <= spent <= usd.high


@pytest.mark.parametrize("name", RECIPES)
@given(rows=st.lists(texts, min_size=1, max_size=12), lane=st.sampled_from(["batch", "live"]))
def test_texts_of_any_kind(name: str, rows: list[str], lane: Lane) -> None:
    """Short and long, any script, code and escapes: input within the band, dollars within the bounds."""
    _check(RECIPES[name], [Row("", Cursor(), {"text": text}) for text in rows], lane)


@given(rows=st.lists(st.lists(blocks, min_size=1, max_size=3), min_size=1, max_size=4))
def test_files_of_any_kind(rows: list[list[dict[str, Any]]]) -> None:
    """Images by the piece, PDFs by the page."""
    recipe = {"prompt": "What is it?", "input": "files"}
    _check(recipe, [Row("", Cursor(), {}, content=tuple(content)) for content in rows], "batch")
