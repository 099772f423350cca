"""The files in the inbox. They have all rows, so only the user may say that a whole file goes for one row's sake."""

from __future__ import annotations

from batchdrop.cli.forget.jobs import MadeJob
from batchdrop.cli.forget.outputs import NotByRows, matching_rows
from batchdrop.cli.forget.removed import Forgetting
from batchdrop.cli.forget.wanted import Wanted
from batchdrop.ports import Eraser, ObjectStore
from batchdrop.recipe.recipe import Input


class Uploads:
    """The files of one recipe. `takes`: files that also have other rows are removed, too.

    `is_busy`: a job of the recipe runs, and may read any of its files, also an old version.
    """

    def __init__(
        self, store: ObjectStore, eraser: Eraser, report: Forgetting, *, takes: bool, is_busy: bool = False
    ) -> None:
        self._store, self._eraser, self._report = store, eraser, report
        self._takes, self._is_busy = takes, is_busy

    def remove(self, wanted: Wanted, jobs: list[MadeJob]) -> None:
        """Remove the files that have what is wanted, or report them. `jobs` are those that have ended."""
        own = [job for job in jobs if job.first in wanted.jobs and job.job_id == job.first and job.upload]
        match wanted.kind:
            case "file":
                for job in own:
                    self._erase(job.upload, job.version)
            case "rows":
                for job in own:
                    if self._store.exists(job.upload):
                        self._take(job.upload, job.version)
            case "recipe" | "subject":
                self._remove_by_content(wanted, jobs)

    def _remove_by_content(self, wanted: Wanted, jobs: list[MadeJob]) -> None:
        recipes = [job.manifest.recipe for job in jobs if job.manifest and job.manifest.recipe]
        options = recipes[-1].input if recipes else Input()
        prefix = f"inbox/{wanted.recipe}/"
        keys = [key for key in self._store.keys(prefix) if "/" not in key.removeprefix(prefix)]  # else another recipe's
        for key in keys:
            if wanted.is_whole:
                self._erase_unless_busy(key)
                continue
            try:
                has_some = matching_rows(self._store, key, wanted, options) > 0
            except NotByRows:
                has_some = True
            if has_some and self._takes:
                self._erase_unless_busy(key)
            elif has_some:
                self._take(key)
            elif self._takes and not self._is_busy and not self._report.is_dry:
                self._eraser.erase_old(key)  # an earlier file of this name may have had some

    def _take(self, key: str, version: str = "") -> None:
        if self._takes:
            self._erase(key, version)
            return
        self._report.left.append(
            f"{key}: the dropped file has such rows. Remove them where it comes from; add --uploads to delete the file"
        )

    def _erase_unless_busy(self, key: str) -> None:
        if self._is_busy:
            self._report.left.append(f"{key}: a job that runs may read it. Wait for its end, or cancel it")
        else:
            self._erase(key)

    def _erase(self, key: str, version: str = "") -> None:
        is_dry = self._report.is_dry
        if self._store.exists(key) if is_dry else self._eraser.erase_key(key, version):
            self._report.add(key, "the dropped file", objects=1)
