"""Random samples with packs, caps, another model, the live lane, remembered rows, and in every file format."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import msgspec
import pytest

from tests.emulated_job import emulated_job
from tests.fakes import FakeBatchApi
from tests.finish.samples import sampled
from tests.formats.tables import UPLOADS, plain, rows_of, table
from tests.jobs import World
from tests.packs.jobs import packed
from tests.packs.jobs import table as reviews
from tests.remembering import Jobs
from tests.split.test_every_format import RECIPE, answer

ESCALATED = (
    "model: claude-haiku-5-5\nprompt: '{{ x }}'\nanswer: {label: string, confidence: number}\n"
    "escalate: {to: claude-sonnet-5-5, when: confidence < 0.5}\n"
)
RANDOM = "sample: {rows: 6, random: true, lane: batch}\n"


def _statuses(job: World) -> list[str]:
    return [row["_status"] for row in csv.DictReader(io.StringIO(job.result("output.csv").decode()))]


@pytest.mark.parametrize(
    ("recipe", "rows"),
    [
        (packed(10, RANDOM), 12),
        (packed(4, f"{RANDOM}max_cost_usd: 0.02\n"), 12),
        (f"model: claude-haiku-5-5\nmax_tokens: 2000\nprompt: '{{{{ x }}}}'\nmax_cost_usd: 0.004\n{RANDOM}", 9),
        (
            f"{ESCALATED}{RANDOM}",
            9,
        ),
    ],
)
def test_the_bill_is_the_summary_s_and_each_row_is_answered(recipe: str, rows: int) -> None:
    """In packs, in waves under a cap, with another model: `run` compares the summary's cost with the bill."""
    with emulated_job(reviews(40), recipe=recipe) as job:
        job.rows = rows
        summary = job.run()
        assert _statuses(job) == ["answered"] * 40
        assert summary.tally.rows == summary.tally.answered == 40
        assert [item.rows for item in job.manifest.shards][:2] == [6, rows]


def test_a_live_sample_and_its_batch() -> None:
    """The sample goes live, the others in Message Batches."""
    world = sampled(rows=20, sample={"rows": 4, "random": True}, live_rows=5)
    world.rows = 7
    world.split()
    assert [item["lane"] for item in world.shard_items] == ["live", "batch", "batch", "batch"]
    world.ask(0)
    world.show()
    world.approve()
    summary = world.go_on()
    assert (len(world.messages.asked), summary.tally.answered) == (4, 20)
    assert _statuses(world) == ["answered"] * 20


def test_remembered_rows_of_the_sample_cost_nothing() -> None:
    """The file is sent again with ten new rows. The new sample has remembered and new rows, and both are stored."""
    recipe = "model: claude-haiku-5-5\nprompt: 'ask {{ x }}'\nremember: 90d\nsample: {rows: 6, random: true}\n"
    jobs = Jobs(recipe, rows=10)
    old, new = [f"old {row}" for row in range(20)], [f"new {row}" for row in range(10)]
    assert jobs.run(*old).tally.statuses == {"answered": 20}
    mixed = [*old[:10], *new, *old[10:]]
    summary = jobs.run(*mixed)
    assert summary.tally.statuses == {"answered": 10, "remembered": 20}
    assert jobs.statuses() == ["remembered" if text in old else "answered" for text in mixed]
    assert jobs.sent == 30
    assert not isinstance(summary.remembered, msgspec.UnsetType)
    assert summary.remembered.rows == 20
    assert summary.cost.usd is not None
    assert summary.remembered.saved_usd == summary.cost.usd * 2
    assert jobs.run(*mixed, *old).tally.statuses == {"remembered": 50}
    assert jobs.sent == 30


@pytest.mark.parametrize("name", UPLOADS)
def test_a_random_sample_of_every_format(name: str) -> None:
    """The output is that of a job without a sample, and the sample's own file has its rows."""
    rows = rows_of(30)
    outputs = []
    for sample in ("", "sample: {rows: 6, random: true, lane: batch}\n"):
        world = World(rows=7)
        world.drop(f"inbox/r/{name}", UPLOADS[name](rows), recipe=RECIPE + sample)
        world.api = FakeBatchApi(result_of=answer)
        assert world.run().tally.answered == len(rows)
        [(key, output)] = [one for one in world.store.under("results/").items() if "/output." in one[0]]
        outputs.append(plain(table(key.rpartition("/")[2], output)))
    assert outputs[0] == outputs[1]
    assert len(world.stored_rows(0)) == 6


def test_the_columns_of_the_output_keep_their_order() -> None:
    """Rows that name their own columns: the sample's rows are read first, and do not decide the order."""
    headers = []
    lines = [json.dumps({"x": f"row {row}"} | ({"b": 1} if row < 2 else {"c": 1})) for row in range(60)]
    for sample in ("", "sample: {rows: 6, random: true, lane: batch}\n"):
        world = World(rows=7)
        recipe = f"model: claude-haiku-5-5\nprompt: 'ask {{{{ x }}}}'\noutput: {{format: csv}}\n{sample}"
        world.drop("inbox/r/f.jsonl", "".join(f"{line}\n" for line in lines).encode(), recipe=recipe)
        world.run()
        headers.append(world.result("output.csv").splitlines()[0])
    assert min(row["row"] for row in world.stored_rows(0)) > 2
    assert headers[0] == headers[1]


@pytest.mark.parametrize("tables", [1, 2])
def test_a_random_sample_of_a_zip_file(tables: int) -> None:
    """A .zip of one table, and of several, is read three times, too."""
    outputs = []
    for sample in ("", "sample: {rows: 6, random: true, lane: batch}\n"):
        body = io.BytesIO()
        with zipfile.ZipFile(body, "w") as file:
            for number in range(tables):
                file.writestr(f"t{number}.csv", "x\n" + "".join(f"row {row} of {number}\n" for row in range(20)))
        world = World(rows=7)
        recipe = f"model: claude-haiku-5-5\nprompt: 'ask {{{{ x }}}}'\n{sample}"
        world.drop("inbox/r/f.zip", body.getvalue(), recipe=recipe)
        assert world.run().tally.answered == 20 * tables
        outputs.append([body for key, body in world.store.under("results/").items() if "/output." in key])
    assert outputs[0] == outputs[1]
