"""What every Ledger promises: the fake, DynamoDB and SQLite alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from batchdrop.adapters.aws.dynamodb import DynamoLedger
from batchdrop.adapters.sqlite.fact_file import FactFile
from batchdrop.adapters.sqlite.ledger import SqliteLedger
from batchdrop.job.ports import Ledger
from batchdrop.job.submission import Halt, ShardFailure, Submission
from batchdrop.limits import LEDGER_KEPT
from tests.aws import dynamodb
from tests.fakes import START, FakeLedger
from tests.tables import create_ledger_table

INTENT = Submission(
    job_id="job-a",
    shard=3,
    round_number=0,
    requests=250,
    attempt="a1",
    sent_at=START,
    over_at=START + timedelta(minutes=5),
)
OTHER = replace(INTENT, attempt="a2", sent_at=START + timedelta(hours=1), over_at=START + timedelta(hours=2))
ACCEPTED = replace(INTENT, state="accepted", batch_id="msgbatch_1")
TROUBLE = Halt("AccountTrouble", "HTTP 402", START)
CANCELED = Halt("JobCanceled", "by its user", START + timedelta(minutes=1))


@dataclass
class Book:
    """A ledger, and what the state machine does to it."""

    ledger: Ledger
    fail: Callable[[str, ShardFailure], object]


def _book(sqlite: Path | None) -> Book:
    """The state machine writes failures to the table itself, also if the ledger is a file."""
    table = create_ledger_table(dynamodb())
    in_table = DynamoLedger(table)

    def fail(job_id: str, failure: ShardFailure) -> None:
        fact = f"failure#{failure.shard}"
        table.put_item(Item={"job": job_id, "fact": fact, "error": failure.error, "cause": failure.cause})

    return Book(SqliteLedger(FactFile(sqlite), in_table) if sqlite else in_table, fail)


@pytest.fixture(params=["fake", "dynamodb", "sqlite"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Book]:
    """The fake, then DynamoDB as moto serves it, then a file."""
    if request.param == "fake":
        fake = FakeLedger()
        yield Book(fake, fake.fail)
        return
    with mock_aws():
        yield _book(tmp_path / "ledger.sqlite" if request.param == "sqlite" else None)


@pytest.fixture
def ledger(book: Book) -> Ledger:
    """The ledger alone."""
    return book.ledger


def test_the_first_attempt_may_send(ledger: Ledger) -> None:
    """An intent that nobody had is written, as it is."""
    assert ledger.begin(INTENT) == INTENT
    assert ledger.submissions("job-a") == [INTENT]
    assert ledger.submission("job-a", 3, 0) == INTENT


def test_a_second_attempt_finds_the_first(ledger: Ledger) -> None:
    """What was sent comes back unchanged; the later attempt is not written, so it may not send."""
    ledger.begin(INTENT)
    assert ledger.begin(OTHER) == INTENT


def test_beginning_twice_is_one_beginning(ledger: Ledger) -> None:
    """A begin whose answer was lost can be repeated by the same attempt."""
    ledger.begin(INTENT)
    assert ledger.begin(INTENT) == INTENT


def test_an_armed_submission_is_taken_by_one(ledger: Ledger) -> None:
    """After a clean refusal the next attempt may send, and the one after that may not."""
    ledger.begin(INTENT)
    ledger.rearm(INTENT)
    third = replace(OTHER, attempt="a3")
    assert ledger.begin(OTHER) == OTHER
    assert ledger.begin(third) == OTHER


def test_an_accepted_submission_tells_its_message_batch(ledger: Ledger) -> None:
    """Whoever comes later learns which Message Batch it became."""
    ledger.begin(INTENT)
    assert ledger.accept(INTENT, "msgbatch_1") == ACCEPTED
    assert ledger.begin(OTHER) == ACCEPTED
    assert ledger.is_claimed("msgbatch_1")


def test_accepting_again_changes_nothing(ledger: Ledger) -> None:
    """An accept whose answer was lost can be repeated, with the same id or, in vain, another."""
    ledger.begin(INTENT)
    ledger.accept(INTENT, "msgbatch_1")
    assert ledger.accept(INTENT, "msgbatch_1") == ACCEPTED
    assert ledger.accept(INTENT, "msgbatch_2") == ACCEPTED
    assert not ledger.is_claimed("msgbatch_2")


def test_an_attempt_that_was_replaced_accepts_nothing(ledger: Ledger) -> None:
    """Once another attempt has taken over, the first one's answer is one too many."""
    ledger.begin(INTENT)
    ledger.rearm(INTENT)
    ledger.begin(OTHER)
    assert ledger.accept(INTENT, "msgbatch_1") == OTHER
    assert not ledger.is_claimed("msgbatch_1")


def test_a_message_batch_belongs_to_one_submission(ledger: Ledger) -> None:
    """What one shard has claimed, another cannot adopt."""
    neighbour = replace(INTENT, shard=4)
    ledger.begin(INTENT)
    ledger.begin(neighbour)
    ledger.accept(INTENT, "msgbatch_1")
    assert ledger.accept(neighbour, "msgbatch_1") == neighbour


