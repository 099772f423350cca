"""Samples on the embedded stack: shown, approved or not, and what is paid for."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from batchdrop.cli.deployment import Deployment, find_deployment
from batchdrop.cli.job import job_control
from batchdrop.cli.run import approval
from tests.end_to_end.bench import Bench, EndedJob, csv_of
from tests.end_to_end.conftest import ASK
from tests.local.polling import eventually

pytestmark = pytest.mark.stack

ROWS = csv_of([f"row {number}" for number in range(7)])


def _deployment(bench: Bench) -> Deployment:
    return find_deployment("batchdrop", region=None, endpoint_url=bench.stack.endpoint_url)


def _waiting(bench: Bench, recipe: str, sample: str) -> str:
    """Drop a file with this sample, and wait until its job waits for an approval; return the job."""
    bench.recipe(recipe, f"{ASK}sample: {sample}\n")
    key = f"inbox/{recipe}/seven.csv"
    bench.drop(key, ROWS)
    job_id = bench.started_job(key).rsplit(":", 1)[-1]
    approvals = _deployment(bench).approvals
    eventually(lambda: approvals.tokens(job_id), seconds=120, what="a job that waits for approval")
    return job_id


def _statuses(job: EndedJob) -> list[str]:
    rows = csv.DictReader(io.StringIO(job.files["output.csv"].decode(), newline=""))
    return [row["_status"] for row in rows]


def _report(bench: Bench, job_id: str) -> Any:
    [key] = [key for key in bench.keys("results/") if key.endswith(f"{job_id}/sample.json")]
    return json.loads(bench.read(key))


def test_a_sample_waits_and_is_approved(bench: Bench) -> None:
    """Three rows are asked and shown, then nothing; approved, the rest, and every row is paid for once."""
    job_id = _waiting(bench, "waits", "3")
    report = _report(bench, job_id)
    assert (report["tally"]["answered"], report["rest"]["requests"], report["rest"]["becomes"]) == (3, 4, "wait")
    assert bench.claude.bill_summary()["requests"] == 3
    approved = approval.approve(_deployment(bench), job_id)
    assert approved.is_heard
    job = bench.ended_job("inbox/waits/seven.csv")
    assert (job.status, _statuses(job)) == ("SUCCEEDED", ["answered"] * 7)
    bill = bench.claude.bill_summary()
    assert bill["requests"] == 7
    low, high = report["projected"]["low_usd"], report["projected"]["high_usd"]
    assert 0 < low <= report["projected"]["expected_usd"] <= high
    assert json.loads(job.files["sample.json"])["rest"]["becomes"] == "ask"


def test_a_live_sample_of_a_job_of_message_batches(bench: Bench) -> None:
    """The sample is asked live, the rest is not; under its ceiling the job goes on by itself."""
    bench.recipe("lanes", f"{ASK}lane: batch\nsample: {{rows: 3, lane: live, continue_under_usd: 1}}\n")
    job = bench.run("inbox/lanes/seven.csv", ROWS)
    assert (job.status, _statuses(job)) == ("SUCCEEDED", ["answered"] * 7)
    assert {lane["lane"]: lane["answers"] for lane in job.summary["lanes"]} == {"live": 3, "batch": 4}
    assert bench.claude.bill_summary()["requests"] == 7
    assert "continue_under_usd" in json.loads(job.files["sample.json"])["rest"]["reason"]


def test_a_random_sample_stands_in_its_own_places(bench: Bench) -> None:
    """Three rows of anywhere in the file are asked first; then every row is in its place, and paid for once."""
    job_id = _waiting(bench, "draws", "{rows: 3, random: true}")
    report = _report(bench, job_id)
    assert (report["tally"]["answered"], report["rest"]["rows"], report["rest"]["requests"]) == (3, 4, 4)
    assert bench.claude.bill_summary()["requests"] == 3
    approval.approve(_deployment(bench), job_id)
    job = bench.ended_job("inbox/draws/seven.csv")
    assert (job.status, _statuses(job)) == ("SUCCEEDED", ["answered"] * 7)
    assert [line.split(b",")[0] for line in job.files["output.csv"].splitlines()] == [
        line.split(b",")[0] for line in ROWS.splitlines()
    ]
    assert bench.claude.bill_summary()["requests"] == 7
    assert (job.summary["tally"]["rows"], job.summary["tally"]["shared"]) == (7, 0)
    assert any("drawn at random" in note for note in job.summary["notes"])


def test_a_cancel_while_it_waits(bench: Bench) -> None:
    """It ends at once, with the sample's answers; resumed, it waits again, and approved it asks the rest."""
    job_id = _waiting(bench, "cancels", "{rows: 3}")
    job_control.cancel(_deployment(bench), job_id)
    job = bench.ended_job("inbox/cancels/seven.csv")
    assert (job.status, job.summary["status"]) == ("FAILED", "canceled")
    assert _statuses(job) == ["answered"] * 3 + ["not_sent"] * 4

    deployment = _deployment(bench)
    before = set(deployment.approvals.tokens(job_id))
    job_control.resume(deployment, job_id)
    eventually(lambda: set(deployment.approvals.tokens(job_id)) - before, seconds=120, what="another wait")
    assert bench.claude.bill_summary()["requests"] == 3
    assert approval.approve(deployment, job_id).is_heard
    eventually(lambda: bench.jobs()["inbox/cancels/seven.csv"].endswith("-r1"), what="the second execution")
    again = bench.ended_job("inbox/cancels/seven.csv")
    assert again.status == "SUCCEEDED"
    assert bench.claude.bill_summary()["requests"] == 7
