"""Rows about the same text share requests, wherever in the file they stand."""

from __future__ import annotations

import csv
import io
import random
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from batchdrop.cli.check.checking import check_file
from batchdrop.cli.job.row_story import row_story
from batchdrop.errors import SplitTooSlow
from batchdrop.finish.chosen_rows import Wanted
from batchdrop.finish.order_retry import order_retry
from batchdrop.report.pack_block import PackBlock
from batchdrop.split import group_runs
from tests.emulated_job import EmulatedJob, emulated_job
from tests.jobs import JOB
from tests.packs.grouped import alone, contract, grouped, questions
from tests.packs.jobs import answer_live, answers, output, rows_of


def bodies(job: EmulatedJob, round_number: int = 1) -> list[list[str]]:
    """Return the texts of each request of a round, of all shards."""
    texts = []
    for shard in range(len(job.manifest.shards)):
        for request in job.requests(shard, round_number):
            content = request["params"]["messages"][-1]["content"]
            texts.append([block["text"] for block in content])
    return texts


def given(body: bytes) -> list[str]:
    """Return the rows' names in the order of the file."""
    return [row["id"] for row in csv.DictReader(io.StringIO(body.decode()))]


def test_a_contract_is_sent_once_for_ten_questions() -> None:
    """The bill is a fraction of that of the rows alone, and the output has the file's order."""
    body = questions(8, 20)
    with emulated_job(body, recipe=alone()) as job:
        job.run()
        bill = job.bill
    with emulated_job(body, recipe=grouped()) as job:
        summary = job.run()
        assert summary.tally.answered == 160
        assert job.charges["requests"] == 16
        assert job.bill < bill * Decimal("0.25")
        assert [row["id"] for row in output(job)] == given(body)
        for texts in bodies(job):
            assert sum("Contract " in text for text in texts) == 1
            assert texts[0].count("thirty days") == 25
            [number] = {int(text.split("question ")[1].split()[0]) % 8 for text in texts[2:]}
            assert f"Contract {number}." in texts[0]


def test_the_shared_text_has_the_same_bytes_in_all_packs_of_its_group() -> None:
    """So a prompt cache could serve it; each pack's own key comes after it."""
    with emulated_job(questions(2, 30), recipe=grouped()) as job:
        job.run()
        assert len({texts[0] for texts in bodies(job)}) == 2
        assert len({texts[2].split(">")[0] for texts in bodies(job)}) == 6


def test_any_order_and_any_shards_give_the_same_answers() -> None:
    """Rows are regrouped over all shards, and each row finds its own answer."""
    found = {}
    for order in (None, 1, 2):
        body = questions(9, 12, order=order)
        with emulated_job(body, recipe=grouped(6)) as job:
            job.rows = 24
            assert job.run().tally.answered == 108
            assert len(job.manifest.shards) == len(job.manifest.blocks) == 5
            assert job.charges["requests"] == 18
            rows = output(job)
            assert [row["id"] for row in rows] == given(body)
            found[order] = {row["id"]: (row["label"], row["score"]) for row in rows}
    assert found[None] == found[1] == found[2]


def test_a_row_whose_shared_text_differs_is_a_group_of_its_own() -> None:
    """No row is answered with another row's text; nor do rows of two values share a request."""
    rows = [("c1", contract(1))] * 5 + [("c1", contract(2))] + [("c2", contract(1))] * 4
    lines = [f'q{number},{by},"{text}",question {number}' for number, (by, text) in enumerate(rows)]
    body = "".join(f"{line}\n" for line in ("id,contract_id,contract,question", *lines)).encode()
    with emulated_job(body, recipe=grouped()) as job:
        assert job.run().tally.answered == 10
        assert sorted(map(rows_of, job.requests(0, 1))) == [1, 4, 5]


def test_a_split_continues_where_its_time_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks, runs and shards are the same, however often the split was interrupted; several runs are merged."""
    monkeypatch.setattr(group_runs, "RUN_ROWS", 50)
    body = questions(6, 30)
    with emulated_job(body, recipe=grouped()) as job:
        job.rows = 30
        job.run()
        whole = {key: job.store.read(key) for key in job.store.keys("jobs/") if "/shards/" in key}
        expected = answers(job)
    with emulated_job(body, recipe=grouped()) as job:
        job.rows = 30
        looks = 0
        while not job.split(looks=4).finished:
            looks += 1
        assert looks > 2
        assert job.manifest.grouping is not None
        assert len(job.manifest.grouping.places) == 3
        job.run()
        assert {key: job.store.read(key) for key in job.store.keys("jobs/") if "/shards/" in key} == whole
        assert answers(job) == expected


def test_a_split_that_gets_nowhere_says_so() -> None:
    """One invocation must complete one run or one shard."""
    with emulated_job(questions(6, 30), recipe=grouped()) as job:
        job.rows = 30
        with pytest.raises(SplitTooSlow, match="make shards smaller"):
            job.split(looks=1)


def test_rejects_and_duplicates_stand_where_they_stood() -> None:
    """A rejected row has no group; equal rows share one answer."""
    body = questions(3, 8, order=4) + questions(3, 8, order=5).split(b"\n", 1)[1]
    body += b'x1,c1,"",no contract\n'
    with emulated_job(body, recipe=grouped(4)) as job:
        job.rows = 32
        summary = job.run()
        assert (summary.tally.answered, summary.tally.rejected) == (48, 1)
        assert summary.tally.shared == 24
        rows = output(job)
        assert [row["id"] for row in rows] == given(body)
        assert "'pack.shared' is blank for this row" in rows[-1]["_error"]
        by_id: dict[str, set[str]] = {}
        for row in rows[:-1]:
            by_id.setdefault(row["id"], set()).add(row["score"])
        assert {len(scores) for scores in by_id.values()} == {1}


def test_a_row_that_its_pack_missed_is_sent_alone_with_its_contract() -> None:
    """Its own request has the shared text, and the summary says why it was sent again."""
    body = questions(4, 10, words={7: "[[pack_missing]]"})
    with emulated_job(body, recipe=grouped()) as job:
        summary = job.run()
        assert summary.tally.answered == 40
        [[shared, own]] = bodies(job, 2)
        assert shared == contract(3)
        assert own.startswith("question 7")
        assert isinstance(summary.packs, PackBlock)
        assert (summary.packs.rows_again, summary.packs.packs) == ({"missing": 1}, 4)
        assert summary.packs.saved_usd is not None
        number = given(body).index("q7") + 1
        story = row_story(job.store, JOB, number)
        assert [len(one.pack) for one in story.rounds] == [10, 0]
        assert number in story.rounds[0].pack
        assert story.cells["id"] == "q7"
        assert story.status == "answered"
        others = {output(job)[one - 1]["contract_id"] for one in story.rounds[0].pack}
        assert others == {"c3"}


def test_a_canceled_job_has_each_row_in_its_place_and_a_resume_goes_on() -> None:
    """The output of a halted job is in the file's order, too; answered packs are not sent again."""
    body = questions(5, 12, words={0: "[[expired]]"})
    with emulated_job(body, recipe=grouped(6, "max_rounds: 1\n")) as job:
        job.rows = 35
        summary = job.run()
        assert summary.tally.answered == 54
        rows = output(job)
        assert [row["id"] for row in rows] == given(body)
        assert sum(row["_status"] == "failed" for row in rows) == 6
        sent = job.charges["requests"]
        job.resume()
        assert job.charges["requests"] >= sent


