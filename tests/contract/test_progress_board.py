"""What every ProgressBoard promises: the fake, DynamoDB and SQLite alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from moto import mock_aws

from batchdrop.adapters.aws.dynamodb_live import DynamoLeases
from batchdrop.adapters.aws.dynamodb_progress import DynamoProgressBoard
from batchdrop.adapters.sqlite.fact_file import FactFile
from batchdrop.adapters.sqlite.live import SqliteLeases
from batchdrop.adapters.sqlite.progress import SqliteProgressBoard
from batchdrop.job.job_progress import ShardProgress
from batchdrop.job.ports import ProgressBoard
from batchdrop.limits import LEDGER_KEPT
from batchdrop.live_lane.ports import Leases
from batchdrop.live_lane.slice import names_of_round
from tests.aws import dynamodb
from tests.fake_board import FakeProgressBoard
from tests.fakes import START
from tests.live_fakes import FakeLeases
from tests.tables import create_ledger_table

EVERY = timedelta(seconds=20)
ASKED = ShardProgress(3, "asked", 0, "batch", START, 100, 100, batch_id="msgbatch_1")


@dataclass
class Ledger:
    """A board, and the leases beside it."""

    board: ProgressBoard
    leases: Leases


@pytest.fixture(params=["fake", "dynamodb", "sqlite"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """The fakes, then DynamoDB as moto serves it, then a file."""
    if request.param == "fake":
        leases = FakeLeases()
        yield Ledger(FakeProgressBoard(leases), leases)
        return
    if request.param == "sqlite":
        file = FactFile(tmp_path / "ledger.sqlite")
        yield Ledger(SqliteProgressBoard(file), SqliteLeases(file))
        return
    with mock_aws():
        table = create_ledger_table(dynamodb())
        yield Ledger(DynamoProgressBoard(table), DynamoLeases(table))


@pytest.fixture
def board(ledger: Ledger) -> ProgressBoard:
    """The board alone."""
    return ledger.board


def test_a_live_round_is_as_far_as_its_leases_say(ledger: Ledger) -> None:
    """Slices of this round of this shard count, as they were last renewed or let go; nothing of another lane's does."""
    live = msgspec.structs.replace(ASKED, lane="live", round=1, batch_id="")
    ledger.board.note("job", live)
    ledger.board.note("job", msgspec.structs.replace(ASKED, shard=4))
    for shard, round_number, number in [(3, 1, 0), (3, 1, 1), (3, 0, 0), (3, 2, 0), (4, 0, 0)]:
        name = f"{names_of_round(shard, round_number)}{number:05d}"
        lease = ledger.leases.take("job", name, "a", now=START, until=START + EVERY)
        ledger.leases.renew(lease, START + EVERY, done=10)
        if number:
            ledger.leases.release(lease, START, done=25)
    assert [one.processing for one in ledger.board.noted("job")] == [100 - 10 - 25, 100]


def test_what_is_noted_is_told_by_shard(board: ProgressBoard) -> None:
    """Every field comes back, in the order of shards, of this job only."""
    first = ShardProgress(1, "collected", 1, "live", START, 7, 0, 5, 2)
    board.note("job", ASKED)
    board.note("job", first)
    board.note("job2", ASKED)
    assert board.noted("job") == [first, ASKED]
    assert board.noted("job3") == []


def test_what_is_later_stays(board: ProgressBoard) -> None:
    """A look that was given up for dead does not undo what came after."""
    done = msgspec.structs.replace(ASKED, stage="collected", answered=100, at=START + timedelta(minutes=1))
    board.note("job", done)
    board.note("job", ASKED)
    assert board.noted("job") == [done]


def test_one_turn_each_twenty_seconds(board: ProgressBoard) -> None:
    """However many shards are polled, the page is drawn once, and again when the time has come."""
    assert board.take_turn("job", START, EVERY)
    assert not board.take_turn("job", START + timedelta(seconds=19), EVERY)
    assert board.take_turn("job2", START, EVERY)
    assert board.take_turn("job", START + EVERY, EVERY)


@mock_aws
def test_progress_expires_with_the_other_facts() -> None:
    """DynamoDB drops it 35 days after it was noted."""
    table = create_ledger_table(dynamodb())
    board = DynamoProgressBoard(table)
    board.note("job", ASKED)
    board.take_turn("job", START, EVERY)
    assert {item["expires_at"] for item in table.scan()["Items"]} == {int((START + LEDGER_KEPT).timestamp())}
