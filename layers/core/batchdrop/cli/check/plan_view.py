"""Show how a job would begin: with a pilot, and with or without the prompt cache."""

from __future__ import annotations

from batchdrop.job.manifest import Manifest
from batchdrop.job.pilot import expects_pilot


def plan_lines(manifest: Manifest) -> list[str]:
    """Return the lines about the pilot and the prompt cache; none where there is nothing to say."""
    lines = ["pilot        the first request goes alone, through the live lane"] if expects_pilot(manifest) else []
    plan = manifest.cache
    return [*lines, f"prompt cache {plan.sentence}"] if plan is not None and plan.is_notable else lines
