"""The live lane on the embedded stack: queue, workers, tasks that wait for them, and the same output."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest
from boto3.dynamodb.conditions import Key

from batchdrop.cli.deployment import find_deployment
from batchdrop.cli.job import job_control
from tests.end_to_end.bench import Bench, EndedJob, csv_of
from tests.local.polling import eventually

pytestmark = pytest.mark.stack

ASK = "model: claude-haiku-5-5\nmax_tokens: 64\nprompt: 'Classify: {{ text }}'\n"


@pytest.fixture
def live(bench: Bench) -> Iterator[Bench]:
    """The stack, with a recipe for the live lane; the emulator's delays are as before afterwards."""
    bench.recipe("live", f"{ASK}lane: live\n")
    yield bench
    bench.reset()


def _rows(job: EndedJob) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(job.files["output.csv"].decode(), newline="")))


def test_a_live_job_needs_no_message_batch(live: Bench) -> None:
    """Ten rows in three shards: each asked once through Messages, in order, at the full price."""
    job = live.run("inbox/live/ten.csv", csv_of([f"row {number}" for number in range(10)]))
    assert (job.status, live.creates()) == ("SUCCEEDED", 0)
    assert [row["text"] for row in _rows(job)] == [f"row {number}" for number in range(10)]
    assert {row["_status"] for row in _rows(job)} == {"answered"}
    assert live.claude.bill_summary()["requests"] == 10
    assert [(lane["lane"], lane["answers"]) for lane in job.summary["lanes"]] == [("live", 10)]
    assert job.summary["message_batches"] == []


def test_rows_have_their_rounds_and_fates(live: Bench) -> None:
    """What passes is asked again, what does not has failed, and neither holds up the others."""
    texts = ["good", "[[errored_once:overloaded_error]]", "[[errored:invalid_request_error]]", "[[refusal]]"]
    job = live.run("inbox/live/fates.csv", csv_of(texts))
    assert [row["_status"] for row in _rows(job)] == ["answered", "answered", "failed", "refusal"]
    assert [job.summary["tally"][fate] for fate in ("answered", "unusable", "failed")] == [2, 1, 1]


def test_a_late_job_is_answered_live(live: Bench) -> None:
    """The Message Batch is given up when `finish_within` is over; every row is answered, and none is paid for twice."""
    live.recipe("late", f"{ASK}lane: batch\nfinish_within: 1s\n")
    live.claude.settings(batch_seconds=10_000_000)
    job = live.run("inbox/late/four.csv", csv_of([f"row {number}" for number in range(4)]))
    assert (job.status, {row["_status"] for row in _rows(job)}) == ("SUCCEEDED", {"answered"})
    assert live.claude.bill_summary()["requests"] == 4
    assert [(lane["lane"], lane["answers"]) for lane in job.summary["lanes"]] == [("live", 4)]


def test_account_trouble_stops_and_a_resume_goes_on(live: Bench) -> None:
    """The key is refused: the job ends red at once; resumed, it asks what has no answer."""
    live.claude.inject("error_before_accept", "messages.create", status=401, times=-1)
    job = live.run("inbox/live/key.csv", csv_of(["one", "two"]))
    assert (job.status, job.summary["faults"][0]["type"]) == ("FAILED", "AccountTrouble")
    live.reset()
    resumed = live.resumed(job.job_id)
    assert (resumed.status, resumed.summary["tally"]["answered"]) == ("SUCCEEDED", 2)
    assert live.claude.bill_summary()["requests"] == 2


def _has_a_worker(live: Bench, job_id: str) -> bool:
    table = live.stack.clients.resource("dynamodb").Table(live.stack.ledger_table)
    facts = table.query(KeyConditionExpression=Key("job").eq(job_id))["Items"]
    return any(str(fact["fact"]).startswith("lease#") for fact in facts)


def test_a_live_job_shows_its_progress(live: Bench) -> None:
    """A worker that is busy for long has the page drawn, by a function of its own; the end's page replaces it."""
    live.claude.settings(latency_seconds=25.0)
    live.drop("inbox/live/watched.csv", csv_of(["one", "two"]))
    job_id = live.started_job("inbox/live/watched.csv").rsplit(":", 1)[-1]
    page = f"results/live/watched/{job_id}/status.html"
    eventually(lambda: page in live.keys(page), seconds=60, what="the page of the running job")
    assert b"0 of 2 rows answered" in live.read(page)
    job = live.ended_job("inbox/live/watched.csv")
    assert job.status == "SUCCEEDED"
    assert b"report.html" in job.files["status.html"]


def test_a_canceled_live_job_keeps_its_answers(live: Bench) -> None:
    """Slow answers, and a cancel in the middle: the rest is marked."""
    live.claude.settings(latency_seconds=5.0)
    live.drop("inbox/live/slow.csv", csv_of(["one", "two"]))
    arn = live.started_job("inbox/live/slow.csv")
    job_id = arn.rsplit(":", 1)[-1]
    eventually(lambda: _has_a_worker(live, job_id), seconds=60, what="a worker")
    deployment = find_deployment("batchdrop", region=None, endpoint_url=live.stack.endpoint_url)
    job_control.cancel(deployment, job_id)
    job = live.ended_job("inbox/live/slow.csv")
    assert job.status == "FAILED"
    assert job.summary["status"] == "canceled"
    assert {row["_status"] for row in _rows(job)} <= {"answered", "canceled"}
