"""The scale model: its states are the definition's, its limits the program's, and its results as committed."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from batchdrop.requests.sharding import MAX_ANSWER_BYTES
from benchmarks.scale.chart import Line, chart
from benchmarks.scale.cost import bill_of
from benchmarks.scale.counts import TASKS, counts_of, events_of, states_of_job, states_of_shards
from benchmarks.scale.job import ScaleJob
from benchmarks.scale.model import BAR
from benchmarks.scale.time import TIERS, at_tier, took
from tests.asl.slow_service import CHILD, SlowService, item_of
from tests.asl.walker import Walk, Walker, all_states
from tests.project import ROOT, definition

HOURS = [0.01, 0.5, 1.0, 24.0]


def _walked(hours: float) -> Walk:
    """Walk a shard of one round through the real definition, on a Message Batch that takes so long."""
    service = SlowService(jitter=0.5, ends_after=hours * 3_600)
    return Walker(CHILD["States"], service.task, service.wait).run(CHILD["StartAt"], item_of(requests=3, shards=1))


@pytest.mark.parametrize("hours", HOURS)
def test_a_shard_enters_the_states_that_the_definition_says(hours: float) -> None:
    """State by state, looks by the real wait policy, and history events by AWS's rule."""
    job, walk = ScaleJob(rows=3, batch_hours=hours, leftovers=0.0), _walked(hours)
    assert states_of_shards(job) == Counter(walk.visited)
    assert events_of(states_of_shards(job)) == walk.events


@pytest.mark.parametrize("lane", ["batch", "live"])
def test_the_model_knows_no_state_that_is_not_there(lane: Any) -> None:
    """A state that is renamed, or a task that is new on the way, fails here."""
    job = ScaleJob(rows=500_000, lane=lane, leftovers=0.01)
    defined = {name.rsplit(" / ", 1)[-1]: state for name, state, _ in all_states(definition())}
    asked = states_of_job(job) + states_of_shards(job)
    assert asked.keys() <= defined.keys()
    called = {name for name in asked if defined[name]["Type"] == "Task" and "Function" in defined[name]["Resource"]}
    assert called == TASKS & asked.keys()


def test_shards_are_cut_as_the_packer_cuts_them() -> None:
    """By rows, by bytes, and by what answers may weigh."""
    assert ScaleJob(rows=1_000_000).shards == 10
    assert ScaleJob(rows=100_000, request_bytes=5_000).rows_a_shard == 50_000
    heavy = ScaleJob(rows=100_000, max_tokens=10_000)
    assert heavy.rows_a_shard * 80_800 <= MAX_ANSWER_BYTES < (heavy.rows_a_shard + 1) * 80_800


def test_the_queue_lets_in_what_it_holds() -> None:
    """Ten shards of 100,000 at the lowest tier: two at a time, five hours; the highest takes five at a time."""
    job = ScaleJob(rows=1_000_000, leftovers=0.0)
    assert [at_tier(job, tier).waves for tier in TIERS] == [5, 4, 2]
    assert took(job).bound_by == "processing queue"
    assert took(replace(job, rows=200_000)).bound_by == "a Message Batch's own time"
    assert took(replace(job, shard_concurrency=1)).bound_by == "ShardConcurrency"
    assert 5.0 < took(job).hours < 5.5


def test_only_started_shards_wait_for_a_place() -> None:
    """With as many places as shards none waits; with fewer, a smaller ShardConcurrency waits less."""
    job = ScaleJob(rows=1_000_000)
    assert replace(job, queue_requests=1_000_000).turns == 0
    assert replace(job, shard_concurrency=2).turns == 0
    assert job.turns > replace(job, shard_concurrency=4).turns > 0


@pytest.mark.parametrize("lane", ["batch", "live"])
@pytest.mark.parametrize("rows", [1, 1_000, 100_000, 10_000_000])
def test_limits_of_aws_hold_at_any_size(lane: Any, rows: int) -> None:
    """25,000 history events of an execution, and a price below the API's."""
    job = ScaleJob(rows=rows, lane=lane)
    counts = counts_of(job)
    assert counts.largest_history < 25_000 / 2
    if rows >= 100_000:
        assert bill_of(job, counts).total < bill_of(job, counts).api_usd / 5


def test_the_check_that_is_committed_holds() -> None:
    """The model was within a tenth of what the embedded stack counted, on average."""
    checked = json.loads((ROOT / "benchmarks/results/scale_check.json").read_text())
    assert checked["mean_deviation"] <= BAR
    assert len(checked["jobs"]) == 4


def test_a_chart_is_xml_with_a_line_for_each() -> None:
    """Names are escaped, labels do not lie on each other."""
    drawn = ET.fromstring(
        chart("a < b", [Line("x & y", [(1, 1), (10, 5)]), Line("z", [(1, 2), (10, 5)])], x_name="x", y_name="y")
    )
    lines = drawn.findall("{http://www.w3.org/2000/svg}polyline")
    texts = {one.text: float(one.get("y", "0")) for one in drawn.findall("{http://www.w3.org/2000/svg}text")}
    assert len(lines) == 2
    assert abs(texts["x & y"] - texts["z"]) >= 15
