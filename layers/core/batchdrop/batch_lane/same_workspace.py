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
    if submission.is_unnamed:
        return _why_unproved(submission, ledger, api)
    if api.workspace != submission.workspace:
        return "the create was sent to another workspace than the one that WorkspaceId names now"
    if submission.workspace or api.key_print == submission.key_print:
        return ""
    witness = ledger.witness(submission.key_print)
    if witness is None:
        return "the API key was replaced since the create, and may be of another workspace"
    trouble = _why_unseen(witness, api)
    if trouble:
        return (
            f"the API key was replaced since the create, and the new one does not see {witness}, "
            f"which the old one created ({trouble})"
        )
    return ""


def _why_unproved(submission: Submission, ledger: Ledger, api: BatchReader) -> str:
    """Return why this may not be the workspace of an intent of version 0.1.0, which names neither key nor workspace.

    A Message Batch that version 0.1.0 created for the same job must be seen. Without one, the key must be the one that
    it used, as CHANGELOG asks for; then the list is that of its workspace, unless WorkspaceId is new, too.
    """
    sent = ledger.submissions(submission.job_id)
    witness = next((one.batch_id for one in sent if one.is_unnamed and one.batch_id), None)
    if witness is None:
        if not api.workspace:
            return ""
        return "version 0.1.0 sent the create, without the workspace that WorkspaceId names now; set it to '' to settle"
    trouble = _why_unseen(witness, api)
    if trouble:
        return f"the API key does not see {witness}, which version 0.1.0 created for this job ({trouble})"
    return ""


def _why_unseen(batch_id: str, api: BatchReader) -> str:
    try:
        api.retrieve(batch_id)
    except (ApiUnavailable, RateLimited, MessageBatchLost) as trouble:
        return shortened(trouble)
    return ""
