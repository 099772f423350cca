"""Accuracy in a whole job: the truth is never sent, and every way of a row to its answer is counted."""

from __future__ import annotations

import json

import msgspec
import pytest

from batchdrop.finish.chosen_rows import Wanted
from batchdrop.finish.order_retry import order_retry
from batchdrop.report.gold_block import GoldBlock
from batchdrop.report.summary import Summary
from tests.fakes import FakeBatchApi, JsonObject, succeeded
from tests.formats.tables import csv_file, jsonl_file, parquet_file, xlsx_file
from tests.jobs import World
from tests.remembering import Jobs

RECIPE = """model: claude-haiku-5-5
prompt: ask {{ x }}
answer: {label: {enum: [good, bad]}, stars: integer}
gold: {label: expected, stars: expected_stars}
pilot: false
"""
ROWS = [("r1", "good", "3"), ("r2", "bad", ""), ("r3", "", "5"), ("r4", "good", "x"), ("r5", "bad", "3")]


def _csv(rows: list[tuple[str, str, str]] = ROWS) -> bytes:
    return "".join(f"{','.join(row)}\n" for row in [("x", "expected", "expected_stars"), *rows]).encode()


def _good(_request: JsonObject) -> JsonObject:
    return succeeded('{"label": "good", "stars": 3}')


def _gold(summary: Summary) -> dict[str, GoldBlock]:
    assert isinstance(summary.gold, list)
    return {block.field: block for block in summary.gold}


def _counts(block: GoldBlock) -> tuple[int, int, int, int]:
    return block.truths, block.answered, block.right, block.unreadable


def _prompts(world: World) -> list[str]:
    requests = [request["params"] for requests in world.api.created.values() for request in requests]
    return [json.dumps({name: one for name, one in own.items() if name != "output_config"}) for own in requests]


@pytest.mark.parametrize("rows", [100, 2])
def test_a_job_says_how_often_it_is_right(rows: int) -> None:
    """In one shard and in several: the summary has the counts, and no request has a truth."""
    world = World(rows=rows, api=FakeBatchApi(result_of=_good)).drop("inbox/r/f.csv", _csv(), recipe=RECIPE)
    gold = _gold(world.run())
    assert _counts(gold["label"]) == (4, 4, 2, 0)
    assert _counts(gold["stars"]) == (3, 3, 2, 1)
    wrong = [(one.row, one.truth, one.answer) for one in gold["label"].wrong_rows]
    assert wrong == [(2, "bad", "good"), (5, "bad", "good")]
    assert gold["label"].confusion == {"good": {"good": 2}, "bad": {"good": 2}}
    assert gold["label"].all_wrong == "output.csv: the rows whose 'label' differs from 'expected'"
    assert [one.row for one in gold["stars"].unreadable_rows] == [4]
    assert gold["stars"].errors is not None
    assert (gold["stars"].errors.low, gold["stars"].errors.high) == (-2, 0)
    assert not any("expected" in one or "bad" in one for one in _prompts(world))


def test_a_recipe_without_gold_says_nothing() -> None:
    """No accuracy is made up: the summary has no such block."""
    recipe = RECIPE.replace("gold: {label: expected, stars: expected_stars}\n", "")
    world = World(api=FakeBatchApi(result_of=_good)).drop("inbox/r/f.csv", _csv(), recipe=recipe)
    world.run()
    assert "gold" not in json.loads(world.result("summary.json"))


def test_rows_without_an_answer_are_truths_that_were_not_compared() -> None:
    """A refused or cut answer is neither right nor wrong; a retry then counts the row once."""
    broken = {"ask r1"}

    def result_of(request: JsonObject) -> JsonObject:
        is_broken = request["params"]["messages"][0]["content"] in broken
        return succeeded("?" if is_broken else '{"label": "good", "stars": 3}')

    world = World(api=FakeBatchApi(result_of=result_of)).drop("inbox/r/f.csv", _csv(), recipe=RECIPE)
    assert _counts(_gold(world.run())["label"]) == (4, 3, 1, 0)
    broken.clear()
    world.upload = order_retry(Wanted(), world.upload, store=world.store, now=world.clock.now()).record
    assert _counts(_gold(world.run())["label"]) == (4, 4, 2, 0)


def test_the_answer_that_counts_is_compared() -> None:
    """With `escalate` the other model's answer is used."""

    def result_of(request: JsonObject) -> JsonObject:
        is_large = request["params"]["model"] == "claude-sonnet-5-5"
        return succeeded('{"label": "bad", "stars": 3}' if is_large else '{"label": "good", "stars": 1}')

    recipe = RECIPE + "escalate: {to: claude-sonnet-5-5, when: stars < 2}\n"
    world = World(api=FakeBatchApi(result_of=result_of)).drop("inbox/r/f.csv", _csv(), recipe=recipe)
    gold = _gold(world.run())
    assert gold["label"].confusion == {"good": {"bad": 2}, "bad": {"bad": 2}}


def test_remembered_answers_are_compared() -> None:
    """The truth may come later than the answer: it is not part of the request."""
    jobs = Jobs("model: claude-haiku-5-5\nprompt: 'ask {{ x }}'\nremember: 90d\n")
    jobs.run("a", "b")
    world = jobs.drop("a", recipe=jobs.recipe + "gold: {answer: truth}\n")
    body = b"x,truth\na,re: ask a\nb,other\nc,\n"
    world.store.write(world.upload.key, body)
    etag = world.store.etag(world.upload.key)
    world.upload = msgspec.structs.replace(world.upload, etag=etag, size=len(body))
    summary = world.run()
    assert summary.tally.statuses == {"remembered": 2, "answered": 1}
    assert _counts(_gold(summary)["answer"]) == (2, 2, 1, 0)


def test_a_canceled_job_compares_what_it_has() -> None:
    """A shard that was never sent has truths and no answers."""
    world = World(rows=2, api=FakeBatchApi(result_of=_good)).drop("inbox/r/f.csv", _csv(), recipe=RECIPE)
    world.split()
    sent = world.submit(0)
    world.api.finish()
    world.collect(sent.batch_id, 0)
    summary = world.close()
    assert _counts(_gold(summary)["label"]) == (4, 2, 1, 0)


@pytest.mark.parametrize("name", ["f.csv", "f.jsonl", "f.parquet", "f.xlsx"])
def test_the_truth_is_read_from_every_format(name: str) -> None:
    """As the file holds it: texts, numbers, empty cells."""
    rows = [{"id": f"r{number}", "text": "t", "note": str(number) if number % 2 else ""} for number in range(1, 6)]
    body = {"f.csv": csv_file, "f.jsonl": jsonl_file, "f.parquet": parquet_file, "f.xlsx": xlsx_file}[name](rows)
    world = World(api=FakeBatchApi(result_of=lambda _: succeeded('{"stars": 3}')))
    recipe = (
        "model: claude-haiku-5-5\nprompt: ask {{ id }}\nanswer: {stars: integer}\ngold: {stars: note}\npilot: false\n"
    )
    world.drop(f"inbox/r/{name}", body, recipe=recipe)
    gold = _gold(world.run())["stars"]
    assert _counts(gold) == (3, 3, 1, 0)
    assert [one.row for one in gold.wrong_rows] == [1, 5]
