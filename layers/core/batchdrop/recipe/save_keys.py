"""The recipe key `save`: search for a cheaper plan that keeps the quality."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from batchdrop.recipe.file_keys import Keys

LEAST_SAMPLE, MOST_SAMPLE = 100, 10_000  # ours: fewer rows prove little; more cost more than they can save


class Save(Keys, frozen=True, kw_only=True):
    """How well a cheaper plan must agree with the recipe's own model, and which models to try."""

    try_: Annotated[
        list[Annotated[str, Meta(min_length=1)]],
        Meta(
            min_length=1,
            description="The models to try in place of the recipe's own.",
            examples=[["claude-sonnet-5-5", "claude-haiku-5-5"]],
        ),
    ] = msgspec.field(name="try")
    keep: Annotated[
        float, Meta(ge=0.5, lt=1, description="On which share of the rows the answers must agree, at least.")
    ] = 0.98
    confidence: Annotated[
        float,
        Meta(ge=0.8, le=0.999, description="How sure that must be, whatever the number of models that are tried."),
    ] = 0.95
    sample: Annotated[
        Annotated[int, Meta(ge=LEAST_SAMPLE, le=MOST_SAMPLE)] | None,
        Meta(description="How many random rows are compared; by default 1,000, and 3,000 from 300,000 rows."),
    ] = None
    continue_under_usd: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(description="Answer the whole file without approval if that costs at most this many dollars."),
    ] = None
