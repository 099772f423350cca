"""Forget in a bucket. Each step can be repeated, so a command that was stopped is simply run again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from batchdrop.answer_store.bucket_store import BucketAnswerStore, head_key
from batchdrop.answer_store.forgotten import Forgotten, Tombstone
from batchdrop.cli.forget.job_outputs import JobOutputs
from batchdrop.cli.forget.job_rows import FoundRows, found_rows
from batchdrop.cli.forget.jobs import MadeJob, made_jobs
from batchdrop.cli.forget.pins import clear_pins
from batchdrop.cli.forget.purge import Purge
from batchdrop.cli.forget.removed import Forgetting
from batchdrop.cli.forget.uploads import Uploads
from batchdrop.cli.forget.wanted import SKEW, Wanted
from batchdrop.job.versions import first_version
from batchdrop.ports import Eraser, ObjectStore

NO_TIME = 2**32 - 1  # of runs that an older version published


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket. `running` returns the recipes of the jobs that run now, by the jobs' ids.

    `remembers`: the recipe keeps answers now, so a job may begin its store at any moment. `is_open` returns whether an
    ended job has answers at the API that nobody has collected: they are paid.
    """

    store: ObjectStore
    eraser: Eraser
    running: Callable[[], Mapping[str, str]] = dict
    remembers: bool = False
    is_open: Callable[[str], bool] = lambda _: False


@dataclass(frozen=True, slots=True)
class Way:
    """How to forget. `now` is in Unix seconds. `is_dry`: change nothing, and only report.

    `takes_uploads`: also the files in the inbox that have other rows, too.
    """

    now: int
    is_dry: bool = True
    takes_uploads: bool = False


