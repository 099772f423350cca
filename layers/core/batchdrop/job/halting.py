"""Halt a whole job when one of its shards meets trouble: all other shards check the halt before they send."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from batchdrop.errors import (
    AccountTrouble,
    BatchdropError,
    BudgetReached,
    JobCanceled,
    JobNotApproved,
    PilotRefused,
    SampleFailed,
)
from batchdrop.job.ports import Ledger
from batchdrop.job.submission import Halt
from batchdrop.ports import Clock

_HALTS = (AccountTrouble, BudgetReached, JobCanceled, JobNotApproved, PilotRefused, SampleFailed)
_ERRORS: dict[str, type[BatchdropError]] = {kind.__name__: kind for kind in _HALTS}


@contextmanager
def halting_on_account_trouble(job_id: str, ledger: Ledger, clock: Clock) -> Iterator[None]:
    """Halt the job if the context raises AccountTrouble; re-raise it."""
    try:
        yield
    except AccountTrouble as trouble:
        ledger.halt(job_id, Halt(AccountTrouble.__name__, str(trouble), clock.now()))
        raise


def refuse_if_halted(job_id: str, ledger: Ledger) -> None:
    """Raise the error that the halt names if the job must send nothing more.

    A shard that fails with it repeats the job's halt, so closing the job reports the halt alone.
    """
    if halt := ledger.halted(job_id):
        raise _ERRORS.get(halt.error, BatchdropError)(halt.reason)
