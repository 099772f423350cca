"""settle_submission: find out what became of a create whose answer was lost."""

from datetime import timedelta
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from batchdrop import bootstrap
from batchdrop.batch_lane.settle_submission import settle_submission
from batchdrop.job.shard_state import ShardState, as_state

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take a ShardState whose submission is uncertain. Return it with the verdict in `settled`.

    The last look raises SubmissionUnsettled if the verdict is still open.
    """
    state = msgspec.convert(event, ShardState)
    logger.append_keys(job_id=state.job_id, shard=state.shard, round=state.round)
    settled = settle_submission(
        state.job_id,
        state.shard,
        state.round,
        ledger=bootstrap.ledger(),
        api=bootstrap.batch_reader(),
        clock=bootstrap.clock(context),
        visible_after=timedelta(seconds=bootstrap.configuration().settle_seconds),
        is_last=state.is_last_look,
    )
    metrics.add_metric("UncertainSubmissions", MetricUnit.Count, 1 if state.looks == 0 else 0)
    seen = {"verdict": settled.verdict, "batch_id": settled.batch_id, "why": settled.why}
    logger.info("looked for a lost submission", looks=state.looks, **seen)
    looked = state.looked(settled.verdict, batch_id=settled.batch_id)
    return as_state(looked.leaving(bootstrap.clock(context).now()))