def test_a_message_batch_of_others_is_given_back(ledger: Ledger) -> None:
    """The submission is sent again, remembers which one it was, and may accept another; so may its neighbour."""
    neighbour = replace(INTENT, shard=4)
    ledger.begin(INTENT)
    ledger.begin(neighbour)
    ledger.rule_out(INTENT, ["msgbatch_0"])
    accepted = ledger.accept(INTENT, "msgbatch_1")
    ledger.disown(accepted, "msgbatch_1")
    misled = replace(INTENT, misled=True, ruled_out=("msgbatch_1", "msgbatch_0"))
    assert ledger.submission("job-a", 3, 0) == misled
    assert not ledger.is_claimed("msgbatch_1")
    assert ledger.accept(neighbour, "msgbatch_1").batch_id == "msgbatch_1"
    assert ledger.accept(misled, "msgbatch_2") == replace(misled, state="accepted", batch_id="msgbatch_2")


@pytest.mark.parametrize("other", [{"attempt": "a2"}, {"shard": 5}])
def test_only_what_was_accepted_is_given_back(ledger: Ledger, other: dict[str, Any]) -> None:
    """Not by another attempt, not another Message Batch, and not twice."""
    ledger.begin(INTENT)
    accepted = ledger.accept(INTENT, "msgbatch_1")
    ledger.disown(replace(accepted, **other), "msgbatch_1")
    ledger.disown(accepted, "msgbatch_2")
    assert ledger.submission("job-a", 3, 0) == ACCEPTED
    assert ledger.is_claimed("msgbatch_1")
    for _ in range(2):
        ledger.disown(accepted, "msgbatch_1")
    sent = ledger.submission("job-a", 3, 0)
    assert sent is not None
    assert sent.ruled_out == ("msgbatch_1",)


def test_a_claim_tells_its_submission(ledger: Ledger) -> None:
    """As it stands now."""
    assert ledger.claimant("msgbatch_1") is None
    ledger.begin(INTENT)
    ledger.accept(INTENT, "msgbatch_1")
    assert ledger.claimant("msgbatch_1") == ACCEPTED
    ledger.collected("job-a", 3, 0, START)
    assert ledger.claimant("msgbatch_1") == replace(ACCEPTED, collected_at=START)


def test_an_attempt_that_was_misled_says_so(ledger: Ledger) -> None:
    """The next attempt was not."""
    ledger.begin(INTENT)
    ledger.end_attempt(INTENT, START, misled=True)
    assert ledger.submission("job-a", 3, 0) == replace(INTENT, over_at=START, misled=True)
    ledger.rearm(INTENT)
    assert ledger.begin(OTHER) == OTHER
    assert ledger.submission("job-a", 3, 0) == OTHER


def test_an_accepted_submission_is_never_armed(ledger: Ledger) -> None:
    """Rearming is for what became nothing; what is paid for stays."""
    ledger.begin(INTENT)
    ledger.accept(INTENT, "msgbatch_1")
    ledger.rearm(INTENT)
    assert ledger.submission("job-a", 3, 0) == ACCEPTED


def test_only_the_current_attempt_is_armed(ledger: Ledger) -> None:
    """A settling that comes late does not open the door behind a newer attempt."""
    ledger.begin(INTENT)
    ledger.rearm(INTENT)
    ledger.begin(OTHER)
    ledger.rearm(INTENT)
    assert ledger.submission("job-a", 3, 0) == OTHER


def test_an_attempt_can_say_that_it_is_over(ledger: Ledger) -> None:
    """Settling then need not wait for the deadline of its invocation."""
    ledger.begin(INTENT)
    ledger.end_attempt(INTENT, START)
    ledger.end_attempt(OTHER, START + timedelta(days=1))
    assert ledger.submission("job-a", 3, 0) == replace(INTENT, over_at=START)


def test_a_key_has_a_witness(ledger: Ledger) -> None:
    """The last Message Batch that was accepted with it, whatever the job."""
    first = replace(INTENT, key_print="a")
    second = replace(INTENT, job_id="job-b", key_print="a", workspace="w")
    for one, batch_id in ((first, "msgbatch_1"), (second, "msgbatch_2")):
        ledger.begin(one)
        ledger.accept(one, batch_id)
    assert (ledger.witness("a"), ledger.witness("b")) == ("msgbatch_2", None)
    assert ledger.submission("job-b", 3, 0) == replace(second, state="accepted", batch_id="msgbatch_2")


def test_what_was_ruled_out_is_remembered(ledger: Ledger) -> None:
    """It belongs to the attempt: a later one starts without, and what an earlier one says changes nothing."""
    ledger.begin(INTENT)
    assert ledger.submission("job-a", 3, 0) == INTENT
    ledger.rule_out(INTENT, ["msgbatch_7", "msgbatch_8"])
    assert ledger.submission("job-a", 3, 0) == replace(INTENT, ruled_out=("msgbatch_7", "msgbatch_8"))
    ledger.rearm(INTENT)
    ledger.begin(OTHER)
    ledger.rule_out(INTENT, ["msgbatch_9"])
    assert ledger.submission("job-a", 3, 0) == OTHER


