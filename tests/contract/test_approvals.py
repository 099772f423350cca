"""What every Approvals promises: the fake, DynamoDB and SQLite alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from moto import mock_aws

from batchdrop.adapters.aws.dynamodb import DynamoLedger
from batchdrop.adapters.aws.dynamodb_approvals import DynamoApprovals
from batchdrop.adapters.sqlite.approvals import SqliteApprovals
from batchdrop.adapters.sqlite.fact_file import FactFile
from batchdrop.job.ports import Approvals
from batchdrop.job.submission import Halt
from batchdrop.limits import LEDGER_KEPT
from tests.approval_fakes import FakeApprovals
from tests.aws import dynamodb
from tests.fakes import START
from tests.tables import create_ledger_table

LATER = START + timedelta(hours=1)


@pytest.fixture(params=["fake", "dynamodb", "sqlite"])
def approvals(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Approvals]:
    """The fake, then DynamoDB as moto serves it, then a file."""
    if request.param == "fake":
        yield FakeApprovals()
        return
    if request.param == "sqlite":
        yield SqliteApprovals(FactFile(tmp_path / "ledger.sqlite"))
        return
    with mock_aws():
        yield DynamoApprovals(create_ledger_table(dynamodb()))


def test_nothing_is_approved_at_first(approvals: Approvals) -> None:
    """A job that nobody spoke of is not approved, and nobody waits."""
    assert approvals.approved("job") is None
    assert approvals.tokens("job") == []


def test_the_first_approval_stays(approvals: Approvals) -> None:
    """A second one changes nothing, and is told when the first was."""
    assert approvals.approve("job", START) == START
    assert approvals.approve("job", LATER) == START
    assert approvals.approved("job") == START


def test_jobs_are_apart(approvals: Approvals) -> None:
    """What is said of one is not said of another."""
    approvals.approve("job", START)
    approvals.keep_token("job", "t", START)
    assert approvals.approved("job2") is None
    assert approvals.tokens("job2") == []


def test_every_token_is_kept(approvals: Approvals) -> None:
    """One who comes late cannot put an old token over a new one; the same token is kept once."""
    for token in ("new", "old", "new"):
        approvals.keep_token("job", token, START)
    assert sorted(approvals.tokens("job")) == ["new", "old"]


def test_tokens_may_be_long(approvals: Approvals) -> None:
    """Step Functions' have up to 2,048 characters, more than a key of DynamoDB."""
    approvals.keep_token("job", "A" * 2_048, START)
    assert approvals.tokens("job") == ["A" * 2_048]


@mock_aws
def test_the_ledger_keeps_them_beside_its_own_facts() -> None:
    """They expire as all facts do; lifting the job's halt, as a resume does, leaves the approval."""
    table = create_ledger_table(dynamodb())
    approvals, ledger = DynamoApprovals(table), DynamoLedger(table)
    approvals.approve("job", START)
    approvals.keep_token("job", "t", START)
    ledger.halt("job", Halt("JobCanceled", "why", START))
    assert {item["expires_at"] for item in table.scan()["Items"]} == {int((START + LEDGER_KEPT).timestamp())}
    ledger.lift("job")
    assert (approvals.approved("job"), approvals.tokens("job")) == (START, ["t"])
    assert not ledger.submissions("job")
    assert not ledger.shard_failures("job")
