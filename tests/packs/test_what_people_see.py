"""What a job with packs says: before it, in its summary, and about one row."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from batchdrop.cli.check.checking import check_file
from batchdrop.cli.job.row_printing import print_story
from batchdrop.cli.job.row_story import row_story
from batchdrop.report.pack_block import PackBlock
from tests.emulated_job import emulated_job
from tests.jobs import JOB
from tests.packs.jobs import output, packed, sent, table


def test_check_prices_packs_as_packs(tmp_path: Path) -> None:
    """The expected cost is that of the packs, 'high' sends each row twice, and the rows alone stand beside it."""
    (tmp_path / "f.csv").write_bytes(table(200))
    told = {}
    for name, recipe in (("alone", packed("null")), ("packs", packed(20))):
        (tmp_path / f"{name}.yaml").write_text(recipe)
        out = io.StringIO()
        check_file(tmp_path / f"{name}.yaml", tmp_path / "f.csv", Console(file=out, width=160))
        told[name] = out.getvalue()
    lanes = {
        name: next(line.split() for line in text.splitlines() if line[:5] == "batch") for name, text in told.items()
    }
    low, expected, high = (
        {name: float(cells[place].strip("$,")) for name, cells in lanes.items()} for place in (1, 2, 3)
    )
    assert expected["packs"] < 0.4 * expected["alone"]
    assert low["packs"] < low["alone"]
    assert high["packs"] > high["alone"]
    assert "up to 20 rows in a request" in told["packs"]
    assert f"each row alone would cost {lanes['alone'][2]}" in told["packs"]
    assert "packs" not in told["alone"]


def test_a_large_max_tokens_leaves_no_packs(tmp_path: Path) -> None:
    """The check says so, and what to do; the job sends its rows alone."""
    recipe = packed(20).replace("max_tokens: 64", "max_tokens: 20000")
    (tmp_path / "f.csv").write_bytes(table(5))
    (tmp_path / "r.yaml").write_text(recipe)
    out = io.StringIO()
    check_file(tmp_path / "r.yaml", tmp_path / "f.csv", Console(file=out, width=160))
    assert "max_tokens is too large for an answer to two rows; lower it" in out.getvalue()
    with emulated_job(table(5), recipe=recipe) as job:
        summary = job.run()
        assert summary.tally.answered == 5
        assert isinstance(summary.packs, PackBlock)
        assert summary.packs.decision == "off"


def test_the_summary_says_what_packs_did() -> None:
    """Packs sent, rows sent again and why, and dollars that are close to what they really saved."""
    with emulated_job(table(60), recipe=packed("null")) as job:
        plain = job.run()
        alone = job.bill
        assert b'"packs"' not in job.result("summary.json")
        assert plain.estimate is not None
    with emulated_job(table(60, r7="[[pack_missing]]"), recipe=packed(10)) as job:
        summary = job.run()
        found = json.loads(job.result("summary.json"))["packs"]
        assert (found["decision"], found["packs"], found["rows"]) == ("packed", 6, 60)
        assert found["rows_again"] == {"missing": 1}
        assert float(found["saved_usd"]) == pytest.approx(float(alone - job.bill), rel=0.2)
        assert summary.estimate is not None
        assert summary.estimate.ratio == pytest.approx(1, rel=0.35)


def test_show_says_which_rows_shared_the_request() -> None:
    """The request and the raw result of the pack, then those of the row alone, and the row's own answer."""
    with emulated_job(table(40, r7="[[pack_missing]]"), recipe=packed(10)) as job:
        job.run()
        story = row_story(job.store, JOB, 8)
        first, second = story.rounds
        assert len(first.pack) == 10
        assert 8 in first.pack
        assert second.pack == []
        assert first.request["messages"][-1]["content"][1]["text"].startswith("<row 1 ")
        assert story.status == "answered"
        assert story.answer["label"] == output(job)[7]["label"]
        neighbour = row_story(job.store, JOB, next(row for row in first.pack if row != 8))
        assert neighbour.answer["label"] == output(job)[neighbour.row - 1]["label"]
        told = io.StringIO()
        print_story(story, Console(file=told, width=200))
        assert "round 2: shared a request with rows" in told.getvalue()


def test_packs_that_do_not_pay_stop() -> None:
    """Most rows of the first wave are lost, so the rest of the file is sent alone."""
    with emulated_job(table(400), recipe=packed(10), pack_missing_rate=0.95) as job:
        summary = job.run()
        assert summary.tally.answered == 400
        assert isinstance(summary.packs, PackBlock)
        assert summary.packs.decision == "stopped"
        assert summary.packs.packs == 10
        assert len(sent(job, 2)) > 350


def test_auto_sends_a_small_file_alone_and_a_large_one_in_packs() -> None:
    """A try must risk at most 2 % of the bill."""
    for rows, decision in ((60, "off"), (3_000, "packed")):
        with emulated_job(table(rows), recipe=packed("auto")) as job:
            summary = job.run()
            assert summary.tally.answered == rows
            assert isinstance(summary.packs, PackBlock)
            assert summary.packs.decision == decision


def _batch_line(text: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.startswith("batch"))
