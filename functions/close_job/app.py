"""close_job: the end of every job, good or bad."""

from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchdrop import bootstrap
from batchdrop.domain.manifest import UploadRecord
from batchdrop.domain.summary import fault_of
from batchdrop.usecases.close_job import close_job

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take `{"upload": UploadRecord, "fault": {"Error", "Cause"}?}`; return how the job ended, for the last Choice."""
    upload = msgspec.convert(event["upload"], UploadRecord)
    logger.append_keys(job_id=upload.job_id)
    caught = event.get("fault")
    summary = close_job(
        upload,
        fault_of(caught["Error"], caught.get("Cause", "")) if caught else None,
        store=bootstrap.object_store(),
        ledger=bootstrap.ledger(),
        clock=bootstrap.clock(context),
        format_for=bootstrap.format_for,
    )
    metrics.add_metric("JobsSucceeded" if summary.status == "succeeded" else "JobsFailed", MetricUnit.Count, 1)
    logger.info("job closed", status=summary.status, answered=summary.tally.answered, failed=summary.tally.failed)
    first = summary.faults[0] if summary.faults else None
    return {
        "status": summary.status,
        "results": summary.results,
        "error": first.type if first else "",
        "cause": f"{first.message} ({len(summary.faults)} in all; see {summary.results}summary.json)" if first else "",
    }
