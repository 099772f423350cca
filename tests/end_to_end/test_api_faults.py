"""What the API does wrong: rows are told the truth, and none is paid for twice."""

import json
from typing import Any

import anthropic
import pytest
from typer.testing import CliRunner

from batchdrop.cli.deployment import find_deployment
from batchdrop.cli.job import job_control
from batchdrop.cli.main import app
from tests.end_to_end.bench import Bench, EndedJob, csv_of
from tests.local.polling import eventually

pytestmark = pytest.mark.stack

TEN = [f"row {number}" for number in range(10)]  # three shards


def _statuses(job: EndedJob) -> list[str]:
    _, *rows = job.table
    return [status for *_, status, _error in rows]


@pytest.mark.parametrize("kind", ["accept_then_drop", "error_after_accept"])
def test_create_whose_answer_is_lost(bench: Bench, kind: str) -> None:
    """What the lost create became is found and adopted: each row once in the output, N requests billed for N rows."""
    bench.claude.inject(kind, "batches.create")
    job = bench.run(f"inbox/ask/{kind}.csv", csv_of(TEN))
    assert (job.status, job.summary["faults"]) == ("SUCCEEDED", [])
    assert [row[0] for row in job.table[1:]] == TEN
    assert _statuses(job) == ["answered"] * 10
    assert bench.creates() == 3
    bill = bench.claude.bill_summary()
    assert (bill["requests"], bill["duplicate_custom_ids"], bill["duplicate_prompts"]) == (10, 0, 0)
    assert {one["id"] for one in job.summary["message_batches"]} == set(bill["by_batch"])


@pytest.mark.parametrize("kind", ["rate_limited", "error_before_accept", "drop_before_accept"])
def test_create_that_created_nothing(bench: Bench, kind: str) -> None:
    """429 says so, and is sent again; of a 5xx or a dropped connection that is found out first."""
    bench.claude.inject(kind, "batches.create", times=2, status=500)
    job = bench.run(f"inbox/ask/{kind}.csv", csv_of(["one", "two"]))
    assert (job.status, _statuses(job), bench.creates()) == ("SUCCEEDED", ["answered"] * 2, 3)
    assert bench.claude.bill_summary()["requests"] == 2
    lists = bench.claude.call_summary()["by_endpoint"].get("batches.list", {})
    assert bool(lists) is (kind != "rate_limited")


