"""Compute what a job's packs saved, compared with the same rows as requests of their own."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType

from batchdrop.answers.tokens import Tokens
from batchdrop.job.manifest import Manifest
from batchdrop.job.pack_sizes import sizes_of
from batchdrop.money.cost import dollars
from batchdrop.money.estimate import Estimate
from batchdrop.money.prices import effective
from batchdrop.report.pack_block import PackBlock, pack_block
from batchdrop.report.packs import PackCounts
from batchdrop.report.tally import Tally
from batchdrop.requests.pack_limits import A_ROW
from batchdrop.split.pack_estimate import pack_frames


def packs_of(manifest: Manifest | None, tally: Tally) -> PackBlock | UnsetType:
    """Return the summary's block about packs; UNSET in a job without packs."""
    if manifest is None or not manifest.is_packed or not isinstance(tally.packs, PackCounts):
        return UNSET
    saved = _saved(manifest, tally.packs)
    return pack_block(tally.packs, size=sizes_of(manifest)[-1], requests=manifest.requests, saved_usd=saved)


def _saved(manifest: Manifest, counts: PackCounts) -> Decimal | None:
    """Return the instructions and shared texts that were not sent, less numbers and rows that were sent again."""
    recipe, estimate, prices = manifest.recipe, manifest.estimate, effective(manifest.prices)
    if recipe is None or estimate is None:
        return None
    frames, rows = pack_frames(manifest), counts.rows
    alone = Tokens(recipe.model, lane=manifest.lane, input=round(rows * frames.alone))
    packed = round(counts.packs * frames.pack + rows * frames.fence - _repeated(manifest, counts))
    packs = Tokens(recipe.model, lane=manifest.lane, input=packed, output=rows * A_ROW)
    each = msgspec.structs.replace(Estimate(), parts=estimate.alone or estimate.parts)
    again = each.usd(manifest.lane, prices)
    before, after = dollars([alone], prices), dollars([packs], prices)
    if before is None or after is None or again is None:
        return None
    saved = before - after - again.expected * counts.rows_again / max(1, each.requests)
    return saved.quantize(Decimal("0.000001"))


def _repeated(manifest: Manifest, counts: PackCounts) -> float:
    """Return the tokens of shared texts that packs did not send for each row: the average of all rows' texts."""
    groups = manifest.grouping
    return 0.0 if groups is None else (counts.rows - counts.packs) * groups.shared_tokens / max(1, manifest.requests)
