"""Give back a Message Batch that turns out to be another client's: the API answered a create with a wrong id."""

from __future__ import annotations

from batchdrop.answers.result import MessageBatch
from batchdrop.batch_lane.ownership import Undecided, is_ours
from batchdrop.batch_lane.ports import BatchReader
from batchdrop.errors import SubmissionUncertain
from batchdrop.job.ports import Ledger
from batchdrop.job.submission import Submission


def refuse_foreign_results(batch: MessageBatch, submission: Submission, ledger: Ledger, api: BatchReader) -> None:
    """Raise SubmissionUncertain if the results of a Message Batch prove that it is not the submission's.

    The submission is then settled again, and its rows are sent again only if no Message Batch of ours exists. Results
    that prove nothing, because they are cut short, raise nothing.
    """
    try:
        if is_ours(batch, submission, api):
            return
    except Undecided:
        return
    ledger.disown(submission, batch.id)
    message = (
        f"shard {submission.shard}, round {submission.round_number}: the create was answered with {batch.id}, but its "
        "results belong to others; nothing is sent until the outcome of the create is known"
    )
    raise SubmissionUncertain(message)
