"""plan_slices: one round of a shard is cut into slices for the live lane."""

from dataclasses import asdict
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchdrop import bootstrap
from batchdrop.domain.shard_state import ShardState, as_state
from batchdrop.usecases.plan_slices import plan_slices

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Take a ShardState of the live lane; return it with the round's slices."""
    state = msgspec.convert(event, ShardState)
    logger.append_keys(job_id=state.job_id, shard=state.shard, round=state.round)
    plans = plan_slices(
        state.job_id, state.shard, state.round, store=bootstrap.object_store(), ledger=bootstrap.ledger()
    )
    metrics.add_metric("RequestsSliced", MetricUnit.Count, sum(plan.requests for plan in plans))
    logger.info("round sliced", slices=len(plans))
    return as_state(state.sliced([asdict(plan) for plan in plans]))
