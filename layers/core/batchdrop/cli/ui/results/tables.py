"""The tables of a console: each job's output is downloaded and filled into a table once, beside the pages.

They live in the user's cache folder, and end with the console.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread

import msgspec
import psutil

from batchdrop.cli.console import CommandError, known_error
from batchdrop.cli.deployment import Deployment
from batchdrop.cli.job.documents import read_summary
from batchdrop.cli.job.jobs import Job
from batchdrop.cli.ui.results.columns import Headings, headings_of
from batchdrop.cli.ui.results.filling import Plan
from batchdrop.cli.ui.results.table import ResultTable
from batchdrop.job.job_files import read_manifest
from batchdrop.job.versions import first_version
from batchdrop.local.exit_with_parent import EXIT_WITH_PARENT_ENV

PREFIX = "console-"
MOST_OPEN = 4  # tables; the one that was used longest ago is removed


class NoResultsError(CommandError):
    """A job has no results that can be shown; the message says why."""


@dataclass(slots=True)
class Opening:
    """A table that is being filled, or is filled, or cannot be. `version` is that of the output."""

    version: str
    total: int = 0
    rows: int = 0
    percent: int = 0
    table: ResultTable | None = None
    error: str = ""


class Tables:
    """The tables of a console, by job."""

    def __init__(self, folder: Path | None = None) -> None:
        self._wanted = folder
        self._folder: Path | None = None
        self._open: dict[str, Opening] = {}
        self._lock = Lock()

    def opening(self, deployment: Deployment, job: Job) -> Opening:
        """Return a job's table, and start to fill it if nobody has. Raises NoResultsError for a job without output."""
        summary = read_summary(deployment.bucket, job.results)
        key = summary["outputs"].get("output") if summary else None
        if summary is None or not key:
            raise NoResultsError(
                f"job {job.job_id} has no results yet. They come at its end; its page shows how far it is"
            )
        version = str(summary["timings"]["finished_at"])
        with self._lock:
            known = self._open.pop(job.job_id, None)
            if known is None or known.version != version or known.error:
                known = Opening(version, int(summary["tally"]["rows"]))
                Thread(
                    target=self._fill, args=(known, deployment, job.job_id, key), name="results", daemon=True
                ).start()
            self._open[job.job_id] = known
            for one in [*self._open][:-MOST_OPEN]:
                self._open.pop(one)
        return known

    def ready(self, job_id: str) -> ResultTable | None:
        """Return a job's table if it is filled, without a look at the bucket: the page that shows it has looked."""
        known = self._open.get(job_id)
        return known.table if known else None

    def close(self) -> None:
        """Remove all tables."""
        with self._lock:
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    def _fill(self, opening: Opening, deployment: Deployment, job_id: str, key: str) -> None:
        try:
            opening.table = self._filled(opening, deployment, key, _headings(deployment, job_id))
        except Exception as error:  # noqa: BLE001 -- whatever it is, the page shows it
            opening.error = str(known_error(error) or f"{type(error).__name__}: {error}")

    def _filled(self, opening: Opening, deployment: Deployment, key: str, headings: Headings) -> ResultTable:
        folder = Path(tempfile.mkdtemp(dir=self._own_folder()))
        output, database, plan = folder / key.rpartition("/")[2], folder / "rows.duckdb", folder / "plan.json"
        _download(deployment, key, output, opening)
        plan.write_bytes(msgspec.json.encode(Plan(str(output), str(database), headings)))
        _run(plan, opening)
        output.unlink()
        return ResultTable(database)

    def _own_folder(self) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = _made(self._wanted or cache_folder())
                weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)  # also when Python ends
            return self._folder


def _headings(deployment: Deployment, job_id: str) -> Headings:
    """Return the columns of a job's output; a later version has those of the first."""
    manifest = read_manifest(deployment.store, first_version(job_id))
    if manifest is None:
        raise NoResultsError(f"the files of job {job_id} are gone; download its output from the job's page instead")
    return headings_of(manifest)


def cache_folder() -> Path:
    """Return the user's folder for files that can be made again."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", tempfile.gettempdir())) / "batchdrop"
    default = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return Path(os.environ.get("XDG_CACHE_HOME") or default) / "batchdrop"


def _made(base: Path) -> Path:
    """Return a folder for this process that only the user can read. Those of processes that are gone are removed."""
    base.mkdir(parents=True, exist_ok=True)
    for left in base.glob(f"{PREFIX}*"):
        pid = left.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=base))


def _download(deployment: Deployment, key: str, to: Path, opening: Opening) -> None:
    size, done = deployment.store.size(key), 0
    with to.open("wb") as file:
        for block in deployment.store.stream(key):
            done += file.write(block)
            opening.percent = 50 * done // max(size, 1)


def _run(plan: Path, opening: Opening) -> None:
    command = [sys.executable, "-m", "batchdrop.cli.ui.results.filling", str(plan)]
    environment = {**os.environ, EXIT_WITH_PARENT_ENV: str(os.getpid())}
    with (plan.parent / "errors.txt").open("w+", encoding="utf-8") as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as process:  # noqa: S603 -- our own program
            for line in process.stdout or ():
                opening.rows = int(line)
                opening.percent = 50 + 50 * opening.rows // max(opening.total, opening.rows, 1)
        if process.returncode:
            errors.seek(0)
            said = errors.read().strip().splitlines()[-1:] or [f"exit code {process.returncode}"]
            message = f"the output cannot be read as a table: {said[0]}. Download it from the job's page instead"
            raise NoResultsError(message)
