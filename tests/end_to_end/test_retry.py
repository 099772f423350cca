"""A retry on the real template: the next version of a job, in functions that are started for it."""

from __future__ import annotations

import json

from batchdrop.cli.deployment import find_deployment
from batchdrop.cli.job.retrying import retry
from batchdrop.finish.chosen_rows import Wanted
from tests.end_to_end.bench import Bench, EndedJob, csv_of

RECIPE = "model: claude-haiku-5-5\nmax_tokens: 64\nlane: batch\nprompt: 'Classify: {{ text }}'\n"
JOB_FILES = {"failed.jsonl", "output.csv", "report.html", "status.html", "summary.json"}


def _retried(bench: Bench, job_id: str) -> EndedJob:
    """Order a retry three times, as an impatient user does, and wait for its end."""
    deployment = find_deployment("batchdrop", region=None, endpoint_url=bench.stack.endpoint_url)
    versions = {retry(deployment, job_id, Wanted()).job_id for _ in range(3)}
    assert versions == {f"{job_id}-v2"}
    [newest] = [one for one in bench.executions() if one["name"] == f"{job_id}-v2"]
    return bench.ended_execution(newest["executionArn"], f"{job_id}-v2")


def test_a_retry_makes_one_whole_output(bench: Bench) -> None:
    """Only the refused rows are sent and billed again; the new files are complete, and the old ones stay."""
    bench.recipe("again", RECIPE)
    first = bench.run("inbox/again/five.csv", csv_of(["one", "two [[refusal]]", "three", "four [[refusal]]", "five"]))
    assert [row[2] for row in first.table[1:]] == ["answered", "refusal", "answered", "refusal", "answered"]
    assert [row["_row"] for row in first.failed_rows] == [2, 4]
    before = bench.claude.bill_summary()["requests"]
    second = _retried(bench, first.job_id)
    assert (second.status, set(second.files)) == ("SUCCEEDED", JOB_FILES)
    assert bench.claude.bill_summary()["requests"] == before + 2
    assert [row[0] for row in second.table] == [row[0] for row in first.table]
    assert second.summary["version"] == 2
    assert second.summary["retry"]["rows"] == 2
    assert second.summary["cost"]["usd"] == first.summary["cost"]["usd"] + second.summary["retry"]["usd"]
    manifest = json.loads(bench.read(f"jobs/{second.job_id}/manifest.json"))
    assert sum(shard["rows"] for shard in manifest["shards"]) == 2
