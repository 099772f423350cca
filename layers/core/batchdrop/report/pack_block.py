"""The summary's `packs`: how many packs were sent, which rows were sent again and why, and what packing saved."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from batchdrop.report.packs import PackCounts


class PackBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Packs in `summary.json`.

    `rows_in_a_pack` is the most that the recipe allows. `decision` is `packed`, `stopped` (after the first packs, the
    other rows were sent alone) or `off`, with its `reason`. `packs` counts the answered ones, `rows` the rows in them,
    `rows_again` those that were to be sent alone, by the reason. `saved_usd` is the estimated cost of these rows alone,
    less what they cost; null if a price is not known.
    """

    rows_in_a_pack: int
    decision: Literal["packed", "stopped", "off"]
    reason: str
    packs: int
    rows: int
    rows_again: dict[str, int]
    saved_usd: Decimal | None


def pack_block(counts: PackCounts, *, size: int, requests: int, saved_usd: Decimal | None) -> PackBlock:
    """Return the block of a job whose rows have so many requests of their own."""
    again = counts.rows_again
    decision: Literal["packed", "stopped", "off"] = "packed"
    reason = f"{counts.rows:,} rows shared {counts.packs:,} requests; {again:,} of them had to be sent again, alone"
    if not counts.packs:
        decision, reason = "off", "packs would save nothing here, or none was answered, so rows were sent alone"
    elif 2 * counts.rows < requests:
        decision, reason = "stopped", f"{reason}. Packs did not pay on this file, so most rows were sent alone"
    return PackBlock(
        rows_in_a_pack=size,
        decision=decision,
        reason=reason,
        packs=counts.packs,
        rows=counts.rows,
        rows_again=counts.again,
        saved_usd=saved_usd if counts.packs else Decimal(0),
    )
