"""Estimate a job whose rows share requests: the instruction once for each pack, and at worst every row alone, too."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec

from batchdrop.job.job_files import shape_of
from batchdrop.job.manifest import Manifest
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
    manifest.estimate = _packed(estimate, size, pack_frames(manifest))


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
    one, two = (request_size(packs.params([""] * rows, "estimate")).input_tokens for rows in (1, 2))
    return PackFrames(request_size(empty).input_tokens, 2 * one - two, two - one)


def _packed(estimate: Estimate, size: int, frames: PackFrames) -> Estimate:
    """Return the estimate with packs of this size."""
    parts = [_packed_part(part, size, frames) for part in estimate.parts]
    return msgspec.structs.replace(estimate, parts=parts, alone=estimate.parts)


def _packed_part(part: EstimatedRequests, size: int, frames: PackFrames) -> EstimatedRequests:
    packs = math.ceil(part.requests / size)
    own = max(0.0, part.input - part.requests * frames.alone)
    return msgspec.structs.replace(
        part,
        input=own + packs * frames.pack + part.requests * frames.fence,
        expected_output=part.expected_output + part.requests * A_ROW + packs,
        max_output=part.max_output + part.requests * A_ROW + packs * AROUND,
        most_tokens=size * (part.most_tokens + A_ROW) + AROUND,
    )
