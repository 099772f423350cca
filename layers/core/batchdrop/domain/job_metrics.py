"""What a closed job tells CloudWatch of its money: names and values, summed up over jobs there."""

from __future__ import annotations

from batchdrop.domain.summary import Summary


def cost_metrics(summary: Summary) -> dict[str, float]:
    """Return a job's dollars and tokens; what nobody knows is left out, and a job without a price is counted."""
    metrics: dict[str, float] = {
        "InputTokens": sum(lane.input for lane in summary.lanes),
        "OutputTokens": sum(lane.output for lane in summary.lanes),
        "CacheWriteTokens": sum(lane.cache_writes for lane in summary.lanes),
        "CacheReadTokens": sum(lane.cache_reads for lane in summary.lanes),
        "JobsUnpriced": int(summary.cost.usd is None),
    }
    if summary.cost.usd is not None:
        metrics["DollarsSpent"] = float(summary.cost.usd)
    if summary.estimate is not None and summary.estimate.usd is not None:
        metrics["DollarsEstimated"] = float(summary.estimate.usd.expected)
    return metrics
