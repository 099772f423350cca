"""Every fee is in the one bill: whatever a job pays for, its summary is the emulator's bill.

`Bench` compares both after each job of each test here.
"""

from __future__ import annotations

import pytest

from tests.end_to_end.bench import Bench, csv_of

LONG = "Label it. " + "A rule that all rows share, in some words. " * 150
TOOL = "{type: web_search_20260209, name: web_search, max_uses: 3}"
CACHED = f"system: {{text: '{LONG}', cache: true}}\n"
FEES = f"params: {{inference_geo: us, tools: [{TOOL}]}}\n"
WAVES = "max_cost_usd: 0.02\n"


@pytest.mark.parametrize("lane", ["batch", "live"])
def test_every_fee_of_a_lane_is_in_its_bill(bench: Bench, lane: str) -> None:
    """Searches, geography and cache writes at once; the long answers of `retry` are paid twice."""
    recipe = f"model: claude-haiku-5-5\nmax_tokens: 64\nlane: {lane}\nprompt: 'Classify: {{{{ text }}}}'\n"
    bench.recipe("fees", f"{recipe}{CACHED}{FEES}retry: {{max_tokens: x2}}\n")
    job = bench.run(f"inbox/fees/{lane}.csv", csv_of(["good", "bad", "long [[long:90]]", "[[refusal]]"]))
    assert job.status == "SUCCEEDED"
    [block] = job.summary["lanes"]
    assert block["parts"]["web_searches"] > 0


def test_a_job_in_waves_has_one_bill(bench: Bench) -> None:
    """The answer that a wave's limit cut is in it twice."""
    recipe = "model: claude-haiku-5-5\nmax_tokens: 4000\nlane: batch\nprompt: 'Classify: {{ text }}'\n"
    bench.recipe("waves", f"{recipe}{WAVES}answer: {{label: {{enum: [good, bad]}}}}\ndedupe: false\n")
    job = bench.run("inbox/waves/f.csv", csv_of([f"row {number}" for number in range(60)]))
    assert (job.status, job.summary["tally"]["answered"]) == ("SUCCEEDED", 60)
