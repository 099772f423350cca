"""A whole job, property-tested: rows in = answered + failed + rejected, each row exactly once, in order."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from batchdrop.errors import NothingToSend, SplitTooSlow, SubmissionRefused, SubmissionUncertain
from batchdrop.recipe.recipe import DEFAULT_ROUNDS
from batchdrop.report.summary import Summary
from tests.fakes import FakeBatchApi, errored, succeeded
from tests.jobs import World, dropped
from tests.strategies import cells

RECIPE = "model: claude-haiku-5-5\nprompt: '{{ n }} {{ x }}'\n"
FATES = ["succeeded", "refused", "api_error", "expired", "canceled", "postponed", "reject"]

kinds = st.sampled_from(FATES)
tables = st.lists(st.tuples(cells(lone_cr=True), kinds), min_size=1, max_size=12)


def _result_of(fates: list[str]) -> Any:
    def result(request: dict[str, Any]) -> dict[str, Any]:
        content = request["params"]["messages"][0]["content"]
        match fates[int(content.split(" ")[0])]:
            case "succeeded":
                return succeeded(f"re: {content}")
            case "refused":
                return succeeded("", stop_reason="refusal")
            case "api_error":
                return errored("api_error")
            case fate:
                return {"type": fate}

    return result


def _expected(fates: list[str], lost: set[int]) -> list[str]:
    statuses = {"succeeded": "answered", "refused": "refusal", "reject": "rejected", "canceled": "canceled"}
    statuses["postponed"] = "unreadable"
    return [
        "failed" if number in lost and fate != "reject" else statuses.get(fate, "failed")
        for number, fate in enumerate(fates)
    ]


def _csv_file(rows: list[tuple[str, str]]) -> bytes:
    """Return rows of number and text; a reject has a cell too many."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["n", "x"])
    for number, (text, fate) in enumerate(rows):
        writer.writerow([number, text, "!"] if fate == "reject" else [number, text])
    return out.getvalue().encode()


def _jsonl_file(rows: list[tuple[str, str]]) -> bytes:
    """Return rows of number and text; a reject lacks the field that the prompt needs."""
    lines = [
        {"n": number, "y": text} if fate == "reject" else {"n": number, "x": text}
        for number, (text, fate) in enumerate(rows)
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _texts(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a JSONL row with nothing written as CSV writes it."""
    return {name: "" if value is None else value for name, value in fields.items()}


def _check(summary: Summary, rows: list[tuple[str, str]], output: list[dict[str, Any]], lost: set[int]) -> None:
    fates = [fate for _, fate in rows]
    tally = summary.tally
    assert tally.rows == len(rows) == tally.answered + tally.unusable + tally.failed + tally.rejected
    assert tally.unusable == tally.statuses.get("refusal", 0)
    assert [str(line["n"]) for line in output] == [str(number) for number in range(len(rows))]
    assert [line["_status"] for line in output] == _expected(fates, lost)
    for number, ((text, fate), line) in enumerate(zip(rows, output, strict=True)):
        answered = fate == "succeeded" and number not in lost
        assert line["answer"] == (f"re: {number} {text}" if answered else "")


def _check_paid_once(world: World, fates: list[str]) -> None:
    """What is unpaid and may go better was asked in each round, all else at most once."""
    times = Counter(_row(request) for requests in world.api.created.values() for request in requests)
    for number, asked in times.items():
        assert asked <= (DEFAULT_ROUNDS if fates[number] in {"api_error", "expired", "canceled"} else 1)


def _row(request: dict[str, Any]) -> int:
    return int(request["params"]["messages"][0]["content"].split(" ")[0])


def _run(world: World, fates: list[str], *, looks: int | None, seed: int) -> Summary | None:
    world.api = FakeBatchApi(result_of=_result_of(fates), seed=seed)
    try:
        return world.run(looks=looks)
    except NothingToSend:
        assert set(fates) == {"reject"}
        return None
    except SplitTooSlow:
        assert looks is not None
        return None


@settings(max_examples=80)
@given(
    tables,
    st.integers(1, 5),
    st.none() | st.integers(2, 6),
    st.integers(0, 2**16),
    st.sampled_from(["", "refused", "lost"]),
)
def test_every_csv_row_is_accounted_for(
    rows: list[tuple[str, str]], shard_rows: int, looks: int | None, seed: int, trouble: str
) -> None:
    """Any cells, fates, shards, pauses, a refused or a lost first create: each row once, in order, its own answer."""
    world = dropped(_csv_file(rows), recipe=RECIPE, rows=shard_rows)
    fates = [fate for _, fate in rows]
    first = next((number for number, fate in enumerate(fates) if fate != "reject"), 0) // shard_rows
    lost = set(range(first * shard_rows, (first + 1) * shard_rows)) if trouble == "refused" else set()
    world.api = FakeBatchApi(result_of=_result_of(fates), seed=seed)
    if trouble == "refused":
        world.api.refuse_next = SubmissionRefused("no")
    if trouble == "lost":
        world.api.lose_next = SubmissionUncertain("lost")
    try:
        summary = world.run(looks=looks)
    except NothingToSend:
        assert set(fates) == {"reject"}
        return
    output = list(csv.DictReader(io.StringIO(world.result("output.csv").decode(), newline="")))
    _check(summary, rows, output, lost)
    is_red = trouble == "refused" or not summary.tally.answered
    assert summary.status == ("failed" if is_red else "succeeded")
    _check_paid_once(world, fates)
    assert (
        len(world.result("failed.jsonl").splitlines()) == len(rows) - summary.tally.answered - summary.perhaps_paid.rows
    )


@given(tables, st.integers(1, 5), st.none() | st.integers(2, 6), st.integers(0, 2**16))
def test_every_jsonl_row_is_accounted_for(
    rows: list[tuple[str, str]], shard_rows: int, looks: int | None, seed: int
) -> None:
    """The same for JSON Lines, and every text comes back as it went in."""
    world = dropped(_jsonl_file(rows), key="inbox/r/f.jsonl", recipe=RECIPE, rows=shard_rows)
    summary = _run(world, [fate for _, fate in rows], looks=looks, seed=seed)
    if summary is None:
        return
    output = [_texts(json.loads(line)) for line in world.result("output.jsonl").splitlines()]
    _check(summary, rows, output, set())
    _check_paid_once(world, [fate for _, fate in rows])
    assert [line.get("x", line.get("y")) for line in output] == [text for text, _ in rows]


@given(tables, st.integers(1, 5))
def test_no_request_is_created_twice(rows: list[tuple[str, str]], shard_rows: int) -> None:
    """Run again from its first step, a job creates nothing and ends the same."""
    world = dropped(_jsonl_file(rows), key="inbox/r/f.jsonl", recipe=RECIPE, rows=shard_rows)
    fates = [fate for _, fate in rows]
    first = _run(world, fates, looks=None, seed=0)
    if first is None:
        return
    created = dict(world.api.created)
    second = world.run()
    assert world.api.created == created
    _check_paid_once(world, fates)
    assert second.tally == first.tally
