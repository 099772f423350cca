"""Remove rows, or all, from the outputs of one job."""

from __future__ import annotations

from contextlib import closing

from batchdrop.cli.forget.cuts import Cut, rewritten
from batchdrop.cli.forget.jobs import MadeJob
from batchdrop.cli.forget.outputs import LISTS, NotByRows, cuts
from batchdrop.cli.forget.removed import Forgetting
from batchdrop.cli.forget.wanted import Wanted
from batchdrop.ports import Eraser, ObjectStore
from batchdrop.recipe.recipe import Input

KEPT = "summary.json"  # counts and dollars, without rows


class JobOutputs:
    """The files below one job's `results` prefix."""

    def __init__(self, store: ObjectStore, eraser: Eraser, report: Forgetting, job: MadeJob) -> None:
        self._store, self._eraser, self._report, self._job = store, eraser, report, job

    def remove_all(self) -> int:
        """Erase all outputs; return the number of files."""
        prefix = self._job.results
        objects = sum(1 for _ in self._store.keys(prefix)) if prefix else 0
        if prefix and not self._report.is_dry:
            objects = self._eraser.erase(prefix)
        if objects:
            self._report.add(prefix, "all outputs", objects=objects)
        return objects

    def remove(self, wanted: Wanted) -> int:
        """Empty the wanted rows; return how many files change. A job without such a row keeps all its files."""
        prefix = self._job.results
        keys = [*self._store.keys(prefix)] if prefix else []
        changes = {key: self._cuts(key, wanted) for key in keys if self._has_rows(key)}
        if not (self._job.found.rows or any(change is None or change for change in changes.values())):
            return 0
        changed = sum(self._change(key, changes[key]) for key in changes)
        others = [key for key in keys if key not in changes and key != f"{prefix}{KEPT}"]
        for key in others if changed or self._job.found.rows else ():
            changed += self._erase(key, "the whole file: it quotes rows")  # a report, a sample, raw answers
        if prefix and not self._report.is_dry:
            self._eraser.erase_old(prefix)
        return changed

    def _has_rows(self, key: str) -> bool:
        name = key.removeprefix(self._job.results)
        return name in LISTS or name.startswith("output.")

    def _cuts(self, key: str, wanted: Wanted) -> list[Cut] | None:
        """Return how a file changes; None if all of it goes."""
        manifest = self._job.manifest
        options = manifest.recipe.input if manifest and manifest.recipe else Input()
        try:
            return cuts(self._store, key, wanted, Input() if options == "files" else options)
        except NotByRows:
            # The job's files show that it has no such row. Those of a retry do not: they have the retried rows only.
            has_none = manifest is not None and not self._job.found.rows and self._job.job_id == self._job.first
            return [] if has_none else None

    def _erase(self, key: str, what: str) -> int:
        self._report.add(key, what, objects=1)
        if not self._report.is_dry:
            self._eraser.erase_key(key)
        return 1

    def _change(self, key: str, change: list[Cut] | None) -> int:
        if change == []:
            return 0
        if change is None:
            return self._erase(key, "the whole file: its rows cannot be removed one by one")
        self._report.add(key, "1 row" if len(change) == 1 else f"{len(change):,} rows", rows=len(change))
        if not self._report.is_dry:
            with closing(self._store.stream(key)) as blocks, self._store.writer(key) as file:
                for piece in rewritten(blocks, change):
                    file.write(piece)
        return 1
