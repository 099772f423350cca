"""What the API does wrong: rows are told the truth, and none is paid for twice."""

import pytest

from tests.end_to_end.bench import Bench, EndedJob, csv_of
from tests.local.polling import eventually

pytestmark = pytest.mark.stack

TEN = [f"row {number}" for number in range(10)]  # three shards


def _statuses(job: EndedJob) -> list[str]:
    _, *rows = job.table
    return [status for *_, status, _error in rows]


@pytest.mark.parametrize("kind", ["accept_then_drop", "error_after_accept"])
def test_create_whose_answer_is_lost(bench: Bench, kind: str) -> None:
    """The shard fails as uncertain and is not sent again; the others finish; the job is red and tells all."""
    bench.claude.inject(kind, "batches.create")
    job = bench.run(f"inbox/ask/{kind}.csv", csv_of(TEN))
    assert (job.status, job.error) == ("FAILED", "SubmissionUncertain")
    (fault,) = job.summary["faults"]
    lost = fault["shard"]
    rows = range(4 * lost, min(4 * lost + 4, 10))
    assert _statuses(job) == ["failed" if number in rows else "answered" for number in range(10)]
    assert [row["text"] for row in job.failed_rows] == [TEN[number] for number in rows]
    assert all(row["_error"].startswith("SubmissionUncertain: ") for row in job.failed_rows)
    tally = job.summary["tally"]
    assert (tally["rows"], tally["answered"], tally["failed"]) == (10, 10 - len(rows), len(rows))
    assert [one["shard"] for one in job.summary["message_batches"] if one["id"] is None] == [lost]


def test_no_row_is_billed_twice(bench: Bench) -> None:
    """Each shard is created once, the uncertain one too: the bill has every row once."""
    bench.claude.inject("accept_then_drop", "batches.create")
    job = bench.run("inbox/ask/once.csv", csv_of(TEN))
    bill = bench.claude.bill_summary()
    assert job.status == "FAILED"
    assert bench.creates() == 3
    assert (bill["requests"], bill["duplicate_custom_ids"], bill["duplicate_prompts"]) == (10, 0, 0)


@pytest.mark.parametrize("kind", ["rate_limited", "error_before_accept"])
def test_create_that_is_refused_for_now(bench: Bench, kind: str) -> None:
    """429 creates nothing, so it is sent again; a 5xx may have, so it is not."""
    bench.claude.inject(kind, "batches.create", times=2, status=500)
    job = bench.run(f"inbox/ask/{kind}.csv", csv_of(["one", "two"]))
    if kind == "rate_limited":
        assert (job.status, _statuses(job), bench.creates()) == ("SUCCEEDED", ["answered"] * 2, 3)
    else:
        assert (job.status, _statuses(job), bench.creates()) == ("FAILED", ["failed"] * 2, 1)
        assert bench.claude.bill() == []


def test_key_that_is_refused(bench: Bench) -> None:
    """A key the API does not know ends the job red as AccountTrouble, every row failed, nothing billed."""
    bench.claude.settings(accepted_keys=["another"])
    job = bench.run("inbox/ask/no key.csv", csv_of(TEN))
    assert (job.status, job.error) == ("FAILED", "AccountTrouble")
    assert [fault["shard"] for fault in job.summary["faults"]] == [0, 1, 2]
    assert _statuses(job) == ["failed"] * 10
    assert job.summary["message_batches"] == []
    assert bench.claude.bill() == []


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
    assert (job.status, job.error, _statuses(job)) == ("FAILED", "MessageBatchLost", ["failed"])
    assert bench.creates() == 1


def test_message_batch_that_expires(bench: Bench) -> None:
    """After 24 h what was done is answered and paid, the rest failed and not billed; the job is green."""
    bench.claude.settings(batch_seconds=40 * 3600.0)
    bench.drop("inbox/ask/expires.csv", csv_of(TEN[:4]))
    eventually(bench.creates, what="the create")
    bench.claude.advance(24 * 3600.0)
    job = bench.ended_job("inbox/ask/expires.csv")
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
    job = bench.run("inbox/ask/fates.csv", csv_of([f"[[{word}]]" for word in words]))
    assert job.status == "SUCCEEDED"
    assert _statuses(job) == ["failed", "failed", "max_tokens", "refusal"]
    assert [row["_error"].split(":")[0] for row in job.failed_rows] == ["invalid_request_error", "canceled"]
    assert bench.claude.bill_summary()["requests"] == 2
