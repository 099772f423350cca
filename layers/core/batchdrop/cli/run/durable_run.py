"""`batchdrop run` against a real API: the run's state is kept until it succeeds, so that no end of it costs twice."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from batchdrop.cli.console import INTERRUPTED, UNDECIDED, USAGE_ERROR, CommandError
from batchdrop.cli.run.one_shot import DEFAULT_OUT, Kept, Ran, Run, run_once
from batchdrop.cli.run.open_work import StoredJob, StoredWork, lines, stored_work
from batchdrop.cli.run.run_folder import RunFolder, digest

Start = Callable[[Run, Console, Kept], Ran]


class Choice(Enum):
    """The user's choice, if there is an unfinished run of the same command."""

    ASK = ""
    RESUME = "--resume"
    NEW = "--new"
    CANCEL = "--cancel"


class UndecidedError(CommandError):
    """There is an unfinished run, and the command does not say what to do with it."""

    exit_code = UNDECIDED


class NothingToResumeError(CommandError):
    """There is no unfinished run; the message says what to do."""

    exit_code = USAGE_ERROR


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where a run reports and asks. `command`: the words that the user typed, without a Choice.

    `confirm` asks a question that Enter answers with yes; None if nobody can be asked. `keeps_failed`: the folder of a
    success is kept for `batchdrop retry`, if some rows have no usable answer.
    """

    console: Console
    command: Sequence[str]
    confirm: Callable[[str], bool] | None = None
    keeps_failed: bool = False

    @classmethod
    def of_user(cls, console: Console) -> Terminal:
        """Return this process's terminal."""
        choices = {one.value for one in Choice}
        words = ["batchdrop", *(word for word in sys.argv[1:] if word not in choices)]
        is_asked = console.is_terminal and sys.stdin.isatty()
        return cls(console, words, partial(typer.confirm, default=True) if is_asked else None, keeps_failed=True)

    def with_choice(self, choice: Choice) -> str:
        """Return the same command with a Choice, to show to the user."""
        return shlex.join([*self.command, choice.value])

    def say(self, words: str) -> None:
        """Print one line."""
        self.console.print(Text(words), soft_wrap=True)


def folder_of(run: Run) -> RunFolder:
    """Return the folder of the same file, recipe, options and service. Reads all files."""
    options = (run.service.place, str(run.shard_rows or ""))
    return RunFolder(run.out / f"run-{digest(run.drop.uploads(), *options)}")


def run_durably(run: Run, choice: Choice, terminal: Terminal, *, start: Start = run_once) -> Ran:
    """Run the job with `start`, or go on with it; remove the run's folder once it has succeeded.

    Raises UndecidedError, NothingToResumeError, RunBusyError, and typer.Exit for a run that Ctrl-C stopped.
    """
    folder = folder_of(run)
    if choice in {Choice.RESUME, Choice.CANCEL} and not folder.path.exists():
        message = f"{run.out} has no unfinished run of this file, recipe and options; run it without {choice.value}"
        raise NothingToResumeError(message)
    with folder.locked() as lock:
        work = stored_work(folder.state)
        choice = _chosen(choice, work, folder, terminal)
        if choice is Choice.CANCEL and not work.jobs:
            folder.remove()
            message = "nothing of this run was sent, so there is nothing to cancel"
            raise NothingToResumeError(message)
        if choice is not Choice.NEW:
            return _ran(run, folder, lock, work, choice, terminal, start)
        aside = folder.set_aside()
        terminal.say(f"the unfinished run is set aside in {aside}:")
        for line in lines(work):
            terminal.say(line)
    with folder.locked() as lock:
        return _ran(run, folder, lock, stored_work(folder.state), Choice.RESUME, terminal, start)


def _chosen(choice: Choice, work: StoredWork, folder: RunFolder, terminal: Terminal) -> Choice:
    """Return what to do with the folder's run. One that has sent nothing just goes on."""
    if not work.has_sent:
        return Choice.RESUME if choice in {Choice.ASK, Choice.NEW} else choice
    if work.lost_jobs and choice is not Choice.NEW:
        said = f"{folder.path} has lost the files of job {', '.join(work.lost_jobs)}. {' '.join(lines(work))}"
        how = f"Look at them with your API key, then start again: `{terminal.with_choice(Choice.NEW)}`"
        raise UndecidedError(f"{said}. {how}")
    if choice is not Choice.ASK:
        return choice
    if terminal.keeps_failed and work.is_done and work.jobs[-1].is_done:
        raise UndecidedError(_ended(work, folder, terminal))
    go_on, start_again = terminal.with_choice(Choice.RESUME), terminal.with_choice(Choice.NEW)
    how = f"Go on: `{go_on}`. Start again, and pay again: `{start_again}`"
    if terminal.confirm is None:
        raise UndecidedError(f"this run is not finished ({folder.path}); {' '.join(lines(work))}. {how}")
    terminal.say(f"this run is not finished ({folder.path})")
    for line in lines(work):
        terminal.say(line)
    if terminal.confirm("Go on with it?"):
        return Choice.RESUME
    raise UndecidedError(f"nothing was sent. {how}")


def _ran(
    run: Run, folder: RunFolder, lock: int, work: StoredWork, choice: Choice, terminal: Terminal, start: Start
) -> Ran:
    kept = Kept(folder, lock, _job(work), cancels=choice is Choice.CANCEL)
    try:
        ran = start(run, terminal.console, kept)
    except KeyboardInterrupt:
        _report(folder, terminal)
        raise typer.Exit(INTERRUPTED) from None
    except BaseException:
        _report(folder, terminal)
        raise
    after = stored_work(folder.state)
    if ran.succeeded and terminal.keeps_failed and after.retriable:
        terminal.say(_to_retry(after.retriable[-1], run.out))
    elif ran.succeeded or not after.has_sent or (kept.cancels and not after.open):
        folder.remove()
    else:
        _report(folder, terminal)
    return ran


def _ended(work: StoredWork, folder: RunFolder, terminal: Terminal) -> str:
    out = folder.path.parent
    return (
        f"this run has ended; its outputs are in {out / work.jobs[-1].job_id}. {_to_retry(work.jobs[-1], out)}. "
        f"Start again, and pay again: `{terminal.with_choice(Choice.NEW)}`"
    )


def _to_retry(job: StoredJob, out: Path) -> str:
    words = ["batchdrop", "retry", job.job_id, *([] if out == DEFAULT_OUT else ["--out", str(out)])]
    rows = "1 row has" if job.unanswered == 1 else f"{job.unanswered:,} rows have"
    return f"{rows} no usable answer; to retry: {shlex.join(words)}"


def _job(work: StoredWork) -> StoredJob | None:
    """Return the folder's job. There is one at most: while there is one, no file is dropped."""
    return work.jobs[-1] if work.jobs else None


def _report(folder: RunFolder, terminal: Terminal) -> None:
    """Say what is open, how to go on and how to cancel. A run that has sent nothing leaves nothing."""
    work = stored_work(folder.state)
    if not work.has_sent:
        folder.remove()
        terminal.say("nothing was sent")
        return
    for line in lines(work):
        terminal.say(line)
    terminal.say(f"to go on     {terminal.with_choice(Choice.RESUME)}")
    terminal.say(f"to cancel    {terminal.with_choice(Choice.CANCEL)}")
