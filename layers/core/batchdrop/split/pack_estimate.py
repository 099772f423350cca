"""Estimate a job whose rows share requests: the instruction once for each pack, and at worst every row alone, too."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec

from batchdrop.job.job_files import shape_of
from batchdrop.job.manifest import Grouping, Manifest
from batchdrop.job.pack_sizes import sizes_of
from batchdrop.job.upload import parse_inbox_key
from batchdrop.money.estimate import Estimate, EstimatedRequests
from batchdrop.money.prompt_tokens import request_size
from batchdrop.requests.pack_limits import A_ROW, AROUND
from batchdrop.requests.pack_request import PackRequests
from batchdrop.requests.request import RecipeRequests


def note_packs(manifest: Manifest) -> None:
    """Price the packs in the manifest's estimate, which counts each row as a request of its own. Call it once."""
    estimate, recipe = manifest.estimate, manifest.recipe
    if estimate is None or recipe is None or not manifest.is_packed:
        return
    size = sizes_of(manifest)[-1]
    if size == 1:
        return
    manifest.estimate = _packed(estimate, size, pack_frames(manifest), manifest.grouping)


class PackFrames(NamedTuple):
    """Tokens of a prompt beside its rows' texts: of a row `alone`, of a pack, and of the `fence` of each row in it."""

    alone: float
    pack: float
    fence: float


def pack_frames(manifest: Manifest) -> PackFrames:
    """Return the frames of a job with packs."""
    recipe = manifest.recipe
    assert recipe is not None, "only a recipe has packs"
    shape, name = shape_of(manifest), parse_inbox_key(manifest.upload.key).recipe_key
    empty = RecipeRequests(recipe, shape, name=name).empty or b""
    packs = PackRequests(recipe, shape, name=name, secret=manifest.upload.job_id.encode())
    shared = " " if manifest.is_grouped else ""
    sizes = (request_size(packs.params([""] * rows, "estimate", shared=shared)) for rows in (1, 2))
    one, two = (size.input_tokens for size in sizes)
    return PackFrames(request_size(empty).input_tokens, 2 * one - two, two - one)


def _packed(estimate: Estimate, size: int, frames: PackFrames, groups: Grouping | None) -> Estimate:
    """Return the estimate with packs of this size, or with those that the groups make."""
    parts = [_packed_part(part, size, frames, _share(groups, part, estimate)) for part in estimate.parts]
    return msgspec.structs.replace(estimate, parts=parts, alone=estimate.parts)


def _share(groups: Grouping | None, part: EstimatedRequests, estimate: Estimate) -> Grouping | None:
    """Return the packs of some requests and their repeated tokens, as a share of all; None without groups."""
    if groups is None:
        return None
    share = part.requests / max(1, estimate.requests)
    return Grouping(packs=math.ceil(groups.packs * share), repeated_tokens=groups.repeated_tokens * share)


def _packed_part(part: EstimatedRequests, size: int, frames: PackFrames, groups: Grouping | None) -> EstimatedRequests:
    packs = math.ceil(part.requests / size) if groups is None else groups.packs
    repeated = 0.0 if groups is None else groups.repeated_tokens
    own = max(0.0, part.input - part.requests * frames.alone - repeated)
    return msgspec.structs.replace(
        part,
        input=own + packs * frames.pack + part.requests * frames.fence,
        expected_output=part.expected_output + part.requests * A_ROW + packs,
        max_output=part.max_output + part.requests * A_ROW + packs * AROUND,
        most_tokens=size * (part.most_tokens + A_ROW) + AROUND,
    )
