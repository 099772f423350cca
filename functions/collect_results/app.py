"""collect_results: an ended Message Batch becomes one shard's part of the output."""

from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchdrop import bootstrap
from batchdrop.domain.shard_state import ShardState, as_state
from batchdrop.usecases.collect_results import collect_results

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Take a ShardState whose Message Batch ended; return it unchanged once the part is written."""
    state = msgspec.convert(event, ShardState)
    logger.append_keys(job_id=state.job_id, shard=state.shard, round=state.round)
    tally = collect_results(
        state.job_id,
        state.shard,
        state.round,
        state.batch_id,
        store=bootstrap.object_store(),
        api=bootstrap.batch_api(),
        format_for=bootstrap.format_for,
    )
    metrics.add_metric("RowsAnswered", MetricUnit.Count, tally.answered)
    metrics.add_metric("RowsFailed", MetricUnit.Count, tally.failed)
    logger.info("shard collected", batch_id=state.batch_id, answered=tally.answered, failed=tally.failed)
    return as_state(state)
