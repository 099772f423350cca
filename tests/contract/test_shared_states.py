"""What all SharedStates promise: the fake, DynamoDB and SQLite alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from batchdrop.adapters.aws.dynamodb_states import TRIES, DynamoSharedStates
from batchdrop.adapters.sqlite.fact_file import FactFile
from batchdrop.adapters.sqlite.states import SqliteSharedStates
from batchdrop.admission.ports import Changed, SharedStates
from batchdrop.errors import LedgerContended
from batchdrop.limits import LEDGER_KEPT
from tests.admission_fakes import FakeSharedStates
from tests.aws import dynamodb
from tests.fakes import START
from tests.tables import create_ledger_table


@pytest.fixture(params=["fake", "dynamodb", "sqlite"])
def states(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SharedStates]:
    """The fake, then DynamoDB as moto serves it, then a file."""
    if request.param == "fake":
        yield FakeSharedStates()
        return
    if request.param == "sqlite":
        yield SqliteSharedStates(FactFile(tmp_path / "ledger.sqlite"))
        return
    with mock_aws():
        yield DynamoSharedStates(create_ledger_table(dynamodb()))


def _plus(text: bytes | None) -> Changed[int]:
    count = int(text or b"0")
    return b"%d" % (count + 1), count


def test_there_is_nothing_at_first(states: SharedStates) -> None:
    """A change is told so."""
    assert states.read("job", "budget") is None
    assert states.change("job", "budget", _plus, at=START) == 0


def test_each_change_builds_on_the_last(states: SharedStates) -> None:
    """And returns what it came to."""
    assert [states.change("job", "budget", _plus, at=START) for _ in range(3)] == [0, 1, 2]
    assert states.read("job", "budget") == b"3"


def test_states_are_apart(states: SharedStates) -> None:
    """By owner and by fact."""
    states.change("job", "budget", _plus, at=START)
    states.change("job", "places", _plus, at=START)
    states.change("other", "budget", _plus, at=START)
    assert [states.read(*key) for key in (("job", "budget"), ("job", "places"), ("other", "budget"))] == [b"1"] * 3


def test_a_change_may_write_nothing(states: SharedStates) -> None:
    """It still has its say."""

    def look(text: bytes | None) -> Changed[str]:
        return None, "no"

    assert states.change("job", "budget", look, at=START) == "no"
    assert states.read("job", "budget") is None


@mock_aws
def test_others_that_come_between_are_built_upon() -> None:
    """A change whose state was written meanwhile is made again, from what stands then."""
    table = create_ledger_table(dynamodb())
    pauses: list[float] = []
    states, other = DynamoSharedStates(table, pause=pauses.append), DynamoSharedStates(table)
    seen: list[bytes | None] = []

    def slow(text: bytes | None) -> Changed[int]:
        seen.append(text)
        if len(seen) < 3:
            other.change("job", "budget", _plus, at=START)
        return _plus(text)

    assert states.change("job", "budget", slow, at=START) == 2
    assert (seen, len(pauses)) == ([None, b"1", b"2"], 2)
    assert states.read("job", "budget") == b"3"


@mock_aws
def test_who_never_gets_through_says_so() -> None:
    """After so many tries, each after a longer pause; nothing is written."""
    table = create_ledger_table(dynamodb())
    pauses: list[float] = []
    states, other = DynamoSharedStates(table, pause=pauses.append), DynamoSharedStates(table)

    def always_late(text: bytes | None) -> Changed[None]:
        other.change("job", "budget", _plus, at=START)
        return b"mine", None

    with pytest.raises(LedgerContended, match="job budget"):
        states.change("job", "budget", always_late, at=START)
    assert len(pauses) == TRIES
    assert states.read("job", "budget") == b"%d" % TRIES


@mock_aws
def test_states_expire_with_the_other_facts() -> None:
    """DynamoDB drops them 35 days after their last write."""
    table = create_ledger_table(dynamodb())
    DynamoSharedStates(table).change("job", "budget", _plus, at=START)
    items: list[Any] = table.scan()["Items"]
    assert {item["expires_at"] for item in items} == {int((START + LEDGER_KEPT).timestamp())}
