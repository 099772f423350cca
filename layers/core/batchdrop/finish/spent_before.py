"""Read what a job had spent when it was last closed. Only a resumed, redriven or repeatedly closed job has a value."""

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
    """Return the spending in the current summary. Call it before the job is closed again.

    Returns NOTHING if there is no summary, or one of an older release in another form.
    """
    try:
        summary = msgspec.json.decode(
            store.read(f"{results_prefix(upload.key, upload.job_id)}summary.json"), type=_Closed
        )
    except (ObjectMissing, msgspec.DecodeError):
        return NOTHING
    return spent_in(summary.tokens, summary.cost.usd)
