"""What every Leases promises: the fake, DynamoDB and SQLite alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from moto import mock_aws

from batchdrop.adapters.aws.dynamodb import DynamoLedger
from batchdrop.adapters.aws.dynamodb_live import DynamoLeases
from batchdrop.adapters.sqlite.fact_file import FactFile
from batchdrop.adapters.sqlite.ledger import SqliteLedger
from batchdrop.adapters.sqlite.live import SqliteLeases
from batchdrop.job.ports import Ledger
from batchdrop.limits import LEDGER_KEPT
from batchdrop.live_lane.lease import Lease
from batchdrop.live_lane.ports import Leases
from tests.aws import dynamodb
from tests.fakes import START, FakeLedger
from tests.live_fakes import FakeLeases
from tests.tables import create_ledger_table

NAME = "00003#r0#00007"
MINUTE = timedelta(minutes=1)


@pytest.fixture(params=["fake", "dynamodb", "sqlite"])
def ports(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Leases, Ledger]]:
    """The fakes, then DynamoDB as moto serves it, then a file: leases, and the ledger that they are in."""
    if request.param == "fake":
        leases, ledger = FakeLeases(), FakeLedger()
        ledger.tries_of = leases.tries
        yield leases, ledger
        return
    if request.param == "sqlite":
        file = FactFile(tmp_path / "ledger.sqlite")
        yield SqliteLeases(file), SqliteLedger(file, FakeLedger())
        return
    with mock_aws():
        table = create_ledger_table(dynamodb())
        yield DynamoLeases(table), DynamoLedger(table)


@pytest.fixture
def leases(ports: tuple[Leases, Ledger]) -> Leases:
    """The leases alone."""
    return ports[0]


def _take(leases: Leases, attempt: str, at: datetime = START, name: str = NAME) -> Lease:
    return leases.take("job", name, attempt, now=at, until=at + MINUTE)


def test_the_first_attempt_holds_the_slice(leases: Leases) -> None:
    """What nobody held is taken."""
    assert _take(leases, "a") == Lease("job", NAME, "a", START + MINUTE, 1)


def test_a_second_attempt_finds_the_first(leases: Leases) -> None:
    """Until the lease has run out nobody else gets it, to the microsecond."""
    first = _take(leases, "a")
    assert _take(leases, "b", START + MINUTE - timedelta(microseconds=1)) == first


def test_a_lease_runs_out(leases: Leases) -> None:
    """A crashed worker's slice is taken over at its end, and the worker cannot renew it any more."""
    first = _take(leases, "a")
    second = _take(leases, "b", START + MINUTE)
    assert (second.attempt, second.turn) == ("b", 2)
    assert not leases.renew(first, START + 5 * MINUTE, done=5)
    assert _take(leases, "c", START + MINUTE).attempt == "b"


def test_a_renewed_lease_goes_on(leases: Leases) -> None:
    """Its end is moved, its turn is the same."""
    first = _take(leases, "a")
    assert leases.renew(first, START + 3 * MINUTE, done=5)
    assert _take(leases, "b", START + 2 * MINUTE) == Lease("job", NAME, "a", START + 3 * MINUTE, 1)


def test_a_released_lease_is_free(leases: Leases) -> None:
    """The next attempt need not wait, and counts as the next turn."""
    leases.release(_take(leases, "a"), START, done=5)
    assert _take(leases, "b") == Lease("job", NAME, "b", START + MINUTE, 2)


def test_a_lost_lease_is_not_released(leases: Leases) -> None:
    """A worker that comes late does not open the door behind another one."""
    first = _take(leases, "a")
    second = _take(leases, "b", START + MINUTE)
    leases.release(first, START + MINUTE, done=5)
    assert _take(leases, "c", START + MINUTE) == second


def test_a_take_can_be_repeated(leases: Leases) -> None:
    """One whose answer was lost is taken again by the same attempt."""
    _take(leases, "a")
    assert _take(leases, "a").attempt == "a"


def test_slices_and_jobs_are_apart(leases: Leases) -> None:
    """Each slice of each job has a lease of its own."""
    _take(leases, "a")
    assert _take(leases, "b", name="00003#r0#00008").attempt == "b"
    assert leases.take("job2", NAME, "c", now=START, until=START + MINUTE).attempt == "c"
    assert not leases.renew(Lease("job3", NAME, "a", START, 1), START, done=5)


@mock_aws
def test_leases_expire_with_the_other_facts() -> None:
    """DynamoDB drops them 35 days after they were taken."""
    table = create_ledger_table(dynamodb())
    _take(DynamoLeases(table), "a")
    assert {item["expires_at"] for item in table.scan()["Items"]} == {int((START + LEDGER_KEPT).timestamp())}


def test_tries_go_to_the_next_attempt(leases: Leases) -> None:
    """Those of the last renewal, or of the release."""
    first = _take(leases, "a")
    assert first.tries == ""
    leases.renew(first, START + MINUTE, done=1, tries='{"x":[1,0,0]}')
    second = _take(leases, "b", START + MINUTE)
    assert second.tries == '{"x":[1,0,0]}'
    leases.release(second, START + MINUTE, done=1, tries='{"x":[2,1,0]}')
    assert _take(leases, "c", START + MINUTE).tries == '{"x":[2,1,0]}'


def test_the_ledger_shows_the_tries_of_a_round(ports: tuple[Leases, Ledger]) -> None:
    """Of the last attempt of each slice, also if it was killed; without those of other rounds and shards."""
    leases, ledger = ports
    for name, tries in ((NAME, '{"x":[1,0,0]}'), ("00003#r0#00008", ""), ("00003#r1#00000", '{"y":[1,0,0]}')):
        leases.renew(_take(leases, "a", name=name), START + MINUTE, done=1, tries=tries)
    leases.release(_take(leases, "a", name="00003#r0#00009"), START + MINUTE, done=1, tries='{"z":[0,1,0]}')
    assert ledger.tries_left("job", 3, 0) == ['{"x":[1,0,0]}', '{"z":[0,1,0]}']
    assert ledger.tries_left("job", 30, 0) == ledger.tries_left("job2", 3, 0) == []


def test_attempts_that_did_not_release_are_crashes(leases: Leases) -> None:
    """Handing a slice back is none, however often; a release that is repeated counts once."""
    at = START
    for number in range(3):
        lease = _take(leases, f"kept-{number}", at)
        leases.release(lease, at, done=0)
        leases.release(lease, at, done=0)
    assert _take(leases, "killed", at).crashes == 0
    at += MINUTE
    assert _take(leases, "killed too", at).crashes == 1
    last = _take(leases, "last", at + MINUTE)
    assert (last.turn, last.crashes) == (6, 2)
    assert not last.is_exhausted
