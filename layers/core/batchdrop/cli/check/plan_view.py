"""Show how a job would go: with a pilot or a sample, in packs, with the prompt cache, with rows for another model."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from batchdrop.job.manifest import Manifest
from batchdrop.job.pack_sizes import sizes_of
from batchdrop.job.pilot import expects_pilot
from batchdrop.money.cost import shown_usd
from batchdrop.money.prices import effective
from batchdrop.split.job_estimate import estimated_usd


def plan_lines(manifest: Manifest) -> list[str]:
    """Return the lines about pilot, sample, packs, prompt cache and escalation; none where there is nothing to say."""
    lines = ["pilot        the first request goes alone, through the live lane"] if expects_pilot(manifest) else []
    lines += sample_lines(manifest)
    lines += packs_lines(manifest)
    plan = manifest.cache
    lines += [f"prompt cache {plan.sentence}"] if plan is not None and plan.is_notable else []
    return [*lines, *_escalation(manifest)]


def sample_lines(manifest: Manifest) -> list[str]:
    """Return the line about the sample: which rows go first, and what the others wait for."""
    sample = manifest.recipe.sampled if manifest.recipe else None
    if sample is None:
        return []
    rows = (
        f"{sample.rows:,} random rows of the whole file" if sample.random else f"the first {sample.rows:,} valid rows"
    )
    ceiling = sample.continue_under_usd
    unless = "" if ceiling is None else f", unless the whole file costs at most ${ceiling:g}"
    return [f"sample       {rows} go first; the others wait for `batchdrop approve`{unless}"]


def _escalation(manifest: Manifest) -> Iterator[str]:
    """Yield what the job is expected to cost in its lane, by the share of rows that another model answers again."""
    estimate = manifest.estimate
    costs = estimate.escalation_usd(manifest.lane, effective(manifest.prices)) if estimate else None
    if costs is not None:
        yield (
            f"escalation   to {costs.to}: {shown_usd(costs.none)} without it, {shown_usd(costs.expected)} with "
            f"{costs.share:.0%} of the rows (assumed), {shown_usd(costs.all)} with all of them"
        )


def packs_lines(manifest: Manifest) -> list[str]:
    """Return the line about packs: how many rows share a request, and what the same rows would cost alone."""
    if not manifest.is_packed or manifest.estimate is None or manifest.recipe is None:
        return []
    size = sizes_of(manifest)[-1]
    if size == 1:
        return ["packs        none: max_tokens is too large for an answer to two rows; lower it"]
    alone = msgspec.structs.replace(manifest.estimate, parts=manifest.estimate.alone, alone=[])
    usd = estimated_usd(alone, manifest.recipe, manifest.lane, effective(manifest.prices))
    would = f"; each row alone would cost {shown_usd(usd.expected)}" if usd else ""
    grouped, groups = manifest.recipe.grouped, manifest.grouping
    of = f" of one '{grouped.by}'" if grouped else ""
    found = f" ({groups.groups:,} groups, {groups.packs:,} requests)" if groups else ""
    rows = f"up to {size} rows{of} in a request{found}"
    return [f"packs        {rows}, as long as that pays{would}. 'high' sends each row twice"]
