"""Publish what a closed job gives to the answer store."""

from __future__ import annotations

from collections.abc import Sequence

from batchdrop.errors import AnswerStoreDamaged, LedgerContended
from batchdrop.job.manifest import Manifest
from batchdrop.job.remembering import AnswersOf, oldest, store_of


def publish_runs(manifest: Manifest, runs: Sequence[str], answers: AnswersOf | None) -> list[str]:
    """Publish a job's runs, and merge the store's if there are many. Return notes for the summary.

    The answers are paid, and the outputs are written. So a store that is damaged or busy costs a note, not the job.
    """
    if answers is None or not runs:
        return []
    store, recipe = answers(), store_of(manifest)
    try:
        store.publish(recipe, runs)
        store.compact(recipe, since=oldest(manifest))
    except (AnswerStoreDamaged, LedgerContended) as error:
        return [f"the job's answers may not be remembered: {error}"]
    return []
