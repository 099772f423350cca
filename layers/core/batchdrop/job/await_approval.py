"""Wait for the approval of a sample: a task's token is kept, and whoever changes the job's fate rings it.

What counts is written before anyone rings: the approval, or the halt. A task that is woken looks for that itself, so a
bell that rings for nothing, or twice, does no harm, and one that is lost can be rung again.
"""

from __future__ import annotations

from batchdrop.job.ports import Approvals, Ledger, TaskGone, TaskTokens
from batchdrop.ports import Clock


def await_approval(
    job_id: str, token: str, *, approvals: Approvals, ledger: Ledger, tokens: TaskTokens, clock: Clock
) -> bool:
    """Keep the token of a task that waits; True if it need not wait, and was woken at once.

    The token is kept first and the facts are read then: those who write them do it the other way round, so that none
    is missed.
    """
    approvals.keep_token(job_id, token, clock.now())
    if approvals.approved(job_id) is None and ledger.halted(job_id) is None:
        return False
    _ring(token, tokens)
    return True


def wake_waiting(job_id: str, *, approvals: Approvals, tokens: TaskTokens) -> int:
    """Wake all tasks of the job that wait for its approval; return how many heard."""
    return sum(_ring(token, tokens) for token in approvals.tokens(job_id))


def _ring(token: str, tokens: TaskTokens) -> bool:
    try:
        tokens.succeed(token, b"{}")
    except TaskGone:
        return False
    return True
