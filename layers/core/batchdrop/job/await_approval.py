"""Wait for the approval of a sample: the token of a waiting task is kept, and an approval or a halt wakes the task.

The approval or halt is written before the token is used, and the task then reads the ledger. So it does no harm to
wake a task twice or for nothing, and a lost call can be repeated.
"""

from __future__ import annotations

from batchdrop.job.ports import Approvals, Ledger, TaskGone, TaskTokens
from batchdrop.ports import Clock


def await_approval(
    job_id: str, token: str, *, approvals: Approvals, ledger: Ledger, tokens: TaskTokens, clock: Clock
) -> bool:
    """Keep the token of a waiting task. Return True if the task need not wait and was woken at once.

    The token is kept first, then the ledger is read. Approvals and halts do the reverse: they write the ledger, then
    read the tokens. So none is missed.
    """
    approvals.keep_token(job_id, token, clock.now())
    if approvals.approved(job_id) is None and ledger.halted(job_id) is None:
        return False
    _wake(token, tokens)
    return True


def wake_waiting(job_id: str, *, approvals: Approvals, tokens: TaskTokens) -> int:
    """Wake all tasks of the job that wait for its approval; return how many were still waiting."""
    return sum(_wake(token, tokens) for token in approvals.tokens(job_id))


def _wake(token: str, tokens: TaskTokens) -> bool:
    try:
        tokens.succeed(token, b"{}")
    except TaskGone:
        return False
    return True