def test_a_cap_holds_grouped_packs() -> None:
    """The job goes in waves, and its bill is that of one without a cap."""
    body = questions(6, 20)
    with emulated_job(body, recipe=grouped()) as job:
        job.run()
        bill = job.bill
    with emulated_job(body, recipe=grouped(10, f"max_cost_usd: {float(bill) * 2:.6f}\n")) as job:
        assert job.run().tally.answered == 120
        assert job.bill == bill


def test_the_estimate_and_the_check_know_the_groups(tmp_path: Path) -> None:
    """The shared text is priced once a pack; the expected cost is near the bill."""
    (tmp_path / "f.csv").write_bytes(questions(8, 20))
    (tmp_path / "r.yaml").write_text(grouped())
    out = io.StringIO()
    check_file(tmp_path / "r.yaml", tmp_path / "f.csv", Console(file=out, width=200))
    assert "up to 10 rows of one 'contract_id' in a request (8 groups, 16 requests)" in out.getvalue()
    with emulated_job(questions(8, 20), recipe=grouped()) as job:
        job.run()
        estimate = job.manifest.estimate
        assert estimate is not None
        usd = estimate.usd("batch")
        assert usd is not None
        assert usd.low < job.bill < usd.high
        assert abs(usd.expected - job.bill) < job.bill / 5


@pytest.mark.parametrize("row", [b'{"contract": "x", "question": "y"}\n', b'{"contract_id": 1, "question": "y"}\n'])
def test_a_row_without_its_group_is_rejected(row: bytes) -> None:
    """Rows of JSONL may lack a column; the reason names it."""
    whole = b'{"contract_id": 1, "contract": "x", "question": "z"}\n'
    with emulated_job(whole + row, recipe=grouped(), key="inbox/r/f.jsonl") as job:
        summary = job.run()
        assert (summary.tally.answered, summary.tally.rejected) == (1, 1)
        assert b"contract" in job.result("failed.jsonl")


def test_a_retry_is_grouped_too() -> None:
    """Its rows find their places in the output of all versions."""
    body = questions(4, 6, words={3: "[[refusal_once]]"})
    with emulated_job(body, recipe=grouped(3)) as job:
        job.rows = 12
        assert job.run().tally.unusable == 1
        order = order_retry(Wanted(), job.upload, store=job.store, now=job.clock.now())
        job.upload = order.record
        assert job.run().tally.answered == 24
        assert [row["id"] for row in output(job)] == given(body)


def test_parquet_keeps_its_order_and_its_values() -> None:
    """Rows stay in blocks in the file's order, so exact values need no sorting."""
    numbers = [*range(40)]
    random.Random(3).shuffle(numbers)
    table = pa.table(
        {
            "id": pa.array(numbers, pa.int16()),
            "contract_id": [f"c{number % 4}" for number in numbers],
            "contract": [contract(number % 4) for number in numbers],
            "question": [f"question {number}" for number in numbers],
            "at": pa.array(numbers, pa.timestamp("ns")),
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file)
    with emulated_job(file.getvalue(), recipe=grouped(), key="inbox/r/f.parquet") as job:
        job.rows = 15
        assert job.run().tally.answered == 40
        made = pq.read_table(io.BytesIO(job.result("output.parquet")))
        assert made.select(table.column_names) == table
        assert made["_status"].to_pylist() == ["answered"] * 40


def test_the_live_lane_sends_grouped_packs() -> None:
    """Whatever lane sends a round, the lines of its packs become those of rows."""
    body = questions(4, 5)
    with emulated_job(body, recipe=grouped(5).replace("lane: batch", "lane: live")) as job:
        job.split()
        state = job.first_wave()
        assert state.lane == "live"
        answer_live(job, 1)
        assert job.collect_round(state).leftovers == 0
        assert job.close().tally.answered == 20
        assert [row["id"] for row in output(job)] == given(body)