def test_message_batches_of_others_are_left_alone(bench: Bench) -> None:
    """One of the same size, made by somebody else at the same time, is followed, and neither adopted nor canceled."""
    bench.claude.inject("accept_then_drop", "batches.create")
    client = bench.sdk()
    params: Any = {"model": "claude-haiku-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "theirs"}]}
    requests: Any = [{"custom_id": f"theirs-{number}", "params": params} for number in range(2)]
    bench.claude.inject("late_in_list", seconds=60)  # so that theirs is listed before ours
    with pytest.raises(anthropic.APIConnectionError):
        client.messages.batches.create(requests=requests)
    bench.claude.inject("accept_then_drop", "batches.create")
    job = bench.run("inbox/ask/others.csv", csv_of(["one", "two"]))
    assert (job.status, _statuses(job)) == ("SUCCEEDED", ["answered"] * 2)
    ours = {one["id"] for one in job.summary["message_batches"]}
    [theirs] = [batch.id for batch in client.messages.batches.list() if batch.id not in ours]
    found = client.messages.batches.retrieve(theirs)
    assert (found.processing_status, found.cancel_initiated_at, found.request_counts.succeeded) == ("ended", None, 2)
    assert "batches.cancel" not in bench.claude.call_summary()["by_endpoint"]


def test_key_that_is_refused(bench: Bench) -> None:
    """A key, or a role, that is refused stops the job at once, red, with nothing billed; and it can be resumed."""
    bench.refuse_the_stack()
    job = bench.run("inbox/ask/no key.csv", csv_of(TEN))
    assert (job.status, job.error) == ("FAILED", "JobFailed")
    assert "AccountTrouble" in job.cause
    [fault] = job.summary["faults"]
    assert (fault["type"], fault["shard"]) == ("AccountTrouble", None)
    assert _statuses(job) == ["failed"] * 10
    assert bench.claude.bill() == []

    bench.refuse_the_stack(refuses=False)
    resumed = bench.resumed(job.job_id)
    assert (resumed.status, _statuses(resumed)) == ("SUCCEEDED", ["answered"] * 10), resumed.cause
    assert bench.claude.bill_summary()["requests"] == 10


@pytest.mark.parametrize("kind", ["results_short", "results_cut_mid_line", "results_dropped"])
def test_results_that_come_short(bench: Bench, kind: str) -> None:
    """They are fetched again, whole: the output has every answer, and nothing was asked again for it."""
    bench.claude.inject(kind)
    job = bench.run(f"inbox/ask/{kind}.csv", csv_of(TEN))
    assert (job.status, job.summary["faults"]) == ("SUCCEEDED", [])
    assert _statuses(job) == ["answered"] * 10
    assert [fault["fired"] for fault in bench.claude.faults()] == [1]
    assert bench.claude.call_summary()["by_endpoint"]["batches.results"]["200"] >= 3
    assert (bench.claude.bill_summary()["requests"], bench.creates()) == (10, 3)


def test_message_batch_not_visible_yet(bench: Bench) -> None:
    """404 right after the create is waited out."""
    bench.claude.inject("not_found_when_fresh", "batches.retrieve", times=3, seconds=1e9)
    job = bench.run("inbox/ask/fresh.csv", csv_of(["one"]))
    assert (job.status, _statuses(job)) == ("SUCCEEDED", ["answered"])
    assert bench.claude.call_summary()["by_endpoint"]["batches.retrieve"]["404"] == 3
    assert bench.creates() == 1


def test_message_batch_that_stays_unknown(bench: Bench) -> None:
    """404 for good is not waited for for ever: the shard fails, and is not paid for again."""
    bench.claude.inject("not_found_when_fresh", "batches.retrieve", seconds=1e9)
    job = bench.run("inbox/ask/lost.csv", csv_of(["one"]))
    assert (job.status, job.error, _statuses(job)) == ("FAILED", "JobFailed", ["uncertain"])
    assert job.summary["faults"][0]["type"] == "MessageBatchLost"
    assert bench.creates() == 1
    [row] = [json.loads(line) for line in job.files["perhaps-paid.jsonl"].splitlines()]
    assert (row["text"], row["_status"], row["_message_batch"][:9]) == ("one", "uncertain", "msgbatch_")
    assert job.summary["perhaps_paid"]["requests"] == 1


def test_message_batch_that_expires(bench: Bench) -> None:
    """After 24 h what was done is answered and paid, the rest failed and not billed; the job is green."""
    bench.claude.settings(batch_seconds=40 * 3600.0)
    bench.drop("inbox/once/expires.csv", csv_of(TEN[:4]))
    eventually(bench.creates, what="the create")
    bench.claude.advance(24 * 3600.0)
    job = bench.ended_job("inbox/once/expires.csv")
    assert job.status == "SUCCEEDED"
    assert sorted(_statuses(job)) == ["answered"] * 2 + ["failed"] * 2
    assert {row["_error"] for row in job.failed_rows} == {
        "expired: the Message Batch did not reach this row within 24 hours"
    }
    assert job.summary["tally"]["failed"] == 2
    assert bench.claude.bill_summary()["requests"] == 2


def test_fates_of_rows(bench: Bench) -> None:
    """Errored and canceled rows failed; cut and refused answers are kept, flagged and paid."""
    words = ["errored:invalid_request_error", "canceled", "max_tokens", "refusal"]
    job = bench.run("inbox/once/fates.csv", csv_of(["fine", *(f"[[{word}]]" for word in words)]))
    assert job.status == "SUCCEEDED"
    assert _statuses(job) == ["answered", "failed", "canceled", "max_tokens", "refusal"]
    assert job.failed_rows[0]["_error"].startswith("invalid_request_error: ")
    assert bench.claude.bill_summary()["requests"] == 3


def test_leftovers_are_asked_again(bench: Bench) -> None:
    """What failed for a passing reason is asked again; what would fail again, and what is answered, is not."""
    texts = ["fine", "[[errored_once:overloaded_error]]", "[[expired_once]]", "[[errored:invalid_request_error]]"]
    job = bench.run("inbox/ask/leftovers.csv", csv_of(texts))
    assert (job.status, _statuses(job)) == ("SUCCEEDED", ["answered", "answered", "answered", "failed"])
    assert [(one["round"], one["requests"]) for one in job.summary["message_batches"]] == [(0, 4), (1, 2)]
    bill = bench.claude.bill_summary()
    assert (bill["requests"], bill["duplicate_custom_ids"]) == (3, 0)


def test_cancel_and_resume(bench: Bench) -> None:
    """A cancel keeps what is answered and marks the rest; resuming asks the rest only."""
    bench.claude.settings(speed=0.0, batch_seconds=4_000.0)
    key = "inbox/ask/cancel.csv"
    bench.drop(key, csv_of(TEN))
    eventually(lambda: bench.creates() >= 2, what="two creates")
    bench.claude.advance(2_000)
    job_id = bench.started_job(key).rsplit(":", 1)[-1]
    deployment = find_deployment("batchdrop", region=None, endpoint_url=bench.stack.endpoint_url)
    assert "is being canceled" in job_control.cancel(deployment, job_id).message
    assert "already" in job_control.cancel(deployment, job_id).message
    eventually(lambda: bench.claude.call_summary()["by_endpoint"].get("batches.cancel"), what="the cancel")
    bench.claude.settings(speed=20_000.0)  # from here on, the clock runs by itself
    job = bench.ended_job(key)
    assert (job.status, job.error, job.summary["status"]) == ("FAILED", "JobCanceled", "canceled")
    counts = job.summary["tally"]["statuses"]
    assert set(counts) == {"answered", "canceled"}
    paid = bench.claude.bill_summary()["requests"]
    assert counts["answered"] == paid > 0

    bench.claude.settings(batch_seconds=60.0)
    resumed = bench.resumed(job_id)
    assert (resumed.status, _statuses(resumed)) == ("SUCCEEDED", ["answered"] * 10)
    bill = bench.claude.bill_summary()
    assert (bill["requests"], bill["duplicate_custom_ids"]) == (10, 0)


def test_control_of_jobs_that_need_none(bench: Bench) -> None:
    """Jobs that succeeded, or never were, are neither canceled nor resumed; the command line says why."""
    job = bench.run("inbox/ask/control.csv", csv_of(["one"]))

    def told(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, [*words, "--endpoint-url", bench.stack.endpoint_url])
        return result.exit_code, result.output

    assert told("cancel", job.job_id) == (
        0,
        f"job {job.job_id} has ended already (succeeded); there is nothing to cancel\n",
    )
    assert told("resume", job.job_id)[0] == 1
    assert f"batchdrop retry {job.job_id}" in told("resume", job.job_id)[1]
    code, said = told("cancel", "nobody")
    assert code == 1
    assert said.startswith("Error: job nobody does not exist in the stack at http")
