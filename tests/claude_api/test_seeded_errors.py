"""`error_rates`: models that agree on what is right, and err on a seeded share of the rows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchdrop.local.claude_api.fake_model import FakeModel, read_request
from batchdrop.local.claude_api.fates import ANSWERED
from batchdrop.local.claude_api.prompt_cache import Visit
from batchdrop.local.claude_api.settings import Settings
from tests.claude_api.asks import params
from tests.emulated_job import emulated_job
from tests.packs.jobs import answers, packed, table

FIELDS = {"label": {"enum": ["positive", "neutral", "negative"]}, "score": {"type": "integer"}}
SCHEMA = {"type": "object", "properties": FIELDS, "required": [*FIELDS], "additionalProperties": False}
RATES = {"claude-opus-5-5": 0.0, "claude-sonnet-5-5": 0.1, "claude-haiku-5-5": 0.3}
ROWS = 400


def _answers(model: str, **settings: Any) -> list[dict[str, Any]]:
    fake, own = FakeModel(), Settings(seed=3, **settings)
    found = []
    for row in range(ROWS):
        form = {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}
        raw = json.dumps(params(f"a nice row {row}", **form) | {"model": model}).encode()
        request = read_request(raw, lane="batch", version="2026-10-21", strict_schemas=True)
        message = fake.message(request, ANSWERED, visit=Visit("batch", 0, 0), settings=own)
        found.append(json.loads(getattr(message.content[0], "text", "")))
    return found


def test_models_err_on_their_share_of_the_rows() -> None:
    """The best model has the right answers; the others disagree with it as often as they are told to."""
    right = _answers("claude-opus-5-5", error_rates=RATES)
    for model in ("claude-sonnet-5-5", "claude-haiku-5-5"):
        given = _answers(model, error_rates=RATES)
        assert given == _answers(model, error_rates=RATES)
        wrong = sum(one != other for one, other in zip(right, given, strict=True))
        assert wrong / ROWS == pytest.approx(RATES[model], abs=0.06)


def test_an_error_is_another_answer_also_where_the_text_says_it() -> None:
    """A text with a sentiment has one right label; a model that always errs never gives the whole right answer."""
    right = _answers("claude-opus-5-5", error_rates=RATES)
    given = _answers("claude-haiku-5-5", error_rates={"claude-haiku-5-5": 1.0})
    assert not any(one == other for one, other in zip(right, given, strict=True))


def test_a_row_of_a_pack_has_the_right_answer_of_the_row_alone() -> None:
    """So packs can be compared with rows alone."""
    with emulated_job(table(30), recipe=packed("null"), error_rates={"claude-sonnet-5-5": 0.0}) as job:
        job.run()
        alone = answers(job)
    with emulated_job(table(30), recipe=packed(10), error_rates={"claude-sonnet-5-5": 0.0}) as job:
        job.run()
        assert answers(job) == alone
