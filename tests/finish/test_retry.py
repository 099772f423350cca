"""A retry: some rows of a job are sent again, and a whole new output is its next version."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from batchdrop.cli.job.jobs import NoSuchJobError
from batchdrop.cli.job.row_story import row_story
from batchdrop.errors import RetryRefused
from batchdrop.finish.chosen_rows import Wanted
from batchdrop.finish.order_retry import order_retry
from batchdrop.finish.spent_before import spent_before
from batchdrop.job.retry import RetryOrder
from batchdrop.recipe.recipe_file import parse_recipe_file
from batchdrop.report.summary import Summary
from tests.fakes import FakeBatchApi, JsonObject, errored, succeeded
from tests.jobs import JOB, World, dropped, reviews

TYPED = "model: claude-haiku-5-5\nprompt: 'ask {{ x }}'\nanswer: {label: {enum: [good, bad]}}\n"
FIXED = TYPED.replace("ask", "rate")


def _prompt(request: JsonObject) -> str:
    return str(request["params"]["messages"][0]["content"])


def _order(world: World, **wanted: Any) -> RetryOrder:
    """Order a retry of the world's newest version."""
    if recipe := wanted.get("recipe"):
        wanted["recipe"] = (parse_recipe_file(recipe.encode(), name="fixed.yaml"), None)
    return order_retry(Wanted(**wanted), world.upload, store=world.store, now=world.clock.now())


def _retried(world: World, **wanted: Any) -> Summary:
    """Order a retry, and run it as the state machine does."""
    world.upload = _order(world, **wanted).record
    return world.run()


def _rows(world: World) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(world.result("output.csv").decode(), newline="")))


def _failed(world: World) -> list[dict[str, Any]]:
    return [json.loads(line) for line in world.result("failed.jsonl").splitlines()]


def _sent(world: World) -> list[str]:
    """Return the prompts of all requests that were sent, in order."""
    return [_prompt(request) for requests in world.api.created.values() for request in requests]


def _spoiled(*numbers: int) -> Callable[[JsonObject], JsonObject]:
    """Return an API whose first answers to these rows break the schema; later ones are good."""
    spoiled = {f"ask row {number}" for number in numbers}

    def result_of(request: JsonObject) -> JsonObject:
        return succeeded("?" if _prompt(request) in spoiled else '{"label": "good"}')

    return result_of


def test_rows_without_a_usable_answer_are_sent_again() -> None:
    """The next version has all rows in order. Only the rows without an answer were sent, and both bills are in it."""
    world = dropped(reviews(7), rows=3, recipe=TYPED)
    world.api = FakeBatchApi(result_of=_spoiled(1, 5))
    first = world.run()
    assert (first.tally.answered, first.tally.unusable, first.version) == (5, 2, 1)
    assert [row["_row"] for row in _failed(world)] == [2, 6]
    second = _retried(world, recipe=FIXED)
    assert world.upload.job_id == f"{JOB}-v2"
    assert _sent(world)[7:] == ["rate row 1", "rate row 5"]
    assert [(row["x"], row["label"], row["_status"]) for row in _rows(world)] == [
        (f"row {number}", "good", "answered") for number in range(7)
    ]
    assert _failed(world) == []
    assert (second.tally.rows, second.tally.answered, second.status, second.version) == (7, 7, "succeeded", 2)
    assert second.retry is not None
    assert (second.retry.rows, second.input, second.bytes) == (2, "inbox/r/f.csv", first.bytes)
    assert first.cost.usd is not None
    assert second.cost.usd == first.cost.usd + first.cost.usd * 2 / 7
    assert second.retry.usd == first.cost.usd * 2 / 7


def test_a_row_keeps_its_number_in_later_versions() -> None:
    """`show --row N` finds the version that sent the row last. N counts the rows of the user's file."""
    world = dropped(reviews(7), rows=3, recipe=TYPED)
    world.api = FakeBatchApi(result_of=_spoiled(1, 5))
    world.run()
    _retried(world, recipe=FIXED)
    second = f"{JOB}-v2"
    for number, version in {1: JOB, 2: second, 6: second, 7: JOB}.items():
        story = row_story(world.store, second, number, ledger=world.ledger)
        assert (story.row, story.job_id, story.cells["x"]) == (number, version, f"row {number - 1}")
        assert (story.status, len(story.rounds)) == ("answered", 1)
    assert row_story(world.store, JOB, 2).status == "invalid"
    with pytest.raises(NoSuchJobError, match="row 8 does not exist"):
        row_story(world.store, second, 8)


