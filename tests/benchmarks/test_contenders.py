"""Benchmarks are fair: on tiny inputs, all contenders give the same outputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import collect, split, submit
from benchmarks.batches_server import batches_server
from benchmarks.measure import Contender, apart

ROWS = 30


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_everyone_splits_into_the_same_requests(tmp_path: Path, kind: str) -> None:
    """Create bodies say the same, but for the way JSON can be spaced."""
    found = set()
    for name, contender in split.CONTENDERS.items():
        split.lay(tmp_path / name, kind, ROWS)
        facts = contender(str(tmp_path / name), kind)()
        found.add((split.bodies(tmp_path / name), facts["rows"], facts["shards"]))
    assert [(rows, shards) for _, rows, shards in found] == [(ROWS, 1)]


def test_every_run_does_the_work_again(tmp_path: Path) -> None:
    """A job that is split already would take no time."""
    split.lay(tmp_path, "csv", ROWS)
    split.ours(str(tmp_path), "csv")()
    before = split.bodies(tmp_path)
    again = split.ours(str(tmp_path), "csv")
    assert split.bodies(tmp_path) != before
    again()
    assert split.bodies(tmp_path) == before


def test_both_submit_one_message_batch(tmp_path: Path) -> None:
    """Each gets an answer, and the two inputs ask the same."""
    submit.lay(tmp_path, ROWS, 500)
    requests = json.loads((tmp_path / submit.BODY).read_bytes())["requests"]
    prompts = (tmp_path / submit.PROMPTS).read_text(encoding="utf-8").splitlines()
    assert [one["params"]["messages"][0]["content"] for one in requests] == prompts
    with batches_server() as url:
        assert {contender(str(tmp_path), url)()["id"] for contender in submit.CONTENDERS.values()} == {"msgbatch_bench"}


def test_both_put_the_same_answer_to_each_row(tmp_path: Path) -> None:
    """Shuffled results come back in the rows' order."""
    split.lay(tmp_path, "csv", ROWS)
    split.ours(str(tmp_path), "csv")()
    collect.lay_results(tmp_path / "results.jsonl", ROWS, 700)
    with batches_server(tmp_path / "results.jsonl") as url:
        assert [contender(str(tmp_path), url)()["rows"] for contender in collect.CONTENDERS.values()] == [ROWS, ROWS]
    mine, theirs = collect.answers_in(tmp_path / collect.PART), collect.answers_in(tmp_path / collect.OUTPUT)
    assert mine == theirs
    assert len(mine) == ROWS
    assert mine[7][1].startswith("row 7 is positive")


def test_results_have_the_size_they_are_said_to_have(tmp_path: Path) -> None:
    """A line of 700 bytes has about so many."""
    collect.lay_results(tmp_path / "results.jsonl", 3, 700)
    assert {len(line) for line in (tmp_path / "results.jsonl").read_bytes().splitlines()} <= set(range(690, 711))


CONTENDERS: dict[str, Contender] = {"a block": lambda: lambda: {"length": len(b"x" * int("50000000"))}}


def test_growth_is_what_the_work_takes() -> None:
    """A block that is held counts in full; what was there before does not. Apart: the heap here may have it free."""
    found = apart("tests.benchmarks.test_contenders", "a block")
    assert 40 < found["grown_mb"] < 60
    assert found["peak_rss_mb"] > found["grown_mb"]
