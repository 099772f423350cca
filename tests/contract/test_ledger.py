"""What every Ledger promises: the fake and DynamoDB alike."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from moto import mock_aws

from batchdrop.adapters.dynamodb import DynamoLedger
from batchdrop.domain.limits import LEDGER_KEPT
from batchdrop.ports import Ledger, ShardFailure, Submission
from tests.aws import dynamodb
from tests.fakes import START, FakeLedger
from tests.tables import create_ledger_table

INTENT = Submission(job_id="job-a", shard=3, asked_round=0, requests=250, intended_at=START)


@dataclass
class Book:
    """A ledger, and what the state machine does to it."""

    ledger: Ledger
    fail: Callable[[str, ShardFailure], object]


def _dynamodb() -> Book:
    table = create_ledger_table(dynamodb())

    def fail(job_id: str, failure: ShardFailure) -> None:
        fact = f"failure#{failure.shard}"
        table.put_item(Item={"job": job_id, "fact": fact, "error": failure.error, "cause": failure.cause})

    return Book(DynamoLedger(table), fail)


@pytest.fixture(params=["fake", "dynamodb"])
def book(request: pytest.FixtureRequest) -> Iterator[Book]:
    """The fake, then DynamoDB as moto serves it."""
    if request.param == "fake":
        fake = FakeLedger()
        yield Book(fake, fake.fail)
        return
    with mock_aws():
        yield _dynamodb()


@pytest.fixture
def ledger(book: Book) -> Ledger:
    """The ledger alone."""
    return book.ledger


def test_the_first_intent_is_written(ledger: Ledger) -> None:
    """An intent that nobody had is written, as it is."""
    assert ledger.intend(INTENT) is None
    assert ledger.submissions("job-a") == [INTENT]


def test_a_second_intent_finds_the_first(ledger: Ledger) -> None:
    """The intent that was there comes back unchanged; the later one is not written."""
    ledger.intend(INTENT)
    later = replace(INTENT, intended_at=START + timedelta(hours=1), requests=1)
    assert ledger.intend(later) == INTENT
    assert ledger.submissions("job-a") == [INTENT]


def test_a_recorded_intent_comes_back_with_its_message_batch(ledger: Ledger) -> None:
    """Whoever comes later learns which Message Batch the intent became."""
    ledger.intend(INTENT)
    ledger.record(INTENT, "msgbatch_1")
    assert ledger.intend(INTENT) == replace(INTENT, batch_id="msgbatch_1")


def test_recording_again_changes_nothing(ledger: Ledger) -> None:
    """A repeated record is no error."""
    ledger.intend(INTENT)
    ledger.record(INTENT, "msgbatch_1")
    ledger.record(INTENT, "msgbatch_1")
    assert ledger.submissions("job-a") == [replace(INTENT, batch_id="msgbatch_1")]


def test_another_message_batch_never_takes_the_place(ledger: Ledger) -> None:
    """A record with another id is refused: the first one is paid for."""
    ledger.intend(INTENT)
    ledger.record(INTENT, "msgbatch_1")
    with contextlib.suppress(Exception):
        ledger.record(INTENT, "msgbatch_2")
    assert ledger.submissions("job-a") == [replace(INTENT, batch_id="msgbatch_1")]


def test_a_cleared_intent_may_be_written_again(ledger: Ledger) -> None:
    """After a clean refusal the next attempt is a first attempt."""
    ledger.intend(INTENT)
    ledger.clear(INTENT)
    assert ledger.submissions("job-a") == []
    assert ledger.intend(INTENT) is None


def test_clearing_nothing_is_no_error(ledger: Ledger) -> None:
    """A clear that is repeated finds nothing, and says nothing."""
    ledger.clear(INTENT)
    assert ledger.submissions("job-a") == []


def test_a_submission_survives_a_clear(ledger: Ledger) -> None:
    """What became a Message Batch cannot be cleared."""
    ledger.intend(INTENT)
    ledger.record(INTENT, "msgbatch_1")
    with contextlib.suppress(Exception):
        ledger.clear(INTENT)
    assert ledger.submissions("job-a") == [replace(INTENT, batch_id="msgbatch_1")]


def test_shards_rounds_and_jobs_are_apart(ledger: Ledger) -> None:
    """Each shard and round of each job has an intent of its own, and they come by shard and round."""
    others = [
        replace(INTENT, shard=12),
        INTENT,
        replace(INTENT, asked_round=1),
        replace(INTENT, shard=100),
        replace(INTENT, job_id="job-ab"),
    ]
    assert [ledger.intend(one) for one in others] == [None] * 5
    assert [(one.shard, one.asked_round) for one in ledger.submissions("job-a")] == [(3, 0), (3, 1), (12, 0), (100, 0)]


def test_a_job_without_facts_is_empty(ledger: Ledger) -> None:
    """A job nobody knows has no submissions and no failures."""
    assert ledger.submissions("nobody") == []
    assert ledger.shard_failures("nobody") == []


def test_failures_come_by_number(book: Book) -> None:
    """Failed shards come in the order of their numbers, not of their digits, and apart from submissions."""
    failures = [ShardFailure(shard, "SubmissionUncertain", "why") for shard in (10, 2, 0)]
    for failure in failures:
        book.fail("job-a", failure)
    book.ledger.intend(INTENT)
    assert book.ledger.shard_failures("job-a") == failures[::-1]
    assert book.ledger.submissions("job-a") == [INTENT]


def test_more_facts_than_a_page_holds(book: Book) -> None:
    """DynamoDB answers 1 MB at a time; all pages are read."""
    failures = [ShardFailure(shard, "ResultsIncomplete", "x" * 120_000) for shard in range(12)]
    for failure in failures:
        book.fail("job-a", failure)
    assert book.ledger.shard_failures("job-a") == failures


@mock_aws
def test_facts_expire_after_the_results_do() -> None:
    """DynamoDB drops a submission 35 days after it was made."""
    table = create_ledger_table(dynamodb())
    DynamoLedger(table).intend(INTENT)
    [item] = table.scan()["Items"]
    assert item["expires_at"] == int((START + LEDGER_KEPT).timestamp())
