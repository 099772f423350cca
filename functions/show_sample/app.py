"""show_sample: write the sample's answers and the projected cost, and decide whether the rest is sent."""

from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchdrop import bootstrap
from batchdrop.finish.show_sample import ShowingParts, show_sample
from batchdrop.job.job_event import job_awaits_approval
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.sample import SampleReport
from batchdrop.job.tell_job_state import tell_job_state

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take `{"upload", "split"}`. Return `split` with the decision on the rest, and with all shards if it is sent.

    `split.lapsed` is set when nobody approved the sample in time.
    """
    upload = msgspec.convert(event["upload"], UploadRecord)
    logger.append_keys(job_id=upload.job_id)
    parts = ShowingParts(
        store=bootstrap.object_store(),
        ledger=bootstrap.ledger(),
        approvals=bootstrap.approvals(),
        clock=bootstrap.clock(context),
        formats=bootstrap.formats(),
    )
    split = dict(event["split"])
    shown = show_sample(upload, parts, time_is_over=split.pop("lapsed", None) is not None)
    metrics.add_metric("SamplesShown", MetricUnit.Count, 1)
    logger.info("sample shown", rest=shown.rest, reason=shown.reason)
    if shown.rest == "wait" and shown.report:
        _tell(upload, shown.report)
    goes_on = {"asks": "shards", "deadline": shown.deadline, "leave_at": 0} if shown.rest == "ask" else {}
    return {**split, **goes_on, "rest": shown.rest}


def _tell(upload: UploadRecord, report: SampleReport) -> None:
    """Publish that the job waits for its approval. It also waits if that fails."""
    event = job_awaits_approval(upload, report, stack=bootstrap.configuration().stack)
    untold = tell_job_state(event, events=bootstrap.job_events())
    metrics.add_metric("JobEventsLost", MetricUnit.Count, bool(untold))
    if untold:
        logger.error("job event lost", state=event.state, why=untold)
