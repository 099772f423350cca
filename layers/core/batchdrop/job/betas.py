"""Read the betas of a job's recipe, without decoding the rest of its manifest."""

from __future__ import annotations

import msgspec

from batchdrop.job.layout import JobKeys
from batchdrop.ports import ObjectMissing, ObjectStore


class _Recipe(msgspec.Struct):
    betas: list[str] = []


class _Manifest(msgspec.Struct):
    recipe: _Recipe | None = None


_MANIFEST = msgspec.json.Decoder(_Manifest)


def betas_of(store: ObjectStore, job_id: str) -> tuple[str, ...]:
    """Return the betas that a job's recipe names; none without a recipe, and for a job that is not split."""
    try:
        manifest = _MANIFEST.decode(store.read(JobKeys(job_id).manifest))
    except ObjectMissing:
        return ()
    return () if manifest.recipe is None else tuple(manifest.recipe.betas)
