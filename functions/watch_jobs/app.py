"""watch_jobs: every hour, count the open jobs and measure the age of the oldest."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchdrop import bootstrap
from batchdrop.job.watch_jobs import watch_jobs

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - the schedule sends nothing
    """Emit the number of open jobs and the hours of the oldest, for the alarm and the dashboard."""
    seen = watch_jobs(jobs=bootstrap.open_jobs(), clock=bootstrap.clock(context))
    metrics.add_metric("OpenJobs", MetricUnit.Count, seen.count)
    metrics.add_metric("OldestJobHours", MetricUnit.NoUnit, seen.oldest_hours)
    logger.info("jobs watched", open=seen.count, oldest_hours=round(seen.oldest_hours, 1))
    return {"open": seen.count, "oldest_hours": seen.oldest_hours}
