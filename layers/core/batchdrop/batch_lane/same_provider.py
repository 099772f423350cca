"""Refuse to judge a Message Batch by the answers of another provider than the one that created it.

A stack can move from an API key to a role, and back. The other provider answers 404 for what the first one created,
and its list is empty. Neither says that the Message Batch is gone: it runs, and will be billed.
"""

from __future__ import annotations

from batchdrop.batch_lane.ports import BatchReader
from batchdrop.errors import AccountTrouble
from batchdrop.job.ports import Ledger
from batchdrop.job.submission import Submission


def refuse_another_provider(submission: Submission, api: BatchReader) -> None:
    """Raise AccountTrouble if another provider, or another region of it, got the create."""
    was, now = _region_of(submission.key_print), _region_of(api.key_print)
    if was == now:
        return
    what = submission.batch_id or f"the create of shard {submission.shard}, round {submission.round_number}"
    again = f"Provider=aws in {was}" if was else "Provider=anthropic and its key"
    message = (
        f"{what} was sent to {_named(was)}, and the stack uses {_named(now)} now. Deploy it with {again}, resume job "
        f"{submission.job_id}, and change the provider when no job is open (docs/aws.md)"
    )
    raise AccountTrouble(message)


def refuse_lost_elsewhere(batch_id: str, ledger: Ledger, api: BatchReader) -> None:
    """Raise AccountTrouble if the API does not know a Message Batch because another provider, or workspace, has it."""
    submission = ledger.claimant(batch_id)
    if submission is None:
        return
    refuse_another_provider(submission, api)
    if submission.workspace and submission.workspace != api.workspace:
        message = (
            f"{batch_id} is in workspace {submission.workspace}, and the stack uses {api.workspace or 'the key alone'} "
            f"now. Deploy it with WorkspaceId={submission.workspace}, and resume job {submission.job_id}"
        )
        raise AccountTrouble(message)


def _region_of(key_print: str) -> str:
    """Return the region of Claude Platform on AWS; empty for a key's fingerprint, which names no place."""
    provider, _, region = key_print.partition("/")
    return region if provider == "aws" else ""


def _named(region: str) -> str:
    return f"Claude Platform on AWS in {region}" if region else "the API with its key"
