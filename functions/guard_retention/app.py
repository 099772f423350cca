"""guard_retention: once a day, look for paid answers that nobody has collected."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchdrop import bootstrap
from batchdrop.job.guard_retention import guard_retention

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - the schedule sends nothing
    """Log each endangered submission, and count them in the metric that the alarm watches."""
    uncollected = guard_retention(ledger=bootstrap.ledger(), clock=bootstrap.clock(context))
    metrics.add_metric("EndangeredResults", MetricUnit.Count, len(uncollected.endangered))
    metrics.add_metric("OldestUncollectedDays", MetricUnit.NoUnit, uncollected.oldest_days)
    for one in uncollected.endangered:
        logger.warning(
            "results not collected",
            job_id=one.submission.job_id,
            shard=one.submission.shard,
            batch_id=one.submission.batch_id,
            days_left=round(one.days_left, 1),
        )
    return {"endangered": len(uncollected.endangered)}
