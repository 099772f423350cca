"""Which answers a job may remember, and which of its own it gives to the answer store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from batchdrop.answer_store.job_view import JobView, fixed_view
from batchdrop.answer_store.ports import AnswerStore
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest
from batchdrop.job.upload import parse_inbox_key
from batchdrop.ports import ObjectStore

AnswersOf = Callable[[], AnswerStore]  # opens the store; a job without `remember` never calls it

_ENCODER = msgspec.json.Encoder(order="sorted")


def remembers(manifest: Manifest) -> bool:
    """Return whether the recipe keeps answers."""
    return manifest.recipe is not None and manifest.recipe.remember is not None


def store_of(manifest: Manifest) -> str:
    """Return the name of the recipe's store."""
    return parse_inbox_key(manifest.upload.key).recipe


def job_view(manifest: Manifest, store: ObjectStore, answers: AnswerStore) -> JobView:
    """Return the job's view of the store; the first call fixes it."""
    key = JobKeys(manifest.upload.job_id).answer_store
    return fixed_view(store, key, answers, recipe=store_of(manifest), since=oldest(manifest))


def oldest(manifest: Manifest) -> int:
    """Return the time before which an answer is too old for the job, in Unix seconds."""
    kept = manifest.recipe.remembered_for if manifest.recipe else None
    assert kept is not None, "only a recipe with `remember` looks answers up"
    return max(0, int((manifest.upload.uploaded_at - kept).timestamp()))


def policy_of(manifest: Manifest) -> bytes:
    """Return what decides, beside a request's `params`, which answer to it counts.

    Betas are headers. `escalate` and `answer` hold rules that the API never sees.
    """
    recipe = manifest.recipe
    assert recipe is not None, "ready-made requests have no recipe"
    rules = {
        "answer": recipe.answer,
        "betas": recipe.betas,
        "escalate": recipe.escalate,
        "schema": manifest.schema,
    }
    return _ENCODER.encode(rules)


def recipe_digest(manifest: Manifest) -> str:
    """Return the name of the recipe's version."""
    text = _ENCODER.encode([manifest.recipe, manifest.schema])
    return blake2b(text, digest_size=6).hexdigest()


def subject_of(cells: Mapping[str, Any] | None, column: str) -> str:
    """Return the text of a row's `subject`; empty if the row has none. Numbers are written as in the file."""
    value = (cells or {}).get(column)
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def run_name(part_key: Callable[[str], str]) -> str:
    """Return the name of a shard's run. A part and its run are made from the same lines, so they share a name."""
    return part_key("run").removeprefix("jobs/").replace("/parts/", "-")
