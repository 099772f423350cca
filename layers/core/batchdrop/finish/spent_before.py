"""What had a job spent when it was closed before? Only a resumed or redriven job, or a repeated closing, has."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from batchdrop.answers.tokens import Tokens
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.upload import results_prefix
from batchdrop.ports import ObjectMissing, ObjectStore
from batchdrop.report.job_figures import NOTHING, Spent, spent_in


class _Cost(msgspec.Struct):
    usd: Decimal | None = None


class _Closed(msgspec.Struct):
    tokens: list[Tokens]
    cost: _Cost


def spent_before(upload: UploadRecord, *, store: ObjectStore) -> Spent:
    """Read the summary that stands in the results now; call it before the job is closed.

    Where there is none, or an older release's that says it otherwise, nothing was counted yet.
    """
    try:
        summary = msgspec.json.decode(
            store.read(f"{results_prefix(upload.key, upload.job_id)}summary.json"), type=_Closed
        )
    except (ObjectMissing, msgspec.DecodeError):
        return NOTHING
    return spent_in(summary.tokens, summary.cost.usd)
