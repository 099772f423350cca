"""A halted job sends nothing more, and each shard that meets the halt reports the halt's own error."""

from __future__ import annotations

import pytest

from batchdrop.errors import AccountTrouble, BatchdropError, BudgetReached, JobCanceled, JobNotApproved, SampleFailed
from batchdrop.job.halting import refuse_if_halted
from batchdrop.job.submission import Halt
from tests.fakes import START, FakeLedger
from tests.jobs import JOB, dropped, reviews

HALTS = [AccountTrouble, BudgetReached, JobCanceled, JobNotApproved, SampleFailed]


@pytest.mark.parametrize("kind", HALTS, ids=lambda kind: kind.__name__)
def test_a_halt_is_raised_as_what_it_is(kind: type[BatchdropError]) -> None:
    """Not as trouble with the account, which the user would look for in vain."""
    ledger = FakeLedger()
    ledger.halt(JOB, Halt(kind.__name__, "why", START))
    with pytest.raises(kind, match="why"):
        refuse_if_halted(JOB, ledger)


def test_a_job_that_is_not_halted_goes_on() -> None:
    """Nothing is raised."""
    refuse_if_halted(JOB, FakeLedger())


@pytest.mark.parametrize("kind", HALTS, ids=lambda kind: kind.__name__)
def test_a_shard_that_meets_a_halt_adds_no_fault(kind: type[BatchdropError]) -> None:
    """The job's fault is the halt alone."""
    world = dropped(reviews(2))
    world.split()
    world.ledger.halt(JOB, Halt(kind.__name__, "why", START))
    world.ask()
    assert [(fault.type, fault.shard) for fault in world.close().faults] == [(kind.__name__, None)]
    assert not world.api.created