def test_rows_that_were_answered_stay_as_they_are() -> None:
    """The parts of shards without such rows are used as they are; version 1 stays where it is."""
    world = dropped(reviews(7), rows=3, recipe=TYPED)
    world.api = FakeBatchApi(result_of=_spoiled(1))
    world.run()
    before = dict(world.store.objects)
    _retried(world, recipe=FIXED)
    changed = {key for key, body in before.items() if world.store.objects[key] != body}
    assert changed <= {"jobs/prompt-cache/r.json", f"jobs/{JOB}/closing.json"}
    assert not world.store.under(f"jobs/{JOB}-v2/parts/00001.closed")


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        ({}, ["row 1", "row 2", "row 3"]),
        ({"statuses": frozenset({"failed"})}, ["row 2"]),
        ({"statuses": frozenset({"max_tokens", "refusal"})}, ["row 3"]),
        ({"rows": frozenset({2, 4})}, ["row 1", "row 3"]),
    ],
)
def test_status_and_rows_choose(wanted: dict[str, Any], sent: list[str]) -> None:
    """By default all rows that were sent; a status or numbers choose some of them."""
    results = {
        "ask row 1": succeeded("?"),
        "ask row 2": errored("invalid_request_error"),
        "ask row 3": succeeded("", stop_reason="refusal"),
    }
    world = dropped(reviews(5), recipe=TYPED)
    world.api = FakeBatchApi(result_of=lambda request: results.get(_prompt(request), succeeded('{"label": "bad"}')))
    world.run()
    _retried(world, **wanted)
    assert [prompt.removeprefix("ask ") for prompt in _sent(world)[5:]] == sent


def test_the_same_wish_is_one_retry() -> None:
    """A command that is killed and repeated finds its order, while that version has not ended."""
    world = dropped(reviews(4), recipe=TYPED)
    world.api = FakeBatchApi(result_of=_spoiled(1, 2))
    world.run()
    order = _order(world, recipe=FIXED)
    world.clock.advance(60)
    assert _order(world, recipe=FIXED) == order
    with pytest.raises(RetryRefused, match=f"another retry makes {JOB}-v2"):
        _order(world, rows=frozenset({2}), recipe=FIXED)


def test_a_command_repeated_after_the_end_pays_for_nothing() -> None:
    """Answers that were paid in the last retry, with this recipe, are not paid again unless the user says so."""
    world = dropped(reviews(4), recipe=TYPED)
    world.api = FakeBatchApi(
        result_of=lambda request: (
            succeeded("?")
            if "row 1" in _prompt(request)
            else errored("api_error")
            if "row 2" in _prompt(request)
            else succeeded('{"label": "bad"}')
        )
    )
    world.run()
    _retried(world, statuses=frozenset({"invalid"}), recipe=FIXED)
    with pytest.raises(
        RetryRefused, match=r"sent these 1 rows with the same recipe, and their answers are paid.*--again"
    ):
        _order(world, statuses=frozenset({"invalid"}))
    assert _order(world).rows == 1, "row 2 was never paid"


def test_once_more_with_again() -> None:
    """`--again` is the user's word that the rows may be paid once more."""
    world = dropped(reviews(4), recipe=TYPED)
    world.api = FakeBatchApi(result_of=_spoiled(1))
    world.run()
    _retried(world)
    summary = _retried(world, again=True)
    assert (world.upload.job_id, summary.version, summary.tally.unusable) == (f"{JOB}-v3", 3, 1)
    assert _sent(world)[4:] == ["ask row 1"] * 2
    assert summary.cost.usd == sum(Decimal(10 * 0.10 + 5 * 0.50) / 10**6 / 2 for _ in range(6))


def test_a_paid_answer_outlives_a_retry_without_one() -> None:
    """A row whose first answer was invalid keeps it if the retry gets an error; the reason is in its place."""
    world = dropped(reviews(3), recipe=TYPED)
    spoiled = _spoiled(1)
    world.api = FakeBatchApi(
        result_of=lambda request: errored("invalid_request_error") if "rate" in _prompt(request) else spoiled(request)
    )
    world.run()
    _retried(world, recipe=FIXED)
    assert [row["_status"] for row in _rows(world)] == ["answered", "invalid", "answered"]
    assert _rows(world)[1]["_raw"] == "?"


