"""await_approval: keep the token of a task that waits for the approval of its job's sample."""

from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchdrop import bootstrap
from batchdrop.job.await_approval import await_approval
from batchdrop.job.manifest import UploadRecord

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take `{"upload", "task_token"}`. An approval or a cancel of the job ends the task later."""
    upload = msgspec.convert(event["upload"], UploadRecord)
    logger.append_keys(job_id=upload.job_id)
    is_woken = await_approval(
        upload.job_id,
        event["task_token"],
        approvals=bootstrap.approvals(),
        ledger=bootstrap.ledger(),
        tokens=bootstrap.task_tokens(),
        clock=bootstrap.clock(context),
    )
    metrics.add_metric("ApprovalsAwaited", MetricUnit.Count, 0 if is_woken else 1)
    logger.info("approval awaited", is_woken=is_woken)
    return {"is_woken": is_woken}
