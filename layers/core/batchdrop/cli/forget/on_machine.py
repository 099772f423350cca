"""Forget on this machine: fetched outputs, folders of runs, their answers, and those of tries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from batchdrop.adapters.sqlite.answers import SqliteAnswerStore
from batchdrop.answer_store.forgotten import Forgotten
from batchdrop.cli.forget.folder_files import FolderFiles
from batchdrop.cli.forget.in_bucket import Bucket, ForgetInBucket, Way
from batchdrop.cli.forget.jobs import made_jobs
from batchdrop.cli.forget.removed import Forgetting, Removed
from batchdrop.cli.forget.wanted import SKEW, Wanted
from batchdrop.cli.run.open_work import stored_work
from batchdrop.cli.run.run_folder import RunBusyError, RunFolder
from batchdrop.job.upload import parse_inbox_key

TRIED = "tried.sqlite"
ABANDONED = "-abandoned-"


def outputs_in(out: Path) -> dict[str, Path]:
    """Return the folders of outputs below OUT, by the prefix that their files have in a bucket."""
    found = {}
    for summary in sorted(out.glob("*/summary.json")):
        with suppress(ValueError, KeyError):
            found[str(json.loads(summary.read_bytes())["results"])] = summary.parent
    return found


def jobs_in(out: Path) -> dict[str, str]:
    """Return the recipes of the jobs whose outputs, or runs, are below OUT, by the jobs' ids."""
    found = {}
    for prefix in outputs_in(out):
        *recipe, _, job_id, _ = prefix.removeprefix("results/").split("/")
        found[job_id] = "/".join(recipe)
    for folder in _runs(out):
        for job in stored_work(folder.state).jobs:
            found[job.job_id] = parse_inbox_key(job.manifest.upload.key).recipe
    return found


def forget_here(out: Path, wanted: Wanted, way: Way) -> Forgetting:
    """Forget in OUT. Folders of a stack that `batchdrop up` keeps there are named: only the stack can change them."""
    outputs = outputs_in(out)
    files = FolderFiles(outputs)
    times = {time for job in made_jobs(files, wanted.recipe) if job.first in wanted.jobs for time in job.uploads}
    report = ForgetInBucket(Bucket(files, files), wanted, way).run()
    report.removed = [_here(one, outputs) for one in report.removed]
    if wanted.is_whole and not way.is_dry:
        _remove_empty(files, out)
    for folder in _runs(out):
        _forget_run(folder, wanted, way, report)
    for path in sorted(out.glob("answers-*.sqlite")):
        _forget_answers(path, wanted, way, report, times)
    _forget_tries(out, way, report)
    for path in sorted(out.glob("up-*")):
        if _has_some(RunFolder(path), wanted, way):
            report.left.append(f"{path}: start `batchdrop up` on it, then forget with its --endpoint-url")
    report.is_done = not report.is_dry and not report.left
    return report


def _here(removed: Removed, outputs: Mapping[str, Path]) -> Removed:
    """Return a place with its path on this machine."""
    for prefix, folder in outputs.items():
        if removed.place.startswith(prefix):
            path = folder / removed.place.removeprefix(prefix)
            return msgspec.structs.replace(removed, place=str(path))
    return removed


def _runs(out: Path) -> Iterator[RunFolder]:
    return (RunFolder(path) for path in sorted(out.glob("run-*")) if path.is_dir())


def _has_some(folder: RunFolder, wanted: Wanted, way: Way) -> bool:
    """Return whether the bucket of a folder has what is wanted."""
    look = Way(way.now)
    buckets = [path for path in folder.state.bucket_data.glob("*/*") if path.is_dir() and path.parent.name[0] != "."]
    files = (FolderFiles({"": bucket}) for bucket in buckets)
    return any(ForgetInBucket(Bucket(one, one), wanted, look).run().removed for one in files)


def _forget_run(folder: RunFolder, wanted: Wanted, way: Way, report: Forgetting) -> None:
    """Remove the whole folder of a run that has ended; it is kept only for a retry."""
    try:
        with folder.locked():
            if not _has_some(folder, wanted, way):
                return
            work = stored_work(folder.state)
            if (work.unfinished or work.lost_jobs) and ABANDONED not in folder.path.name:
                report.left.append(f"{folder.path}: its run is not finished. Go on with it, or cancel it: --cancel")
                return
            report.add(str(folder.path), "the folder of the run; its rows cannot be retried then", objects=1)
            if not way.is_dry:
                folder.remove()
    except RunBusyError as busy:
        report.left.append(f"{folder.path}: {busy}")


def _forget_answers(path: Path, wanted: Wanted, way: Way, report: Forgetting, times: set[int]) -> None:
    answers = SqliteAnswerStore(path)
    if wanted.recipe not in answers.recipes():
        return
    # Without its job's files, nothing tells which answer a row has: all answers of the job go.
    uploads = frozenset(times) if wanted.kind in {"file", "rows"} else frozenset[int]()
    tombstone = wanted.tombstone(until=way.now + SKEW, secret=answers.secret(wanted.recipe), uploads=uploads)
    found = answers.matching(wanted.recipe, Forgotten((tombstone,)))
    if found:
        report.add(str(path), "1 answer" if found == 1 else f"{found:,} answers", rows=found)
    unnamed = answers.unnamed(wanted.recipe) if wanted.kind == "subject" and not wanted.takes_unnamed else 0
    if unnamed:
        report.left.append(
            f"{path}: {unnamed:,} answers are older than the recipe's 'subject', so nothing tells whose they are. "
            "Add --unnamed to forget all of these, too; their rows are then paid again"
        )
    if way.is_dry:
        return
    if wanted.kind == "recipe":
        answers.forget_recipe(wanted.recipe)
    else:
        answers.forget(wanted.recipe, tombstone)
    answers.wipe()


def _forget_tries(out: Path, way: Way, report: Forgetting) -> None:
    """Remove the answers of all tries: they do not say whose they are, and trying a few rows again costs cents."""
    paths = sorted(out.glob(f"{TRIED}*"))
    if paths:
        report.add(str(paths[0]), "the answers of all tries", objects=1)
    for path in paths if not way.is_dry else ():
        path.unlink(missing_ok=True)


def _remove_empty(files: FolderFiles, out: Path) -> None:
    for folder in files.folders:
        if folder.is_dir() and folder != out and not any(folder.iterdir()):
            folder.rmdir()
