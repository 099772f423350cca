"""The keys of `pack` as a mapping: rows about the same long text share a request."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from batchdrop.recipe.file_keys import Keys

MAX_PACK = 100  # ours: larger packs save hardly more, and lose more rows when one of them is cut

PackRows = Annotated[int, Meta(ge=2, le=MAX_PACK)] | Literal["auto"]


class GroupedPack(Keys, frozen=True, kw_only=True):
    """Rows that share a request because they are about the same text, which is sent once."""

    rows: Annotated[PackRows, Meta(description="How many rows share one request at most; 'auto': what pays.")]
    by: Annotated[
        str,
        Meta(description="The column whose value a group's rows share, wherever they stand.", examples=["contract_id"]),
    ]
    shared: Annotated[
        str,
        Meta(
            description="The text that a group's rows share: a template. It is sent once a request, before the rows.",
            examples=["{{ contract }}"],
        ),
    ]