def test_shards_rounds_and_jobs_are_apart(ledger: Ledger) -> None:
    """Each shard and round of each job has a submission of its own, and they come by shard and round."""
    others = [
        replace(INTENT, shard=12),
        INTENT,
        replace(INTENT, round_number=1),
        replace(INTENT, shard=100),
        replace(INTENT, job_id="job-ab"),
    ]
    assert [ledger.begin(one) for one in others] == others
    assert [(one.shard, one.round_number) for one in ledger.submissions("job-a")] == [(3, 0), (3, 1), (12, 0), (100, 0)]


def test_a_job_without_facts_is_empty(ledger: Ledger) -> None:
    """A job nobody knows has no submissions, no failures and no halt."""
    assert ledger.submissions("nobody") == []
    assert ledger.submission("nobody", 0, 0) is None
    assert ledger.shard_failures("nobody") == []
    assert ledger.halted("nobody") is None
    ledger.lift("nobody")


def test_failures_come_by_number(book: Book) -> None:
    """Failed shards come in the order of their numbers, not of their digits, and apart from submissions."""
    failures = [ShardFailure(shard, "SubmissionUncertain", "why") for shard in (10, 2, 0)]
    for failure in failures:
        book.fail("job-a", failure)
    book.ledger.begin(INTENT)
    assert book.ledger.shard_failures("job-a") == failures[::-1]
    assert book.ledger.submissions("job-a") == [INTENT]


def test_more_facts_than_a_page_holds(book: Book) -> None:
    """DynamoDB answers 1 MB at a time; all pages are read."""
    failures = [ShardFailure(shard, "ResultsIncomplete", "x" * 120_000) for shard in range(12)]
    for failure in failures:
        book.fail("job-a", failure)
    assert book.ledger.shard_failures("job-a") == failures


def test_the_first_halt_stays(ledger: Ledger) -> None:
    """Many shards may meet the same trouble; the first reason is the one to read."""
    ledger.halt("job-a", TROUBLE)
    ledger.halt("job-a", replace(TROUBLE, reason="HTTP 401"))
    assert ledger.halted("job-a") == TROUBLE
    assert ledger.halted("job-b") is None


def test_a_cancel_replaces_any_other_halt(ledger: Ledger) -> None:
    """The user's word counts more than the account's trouble, and a second cancel changes nothing."""
    ledger.halt("job-a", TROUBLE)
    ledger.halt("job-a", CANCELED)
    ledger.halt("job-a", replace(CANCELED, reason="again"))
    ledger.halt("job-a", TROUBLE)
    assert ledger.halted("job-a") == CANCELED


def test_lifting_forgets_failures_and_halt_only(book: Book) -> None:
    """A resumed job starts without its failures, but with every submission."""
    book.ledger.begin(INTENT)
    book.ledger.halt("job-a", TROUBLE)
    book.fail("job-a", ShardFailure(0, "x", "y"))
    book.fail("job-b", ShardFailure(0, "x", "y"))
    book.ledger.lift("job-a")
    assert (book.ledger.halted("job-a"), book.ledger.shard_failures("job-a")) == (None, [])
    assert len(book.ledger.shard_failures("job-b")) == 1
    assert book.ledger.submissions("job-a") == [INTENT]


def test_uncollected_submissions_are_found(ledger: Ledger) -> None:
    """Accepted, older than asked, and without answers: the others are none of the guard's business."""
    younger = replace(INTENT, shard=5, sent_at=START + timedelta(days=3))
    for one, batch_id in ((INTENT, "msgbatch_1"), (replace(INTENT, shard=4), "msgbatch_2"), (younger, "msgbatch_3")):
        ledger.begin(one)
        ledger.accept(one, batch_id)
    ledger.begin(replace(INTENT, shard=6))
    ledger.collected("job-a", 4, 0, START)
    assert [one.batch_id for one in ledger.uncollected(START + timedelta(days=1))] == ["msgbatch_1"]


def test_collecting_what_is_forgotten_changes_nothing(ledger: Ledger) -> None:
    """A job that is resumed after the ledger forgot it still has its answers, and writes no half of a submission."""
    ledger.collected("job-a", 3, 0, START)
    assert ledger.submissions("job-a") == []


@mock_aws
def test_facts_expire_after_the_results_do() -> None:
    """DynamoDB drops every fact 35 days after it was made."""
    table = create_ledger_table(dynamodb())
    ledger = DynamoLedger(table)
    ledger.begin(INTENT)
    ledger.accept(INTENT, "msgbatch_1")
    ledger.halt("job-a", TROUBLE)
    assert {item["expires_at"] for item in table.scan()["Items"]} == {int((START + LEDGER_KEPT).timestamp())}


def test_the_first_collecting_is_remembered(ledger: Ledger) -> None:
    """A resumed job comes by again; how long the Message Batch took is told by the first time."""
    ledger.begin(INTENT)
    ledger.accept(INTENT, "msgbatch_1")
    for hours in (1, 30):
        ledger.collected("job-a", INTENT.shard, 0, START + timedelta(hours=hours))
    [known] = ledger.submissions("job-a")
    assert known.collected_at == START + timedelta(hours=1)
