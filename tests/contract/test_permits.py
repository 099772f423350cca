"""What every Permits promises: the fake, DynamoDB and SQLite alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from moto import mock_aws

from batchdrop.adapters.aws.dynamodb_live import DynamoPermits
from batchdrop.adapters.sqlite.fact_file import FactFile
from batchdrop.adapters.sqlite.live import SqlitePermits
from batchdrop.limits import LEDGER_KEPT
from batchdrop.live_lane.pace import Pace
from batchdrop.live_lane.permits import UNSEEN, Bucket, PermitState, Versioned
from batchdrop.live_lane.ports import Permits
from tests.aws import dynamodb
from tests.fakes import START
from tests.live_fakes import FakePermits
from tests.tables import create_ledger_table

MODEL = "claude-haiku-5-5"
STATE = PermitState(
    START.timestamp(),
    Bucket(4000.0, 1.25),
    Bucket(None, -3.5),
    Bucket(2e7, 1e-9),
    pace=Pace(0.1, 20.0, 3.0, 0.05, 1.0, 2.0, 0.4),
    not_before=2.5,
    flow=0.25,
)
LATER = msgspec.structs.replace(STATE, pace=Pace(0.7))


@pytest.fixture(params=["fake", "dynamodb", "sqlite"])
def permits(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Permits]:
    """The fake, then DynamoDB as moto serves it, then a file."""
    if request.param == "fake":
        yield FakePermits()
        return
    if request.param == "sqlite":
        yield SqlitePermits(FactFile(tmp_path / "ledger.sqlite"))
        return
    with mock_aws():
        yield DynamoPermits(create_ledger_table(dynamodb()))


def test_the_first_state_is_written_by_one(permits: Permits) -> None:
    """Of two workers that found nothing, one writes; the other learns what stands, to the last digit."""
    assert permits.replace(MODEL, UNSEEN, STATE) is None
    assert permits.replace(MODEL, UNSEEN, LATER) == Versioned(STATE, 1)


def test_a_state_is_replaced_by_who_saw_it(permits: Permits) -> None:
    """A write builds on what was seen, or does not happen."""
    permits.replace(MODEL, UNSEEN, STATE)
    assert permits.replace(MODEL, Versioned(STATE, 1), LATER) is None
    assert permits.replace(MODEL, Versioned(STATE, 1), STATE) == Versioned(LATER, 2)
    assert permits.replace(MODEL, Versioned(LATER, 2), STATE) is None


def test_models_are_apart(permits: Permits) -> None:
    """Each model has limits of its own."""
    permits.replace(MODEL, UNSEEN, STATE)
    assert permits.replace("claude-opus-5-5", UNSEEN, LATER) is None


def test_a_state_that_expired_is_found_out(permits: Permits) -> None:
    """Whoever saw a state that is no more starts anew."""
    assert permits.replace(MODEL, Versioned(STATE, 9), LATER) == UNSEEN
    assert permits.replace(MODEL, UNSEEN, LATER) is None


@mock_aws
def test_a_state_of_another_release_is_none() -> None:
    """A fleet starts anew, and replaces it."""
    table = create_ledger_table(dynamodb())
    table.put_item(Item={"job": f"permits#{MODEL}", "fact": "permits", "version": 7, "state": '{"at":1.0,"pace":0.3}'})
    permits = DynamoPermits(table)
    assert permits.replace(MODEL, UNSEEN, STATE) == Versioned(None, 7)
    assert permits.replace(MODEL, Versioned(None, 7), STATE) is None


@mock_aws
def test_permits_expire_with_the_other_facts() -> None:
    """DynamoDB drops them 35 days after the last write."""
    table = create_ledger_table(dynamodb())
    DynamoPermits(table).replace(MODEL, UNSEEN, STATE)
    assert {item["expires_at"] for item in table.scan()["Items"]} == {int((START + LEDGER_KEPT).timestamp())}
