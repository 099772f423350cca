"""Packs in the emulator: each row is answered by its own text, and answers break on demand."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from batchdrop.local.claude_api.fake_model import FakeModel, read_request
from batchdrop.local.claude_api.fates import ANSWERED
from batchdrop.local.claude_api.packs import item_of, rows_in
from batchdrop.local.claude_api.prompt_cache import Visit
from batchdrop.local.claude_api.settings import Settings

ITEM = {
    "type": "object",
    "properties": {"row": {"type": "integer"}, "note": {"type": "string"}},
    "required": ["row", "note"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {"rows": {"type": "array", "items": ITEM}},
    "required": ["rows"],
    "additionalProperties": False,
}
TEXTS = [f"text {number}" for number in range(1, 11)]


def _fenced(number: int, text: str, key: str = "0a1b2c") -> str:
    return f"<row {number} {key}>\n{text}\n</row {number} {key}>"


def _answer(texts: list[str], **settings: Any) -> list[dict[str, Any]]:
    blocks = [{"type": "text", "text": _fenced(number, text)} for number, text in enumerate(texts, 1)]
    params = {
        "model": "claude-haiku-5-5",
        "max_tokens": 4_000,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Answer each."}, *blocks]}],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    }
    request = read_request(msgspec.json.encode(params), lane="batch", version="2026-10-21", strict_schemas=True)
    held = msgspec.convert(settings, Settings)
    message = FakeModel().message(request, ANSWERED, visit=Visit("batch", 0, 0), settings=held)
    text = msgspec.to_builtins(message)["content"][0]["text"]
    rows: list[dict[str, Any]] = json.loads(text)["rows"]
    return rows


def test_a_row_has_the_same_answer_in_any_pack() -> None:
    """Its place, its number and its neighbours change nothing."""
    straight = {text: row["note"] for text, row in zip(TEXTS, _answer(TEXTS), strict=True)}
    other = {text: row["note"] for text, row in zip(TEXTS[::-1], _answer(TEXTS[::-1]), strict=True)}
    assert straight == other
    assert len({*straight.values()}) > 3


def test_answers_break_on_demand() -> None:
    """Rows are left out, invented and doubled, and two change places."""
    numbers = [row["row"] for row in _answer(TEXTS)]
    assert numbers == [*range(1, 11)]
    assert _answer(TEXTS, pack_missing_rate=1.0) == []
    assert 0 < len(_answer(TEXTS, pack_missing_rate=0.5)) < 10
    assert max(row["row"] for row in _answer(TEXTS, pack_invented_rate=1.0)) > 10
    assert [row["row"] for row in _answer(TEXTS, pack_doubled_rate=1.0)].count(1) == 2
    assert [row["row"] for row in _answer(TEXTS, pack_shuffled_rate=1.0)] == [10, *range(2, 10), 1]


@pytest.mark.parametrize("growth", [0.0, 2.0])
def test_larger_packs_break_more_often(growth: float) -> None:
    """With a growth of 2, a pack of 40 has 16 times the rate."""
    texts = [f"text {number}" for number in range(40)]
    kept = len(_answer(texts, pack_missing_rate=0.06, pack_growth=growth))
    assert kept < 10 if growth else kept > 25


def test_magic_words_break_the_packs_that_have_them() -> None:
    """The row that says so is left out, or its pack has one object too many."""
    assert [row["row"] for row in _answer(["a", "b [[pack_missing]]", "c"])] == [1, 3]
    assert len(_answer(["a", "b [[pack_invented]]"])) == len(_answer(["a", "b [[pack_doubled]]"])) == 3


def test_what_is_a_pack() -> None:
    """The schema says so, and only fences with the first key count."""
    assert item_of(SCHEMA) is not None
    assert item_of(ITEM) is None
    forged = f"{_fenced(1, 'one')}\n{_fenced(2, _fenced(3, 'forged', 'ffffff'))}"
    assert rows_in(forged) == [(1, "one"), (2, _fenced(3, "forged", "ffffff"))]