def test_versions_follow_each_other() -> None:
    """The third version has the rows of the first and of the second."""
    world = dropped(reviews(6), rows=2, recipe=TYPED)
    world.api = FakeBatchApi(result_of=_spoiled(0, 3, 5))
    world.run()
    _retried(world, rows=frozenset({1}), recipe=FIXED)
    assert [row["_status"] for row in _rows(world)] == ["answered"] * 3 + ["invalid", "answered", "invalid"]
    summary = _retried(world)
    assert [row["_status"] for row in _rows(world)] == ["answered"] * 6
    assert _sent(world)[6:] == ["rate row 0", "rate row 3", "rate row 5"]
    assert summary.tally.rows == 6


def test_changed_lines_are_merged() -> None:
    """`drop failed.jsonl --into JOB`: the user's own text of the rows is sent, in any order; the file's cells stay."""
    world = dropped(b"x,n\nrow 0,1\n,2\nrow 2,3\n,4\n")
    world.api = FakeBatchApi(result_of=lambda request: succeeded("no" if _prompt(request) == "ask " else "yes"))
    world.run()
    lines = [b'{"x": "new 3", "n": "4", "_row": 4}', b'{"x": "new 1", "n": "2", "_row": 2, "_status": "rejected"}']
    with pytest.raises(RetryRefused, match=r"not in failed\.jsonl"):
        _order(world, lines=lines)
    broken = dropped(b"x,n\nrow 0,1\nrow 1\nrow 2,3\nrow 3\n")
    broken.run()
    summary = _retried(broken, lines=lines)
    assert _sent(broken)[2:] == ["ask new 1", "ask new 3"]
    assert [row["answer"] for row in _rows(broken)] == [
        "re: ask row 0",
        "re: ask new 1",
        "re: ask row 2",
        "re: ask new 3",
    ]
    assert [row["x"] for row in _rows(broken)] == ["row 0", "row 1", "row 2", "row 3"]
    assert summary.tally.answered == 4


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([b'{"x": "a"}'], "line 1 has no `_row`"),
        ([b"[]"], "line 1 is not a JSON object"),
        ([b'{"_row": 2}', b'{"_row": 2}'], "line 2: row 2 stands twice"),
        ([b'{"_row": 1}'], "not in failed.jsonl of 20261122T120000-0123456789: row 1"),
    ],
)
def test_lines_that_cannot_be_merged(lines: list[bytes], message: str) -> None:
    """Each says which line, and what to do."""
    world = dropped(b"x,n\nrow 0,1\nrow 1\n")
    world.run()
    with pytest.raises(RetryRefused, match=message):
        _order(world, lines=lines)


def test_a_recipe_with_other_columns_is_refused() -> None:
    """One output has one set of columns."""
    world = dropped(reviews(2), recipe=TYPED)
    world.api = FakeBatchApi(result_of=_spoiled(1))
    world.run()
    with pytest.raises(
        RetryRefused, match=r"output columns are .*why \(string\).*those of the job are label \(string\)"
    ):
        _order(world, recipe=TYPED.replace("}}\n", "}, why: string}\n"))


def test_the_cap_holds_for_all_versions() -> None:
    """`max_cost_usd` is the job's: a retry has what is left of it."""
    capped = f"{TYPED}max_cost_usd: 0.001\nmax_tokens: 5\n"
    world = dropped(reviews(2), recipe=capped)
    world.api = FakeBatchApi(result_of=_spoiled(1))
    first = world.run()
    assert first.status == "succeeded"
    assert first.cost.usd is not None
    sent = _order(world).sent_recipe
    assert sent is not None
    assert sent.cap == Decimal(str(float(Decimal("0.001") - first.cost.usd)))
    with pytest.raises(RetryRefused, match=r"the job has cost \$0\.000004.*max_cost_usd is \$0\.000002"):
        _order(world, recipe=capped.replace("0.001", "0.000002"))


def test_metrics_count_each_dollar_once() -> None:
    """What the first version spent is known before the second one is closed."""
    world = dropped(reviews(3), recipe=TYPED)
    world.api = FakeBatchApi(result_of=_spoiled(1))
    first = world.run()
    world.upload = _order(world).record
    assert spent_before(world.upload, store=world.store).usd == first.cost.usd


def test_nothing_to_retry() -> None:
    """A job whose rows are all answered has nothing to send again; nor has one without an output."""
    world = dropped(reviews(2))
    world.run()
    with pytest.raises(RetryRefused, match="has no rows to send again"):
        _order(world)
    with pytest.raises(RetryRefused, match="no output yet"):
        _order(_split_only())


def _split_only() -> World:
    world = dropped(reviews(2))
    world.split()
    return world
