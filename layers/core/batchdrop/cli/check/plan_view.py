"""Show how a job would go: with a pilot, with or without the prompt cache, with rows for another model."""

from __future__ import annotations

from collections.abc import Iterator

from batchdrop.job.manifest import Manifest
from batchdrop.job.pilot import expects_pilot
from batchdrop.money.cost import shown_usd
from batchdrop.money.prices import effective


def plan_lines(manifest: Manifest) -> list[str]:
    """Return the lines about the pilot, the prompt cache and escalation; none where there is nothing to say."""
    lines = ["pilot        the first request goes alone, through the live lane"] if expects_pilot(manifest) else []
    plan = manifest.cache
    lines += [f"prompt cache {plan.sentence}"] if plan is not None and plan.is_notable else []
    return [*lines, *_escalation(manifest)]


def _escalation(manifest: Manifest) -> Iterator[str]:
    """Yield what the job is expected to cost in its lane, by the share of rows that another model answers again."""
    estimate = manifest.estimate
    costs = estimate.escalation_usd(manifest.lane, effective(manifest.prices)) if estimate else None
    if costs is not None:
        yield (
            f"escalation   to {costs.to}: {shown_usd(costs.none)} without it, {shown_usd(costs.expected)} with "
            f"{costs.share:.0%} of the rows (assumed), {shown_usd(costs.all)} with all of them"
        )
