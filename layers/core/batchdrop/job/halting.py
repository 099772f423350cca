"""What halts a job halts all of it: what one shard learns, all others heed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from batchdrop.errors import AccountTrouble, BatchdropError, BudgetReached, JobCanceled
from batchdrop.job.ports import Ledger
from batchdrop.job.submission import Halt
from batchdrop.ports import Clock

_ERRORS: dict[str, type[BatchdropError]] = {kind.__name__: kind for kind in (JobCanceled, BudgetReached)}


@contextmanager
def halting_on_account_trouble(job_id: str, ledger: Ledger, clock: Clock) -> Iterator[None]:
    """Halt the job when the context ends by AccountTrouble, which is raised on."""
    try:
        yield
    except AccountTrouble as trouble:
        ledger.halt(job_id, Halt(AccountTrouble.__name__, str(trouble), clock.now()))
        raise


def refuse_if_halted(job_id: str, ledger: Ledger) -> None:
    """Raise AccountTrouble, JobCanceled or BudgetReached if the job must ask nothing more."""
    if halt := ledger.halted(job_id):
        raise _ERRORS.get(halt.error, AccountTrouble)(halt.reason)
