"""Packs and their groups: each row's own answer is compared with its own truth."""

from __future__ import annotations

import csv
import io

import pytest

from batchdrop.report.gold_block import GoldBlock
from tests.emulated_job import emulated_job
from tests.packs.grouped import contract, grouped
from tests.packs.jobs import output, packed

GOLD = "gold: {label: expected}\n"


def _table(rows: int) -> bytes:
    lines = ["x,expected", *(f"row {number},{'good' if number % 2 else ''}" for number in range(rows))]
    return "".join(f"{line}\n" for line in lines).encode()


def _questions(rows: int) -> bytes:
    lines = [f'c{one % 3},"{contract(one % 3)}",question {one},{"bad" if one % 2 else ""}' for one in range(rows)]
    return "".join(f"{line}\n" for line in ["contract_id,contract,question,expected", *lines]).encode()


@pytest.mark.parametrize(
    ("recipe", "body"), [(packed(10, GOLD), _table(40)), (grouped(10, GOLD), _questions(40))], ids=["packs", "groups"]
)
def test_rows_of_a_pack_are_compared_one_by_one(recipe: str, body: bytes) -> None:
    """The counts are those of the output itself, and no request holds a truth."""
    with emulated_job(body, recipe=recipe) as job:
        summary = job.run()
        assert isinstance(summary.gold, list)
        [gold] = summary.gold
        assert isinstance(gold, GoldBlock)
        rows = [row for row in output(job) if row["expected"]]
        assert (gold.truths, gold.answered) == (20, 20)
        assert gold.right == sum(row["label"] == row["expected"] for row in rows)
        numbered = list(csv.DictReader(io.StringIO(job.result("output.csv").decode())))
        for one in gold.wrong_rows:
            assert (numbered[one.row - 1]["expected"], numbered[one.row - 1]["label"]) == (one.truth, one.answer)
        for round_number in (0, 1):
            assert "expected" not in str(job.requests(round_number=round_number))