class ForgetInBucket:
    """One forget."""

    def __init__(self, bucket: Bucket, wanted: Wanted, way: Way) -> None:
        self._bucket, self._store, self._eraser = bucket, bucket.store, bucket.eraser
        self._wanted, self._way = wanted, way
        self._answers = BucketAnswerStore(self._store)
        self._report = Forgetting(str(wanted), is_dry=way.is_dry)
        self._keys: set[bytes] = set()
        self._times: set[int] = set()

    def run(self) -> Forgetting:
        """Set the tombstone first, then remove. Raises NotErased, AnswerStoreDamaged."""
        wanted, report = self._wanted, self._report
        self._set_tombstone()  # a subject and a recipe need no look at the jobs: they are forgotten from here on
        running = {job for job, recipe in self._bucket.running().items() if recipe == wanted.recipe}
        open_ones = {first_version(job) for job in running}  # a running version needs the files of its first one
        jobs = made_jobs(self._store, wanted.recipe)
        for job in jobs:
            if not wanted.jobs or job.first in wanted.jobs:
                self._note(job)
        self._set_tombstone()
        for job in jobs:
            is_meant = not wanted.jobs or job.first in wanted.jobs
            if job.first in open_ones or (is_meant and self._remove(job)):
                continue
            if job.has_files:
                clear_pins(self._store, self._eraser, job, self._forgotten(), report)
        for job_id in sorted(job for job in running if not wanted.jobs or first_version(job) in wanted.jobs):
            report.left.append(f"job {job_id} runs, and may hold it. Wait for its end, or cancel it")
        uploads = Uploads(self._store, self._eraser, report, takes=self._way.takes_uploads, is_busy=bool(running))
        uploads.remove(wanted, [job for job in jobs if job.first not in open_ones])
        self._purge()
        if wanted.kind == "recipe" and not running and not self._way.is_dry:
            self._eraser.erase_key(head_key(wanted.recipe))
            self._eraser.erase(f"answers/{wanted.recipe}/runs/")
        report.is_done = not report.is_dry and not report.left
        return report

    def _tombstone(self) -> Tombstone | None:
        """Return the tombstone, as far as it is known by now; None without a store, or if it would forget nothing."""
        head = self._answers.head(self._wanted.recipe)
        if head is None:
            return None
        known = [run.newest for run in head.runs if run.newest < NO_TIME]
        until = max(self._way.now + SKEW, *known, *self._times, 0)  # a clock that is slow must not keep an answer
        keys, uploads = frozenset(self._keys), frozenset(self._times)
        made = self._wanted.tombstone(until=until, secret=head.secret, keys=keys, uploads=uploads)
        return made if Forgotten((made,)) else None

    def _forgotten(self) -> Forgotten:
        """Return all that the store has forgotten, also by a command that was stopped, and what it forgets now."""
        head, tombstone = self._answers.head(self._wanted.recipe), self._tombstone()
        return Forgotten((*(head.tombstones if head else ()), *((tombstone,) if tombstone else ())))

    def _set_tombstone(self) -> None:
        if self._way.is_dry:
            return
        if self._bucket.remembers:
            self._answers.secret(self._wanted.recipe)  # makes the store: a job that runs may publish to it
        tombstone = self._tombstone()
        if tombstone is not None:
            self._answers.forget(self._wanted.recipe, tombstone)

    def _note(self, job: MadeJob) -> None:
        """Note what a job has of it, and which answers that are."""
        wanted, head = self._wanted, self._answers.head(self._wanted.recipe)
        if wanted.is_whole:
            job.found = FoundRows(1)
        elif job.manifest is not None:
            job.found = found_rows(self._store, job.manifest, wanted, head.secret if head else None)
        elif job.has_files:
            job.found = FoundRows(1)  # a split that failed: nothing tells which rows it has
        self._keys |= job.found.keys
        if wanted.kind == "file":
            self._times |= job.uploads

    def _remove(self, job: MadeJob) -> bool:
        """Remove what a job has of it; return whether its own files are gone then."""
        if job.found.rows and not self._wanted.is_whole and self._bucket.is_open(job.job_id):
            self._report.left.append(
                f"job {job.job_id} has paid answers that nobody has collected, also those of other rows. "
                f"Collect them with `batchdrop resume {job.job_id}`; or forget the whole job"
            )
            return False
        outputs = JobOutputs(self._store, self._eraser, self._report, job)
        rows = outputs.remove_all() if self._wanted.is_whole else outputs.remove(self._wanted)
        if rows and self._wanted.kind == "rows" and job.manifest is None and self._tombstone() is not None:
            self._forget_answers_of(job)
        if not (rows or job.found.rows) or not job.has_files:
            return False
        prefix = f"jobs/{job.job_id}/"
        objects = sum(1 for _ in self._store.keys(prefix))
        self._report.add(prefix, "the job's own files; it cannot be resumed or retried then", objects=objects)
        if not self._way.is_dry:
            self._eraser.erase(prefix)
        return True

    def _forget_answers_of(self, job: MadeJob) -> None:
        """Forget all answers of a job whose files are gone, because nothing tells which of them the rows have."""
        self._times |= job.uploads
        place, what = (
            f"answers/{self._wanted.recipe}/",
            f"all answers that job {job.job_id} paid for: its files are gone",
        )
        self._report.add(place, what)
        self._set_tombstone()

    def _purge(self) -> None:
        """Remove the answers from the store's files."""
        recipe, tombstone = self._wanted.recipe, self._tombstone()
        if tombstone is None:
            return
        purge = Purge(self._store, self._eraser, recipe, is_busy=lambda: recipe in self._bucket.running().values())
        found = purge.matching(Forgotten((tombstone,))) if self._way.is_dry else purge.run()
        if found.answers:
            what = "1 answer" if found.answers == 1 else f"{found.answers:,} answers"
            self._report.add(f"answers/{recipe}/", what, rows=found.answers)
        if found.runs_left:
            self._report.left.append(f"answers/{recipe}/: {found.runs_left:,} old runs that running jobs may read")
        if self._wanted.kind == "subject" and not self._wanted.takes_unnamed:
            unnamed = purge.matching(Forgotten()).unnamed
            if unnamed:
                self._report.left.append(
                    f"answers/{recipe}/: {unnamed:,} answers are older than the recipe's 'subject', so nothing tells "
                    "whose they are. Add --unnamed to forget all of these, too; their rows are then paid again"
                )
