"""Tell whether a look sees the workspace in which a create was sent: another one's list proves nothing."""

from __future__ import annotations

from batchdrop.batch_lane.list_pass import said
from batchdrop.batch_lane.ports import BatchReader
from batchdrop.errors import ApiUnavailable, MessageBatchLost, RateLimited
from batchdrop.job.ports import Ledger
from batchdrop.job.submission import Submission


def why_another_workspace(standing: Submission, ledger: Ledger, api: BatchReader) -> str:
    """Return why this may be another workspace than the create's; empty if it is the same. Raises AccountTrouble.

    The same key sees the same workspace, and so does a key that names it. Any other key must see a Message Batch that
    was created with the old one.
    """
    if api.workspace != standing.workspace:
        return "the create was sent to another workspace than the one that WorkspaceId names now"
    if standing.workspace or api.key_print == standing.key_print:
        return ""
    witness = ledger.witness(standing.key_print)
    if witness is None:
        return "the API key was replaced since the create, and may be of another workspace"
    try:
        api.retrieve(witness)
    except (ApiUnavailable, RateLimited, MessageBatchLost) as trouble:
        return (
            "the API key was replaced since the create, and the new one does not see "
            f"{witness}, which the old one created ({said(trouble)})"
        )
    return ""
