"""Check that settling sees the workspace of the create: the list of another workspace proves nothing."""

from __future__ import annotations

from batchdrop.batch_lane.list_pass import shortened
from batchdrop.batch_lane.ports import BatchReader
from batchdrop.errors import ApiUnavailable, MessageBatchLost, RateLimited
from batchdrop.job.ports import Ledger
from batchdrop.job.submission import Submission


def why_another_workspace(submission: Submission, ledger: Ledger, api: BatchReader) -> str:
    """Return why this may not be the workspace of the create; empty if it is. Raises AccountTrouble.

    The same key sees the same workspace, and so does a key that names the workspace. Any other key must see a Message
    Batch that the old key created.
    """
    if api.workspace != submission.workspace:
        return "the create was sent to another workspace than the one that WorkspaceId names now"
    if submission.workspace or api.key_print == submission.key_print:
        return ""
    witness = ledger.witness(submission.key_print)
    if witness is None:
        return "the API key was replaced since the create, and may be of another workspace"
    try:
        api.retrieve(witness)
    except (ApiUnavailable, RateLimited, MessageBatchLost) as trouble:
        return (
            "the API key was replaced since the create, and the new one does not see "
            f"{witness}, which the old one created ({shortened(trouble)})"
        )
    return ""
