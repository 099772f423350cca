"""Choose the lane: Message Batches at half the price, or the Messages API within seconds."""

from __future__ import annotations

from datetime import datetime

from batchdrop.recipe.duration import duration_named
from batchdrop.recipe.lane import Lane, too_long_for_live
from batchdrop.recipe.recipe import Recipe


def lane_of_job(recipe: Recipe | None, *, requests: int, live_rows: int, longest: int = 0) -> Lane:
    """Return the lane of a job's first round; `live_rows` is the stack's own limit for `lane: auto`.

    `longest` is the largest `max_tokens` of rows that have their own.
    """
    if recipe is None or recipe.lane == "batch":
        return "batch"
    return (
        "live" if recipe.lane == "live" or is_small(recipe, requests, live_rows=live_rows, longest=longest) else "batch"
    )


def is_small(recipe: Recipe, requests: int, *, live_rows: int, longest: int) -> bool:
    """Return whether `lane: auto` sends so many requests live. It never does if their answers may take too long."""
    most = live_rows if recipe.live_rows is None else recipe.live_rows
    return requests <= most and not too_long_for_live(recipe.own_tokens or longest)


def lane_of_leftovers(
    recipe: Recipe | None, *, lane: Lane, leftovers: int, live_rows: int, is_late: bool, has_new: bool = False
) -> Lane:
    """Return the lane of a round's leftovers.

    `is_late`: the job's `finish_within` is over. `has_new`: rows that were never sent wait for a wave; those are not
    counted as leftovers.
    """
    if lane == "live" or is_late:
        return "live"
    if recipe is None or recipe.on_leftovers == "batch" or has_new:
        return "batch"
    most = live_rows if recipe.live_rows is None else recipe.live_rows
    return "live" if leftovers <= most else "batch"


def deadline_of(recipe: Recipe | None, uploaded_at: datetime) -> int:
    """Return the Unix time at which open Message Batches are canceled for the live lane; 0 for never."""
    if recipe is None or recipe.finish_within is None:
        return 0
    return int((uploaded_at + duration_named(recipe.finish_within)).timestamp())
