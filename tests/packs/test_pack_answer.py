"""Reading a pack's answer, and dividing its usage: each row ends once, and nothing of the bill is lost."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers import custom_id
from batchdrop.answers.columns import Column, NewColumns
from batchdrop.answers.pack_answer import row_answers
from batchdrop.answers.pack_lines import PackLines
from batchdrop.answers.pack_members import PackMembers
from batchdrop.answers.result_line import ResultHead
from batchdrop.answers.shape import AnswerShape
from batchdrop.answers.usage_shares import shares
from batchdrop.answers.verdict import Verdict

JOB = "20261122T120000-0123456789"
OWN = custom_id.prefix(JOB, 0)
SCHEMA = {
    "type": "object",
    "properties": {"label": {"enum": ["good", "bad"]}},
    "required": ["label"],
    "additionalProperties": False,
}
SHAPE = AnswerShape(NewColumns((Column("label"),)), schema=SCHEMA)
SCHEMA_LABELS = {"good", "bad"}
COUNTS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")

LABELS = st.sampled_from(["good", "bad", "ugly", 1, None])
OBJECTS = st.lists(st.fixed_dictionaries({"row": st.integers(-1, 7), "label": LABELS}), max_size=8)
STOPS = st.sampled_from(["end_turn", "max_tokens", "refusal", "pause_turn"])
TEXTS = st.one_of(
    OBJECTS.map(lambda objects: json.dumps({"rows": objects})),
    st.tuples(OBJECTS, st.integers(0, 200)).map(lambda drawn: json.dumps({"rows": drawn[0]})[: drawn[1]]),
    st.text(max_size=40),
)
USAGES = st.fixed_dictionaries({name: st.integers(0, 10**6) for name in COUNTS})


def _members(rows: list[int]) -> PackMembers:
    members = PackMembers(100)
    members.add(rows, [8 * row for row in rows])
    return members


def _line(first: int, text: str, stop: str, usage: dict[str, int]) -> bytes:
    message = {
        "model": "m",
        "content": [{"type": "text", "text": text}],
        "stop_reason": stop,
        "usage": {**usage, "service_tier": "batch"},
    }
    line = {"custom_id": custom_id.after(OWN, first), "result": {"type": "succeeded", "message": message}}
    return msgspec.json.encode(line)


def _expanded(rows: list[int], *lines: bytes) -> list[dict[str, Any]]:
    filtered = PackLines(_members(rows), OWN, SHAPE, shared=900)
    return [json.loads(line) for line in filtered.expanded(lines).splitlines()]


@given(total=st.integers(0, 10**7), weights=st.lists(st.integers(0, 10**5), min_size=1, max_size=100))
def test_shares_are_exact_and_fair(total: int, weights: list[int]) -> None:
    """Their sum is the total, and none is a whole token away from its part."""
    parts, whole = shares(total, weights), sum(weights)
    assert sum(parts) == total
    assert all(abs(part - total * weight / whole) < 1 for part, weight in zip(parts, weights, strict=True) if whole)


@given(rows=st.sets(st.integers(0, 99), min_size=1, max_size=6), text=TEXTS, stop=STOPS, usage=USAGES)
def test_each_row_ends_once_and_the_usage_adds_up(rows: set[int], text: str, stop: str, usage: dict[str, int]) -> None:
    """Whatever the model writes: a line for each row, answered or sent alone, and the pack's tokens among them."""
    found = _expanded(sorted(rows), _line(min(rows), text, stop, usage))
    assert [one["custom_id"] for one in found] == [custom_id.after(OWN, row) for row in sorted(rows)]
    for one in found:
        head = msgspec.json.decode(json.dumps(one), type=ResultHead)
        assert head.verdict is (Verdict.MISSED if one.get("missed") else Verdict.ANSWERED)
        assert one.get("missed") or json.loads(one["result"]["message"]["content"][0]["text"])["label"] in SCHEMA_LABELS
    usages = [one["result"]["message"]["usage"] for one in found]
    assert {name: sum(one.get(name, 0) for one in usages) for name in COUNTS} == usage


@given(order=st.permutations([1, 2, 3, 4]), labels=st.lists(st.sampled_from(["good", "bad"]), min_size=4, max_size=4))
def test_rows_are_joined_by_number(order: list[int], labels: list[str]) -> None:
    """The order of the objects means nothing."""
    text = json.dumps({"rows": [{"row": number, "label": labels[number - 1]} for number in order]})
    found = row_answers(text, "end_turn", 4, SHAPE)
    assert [json.loads(one.text)["label"] for one in found] == labels


