"""check_pilot: read the pilot's answer, and decide which shards are sent next."""

from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchdrop import bootstrap
from batchdrop.finish.check_pilot import check_pilot
from batchdrop.job.manifest import UploadRecord

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take `{"upload", "split"}`. Return `split` with the next list of shards, and whether it is sent (`rest`)."""
    upload = msgspec.convert(event["upload"], UploadRecord)
    logger.append_keys(job_id=upload.job_id)
    split = event["split"]
    checked = check_pilot(
        upload,
        split["asks"],
        store=bootstrap.object_store(),
        ledger=bootstrap.ledger(),
        states=bootstrap.shared_states(),
        clock=bootstrap.clock(context),
        is_first=not upload.resumes and not split["redrives"],
    )
    metrics.add_metric("PilotsRefused", MetricUnit.Count, checked.rest == "leave")
    logger.info("pilot checked", rest=checked.rest, asks=checked.asks, reason=checked.reason)
    return {**split, "rest": checked.rest, "asks": checked.asks, "leave_at": checked.leave_at}
