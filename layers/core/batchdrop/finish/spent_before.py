"""Read what a job had spent when it was last closed. Only a job that is closed again, or a retry, has a value."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from batchdrop.answers.tokens import Tokens
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.upload import results_prefix
from batchdrop.job.versions import version_of, with_version
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
    for number in range(version_of(upload.job_id), 0, -1):
        version = with_version(upload.job_id, number)  # a version's summary has the bill of those before it, too
        try:
            summary = msgspec.json.decode(
                store.read(f"{results_prefix(upload.key, version)}summary.json"), type=_Closed
            )
        except ObjectMissing:
            continue
        except msgspec.DecodeError:
            return NOTHING
        return spent_in(summary.tokens, summary.cost.usd)
    return NOTHING