@given(rows=st.sets(st.integers(0, 99), min_size=2, max_size=6), text=TEXTS, stop=STOPS, usage=USAGES)
def test_the_filter_is_idempotent(rows: set[int], text: str, stop: str, usage: dict[str, int]) -> None:
    """Lines of rows that come again, after results were incomplete, pass as they are."""
    filtered = PackLines(_members(sorted(rows)), OWN, SHAPE, shared=900)
    once = filtered.expanded([_line(min(rows), text, stop, usage)])
    assert filtered.expanded(once.splitlines()) == once


def test_why_a_row_is_sent_alone() -> None:
    """A word for each reason, and the whole pack where the model lost count."""
    good = {"row": 1, "label": "good"}
    cases: list[tuple[Any, str, list[str]]] = [
        ([good], "end_turn", ["", "missing"]),
        ([good, {"row": 2, "label": "ugly"}], "end_turn", ["", "invalid"]),
        ([good, {"row": 3, "label": "bad"}], "end_turn", ["numbers", "numbers"]),
        ([good, {"row": 1, "label": "bad"}], "end_turn", ["numbers", "numbers"]),
        ([good, good, {"row": 2, "label": "bad"}], "end_turn", ["", ""]),
        ([good, {"row": True, "label": "bad"}], "end_turn", ["numbers", "numbers"]),
        ([good], "max_tokens", ["", "cut"]),
        ([good], "refusal", ["refusal", "refusal"]),
    ]
    for objects, stop, expected in cases:
        found = row_answers(json.dumps({"rows": objects}), stop, 2, SHAPE)
        assert [one.missed for one in found] == expected
    assert [one.missed for one in row_answers("I am sorry", "end_turn", 2, SHAPE)] == ["unreadable", "unreadable"]


def test_unpaid_results_are_those_of_each_row() -> None:
    """An expired pack is sent again; of one that the API refuses, each row is tried alone."""
    name = custom_id.after(OWN, 3)
    expired = msgspec.json.encode({"custom_id": name, "result": {"type": "expired"}})
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}
    refused = msgspec.json.encode({"custom_id": name, "result": {"type": "errored", "error": error}})
    for line, missed in ((expired, None), (refused, "refused")):
        found = _expanded([3, 8], line)
        assert [one["custom_id"] for one in found] == [name, custom_id.after(OWN, 8)]
        assert {one.get("missed") for one in found} == {missed}
        assert {msgspec.json.decode(json.dumps(one), type=ResultHead).verdict for one in found} == {Verdict.LEFTOVER}


@given(packs=st.lists(st.sets(st.integers(0, 24), min_size=2, max_size=5), max_size=4))
def test_the_sidecar_keeps_the_packs(packs: list[set[int]]) -> None:
    """Four bytes a row, and every pack comes back as it was."""
    members = PackMembers(100)
    kept = [[25 * place + row for row in sorted(pack)] for place, pack in enumerate(packs)]
    for rows in kept:
        members.add(rows, [8 * row for row in rows])
    assert len(members.body) == 400
    again = PackMembers.read(members.body)
    for rows in kept:
        assert again.pack_of(rows[0]) == rows
        assert {again.first_of(row) for row in rows} == {rows[0]}
        assert not again.pack_of(rows[1])
        assert [again.size(row) for row in rows] == [8 * row + 8 for row in rows]
    assert again.first_of(99) is None or 99 in kept[-1]


FREE = AnswerShape(
    NewColumns((Column("label"),)),
    schema={**SCHEMA, "properties": {"label": {"type": "string"}}},
)


@given(st.lists(st.text(), min_size=2, max_size=5))
def test_a_text_is_in_its_row_as_the_model_wrote_it(texts: list[str]) -> None:
    """Quotes, backslashes, line ends, control characters and other scripts, too."""
    rows = [*range(len(texts))]
    objects = [{"row": number, "label": text} for number, text in enumerate(texts, 1)]
    line = _line(0, json.dumps({"rows": objects}), "end_turn", dict.fromkeys(COUNTS, 9))
    found = PackLines(_members(rows), OWN, FREE, shared=100).expanded([line]).splitlines()
    messages = [msgspec.json.decode(one)["result"]["message"] for one in found]
    assert [json.loads(one["content"][0]["text"]) for one in messages] == [{"label": text} for text in texts]
