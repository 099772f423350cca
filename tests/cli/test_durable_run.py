"""What `batchdrop run` does with a run that was stopped, before any stack starts."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import typer
from rich.console import Console

from batchdrop.cli.console import INTERRUPTED, UNDECIDED, USAGE_ERROR
from batchdrop.cli.run.dropping import Drop
from batchdrop.cli.run.durable_run import (
    Choice,
    NothingToResumeError,
    Terminal,
    UndecidedError,
    folder_of,
    run_durably,
)
from batchdrop.cli.run.one_shot import Kept, Ran, Run
from batchdrop.cli.run.run_folder import RunBusyError, RunFolder
from batchdrop.cli.run.service import Service
from batchdrop.job.layout import JobKeys
from tests.cli.commands import BATCHDROP, USERS_OWN, write_example
from tests.cli.stored_run import JOB, KEY, ledger, manifest, stopped, store
from tests.cli.terminal import in_terminal
from tests.fakes import START

COMMAND = ("batchdrop", "run", "five rows.csv", "--recipe", "ask.yaml")


@dataclass
class Stacks:
    """Takes the place of the stack: notes with what it was started, and ends as it is told."""

    end: BaseException | None = None
    does: Callable[[Kept], object] = field(default=lambda _: None)
    succeeds: bool = True
    started: list[Kept] = field(default_factory=list)

    def __call__(self, run: Run, _console: Console, kept: Kept) -> Ran:
        """Start, or go on."""
        self.started.append(kept)
        self.does(kept)
        if self.end is not None:
            raise self.end
        return Ran(JOB, self.succeeds, run.out / JOB, None, "")


@dataclass
class Screen:
    """A terminal and what it shows. `answer` None: nobody can be asked."""

    answer: bool | None = None
    out: io.StringIO = field(default_factory=io.StringIO)

    @property
    def text(self) -> str:
        """What it shows."""
        return self.out.getvalue()

    def terminal(self) -> Terminal:
        """Return it for a run."""
        confirm = None if self.answer is None else lambda _question: bool(self.answer)
        return Terminal(Console(file=self.out, width=200), COMMAND, confirm)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run against a real service."""
    file, recipe = write_example(tmp_path)
    service = Service("https://api.example.test", "sk-ant-secret")
    return Run(Drop(file, recipe), tmp_path / "out", service, 1.0, 2)


def test_the_first_run_just_starts_and_leaves_no_folder(run: Run) -> None:
    """Nobody is asked; while it runs, its folder is its user's alone."""
    modes = []
    stacks = Stacks(does=lambda kept: modes.append(stat.S_IMODE(kept.folder.path.stat().st_mode)))
    assert run_durably(run, Choice.ASK, Screen().terminal(), start=stacks).succeeded
    assert [kept.job for kept in stacks.started] == [None]
    assert modes == [0o700]
    assert not folder_of(run).path.exists()


def test_an_unfinished_run_without_a_terminal(run: Run) -> None:
    """Exit code 3; the message names what is open, what it may cost, and both ways on."""
    stopped(folder_of(run))
    stacks = Stacks()
    with pytest.raises(UndecidedError) as caught:
        run_durably(run, Choice.ASK, Screen().terminal(), start=stacks)
    said = str(caught.value)
    assert (caught.value.exit_code, stacks.started) == (UNDECIDED, [])
    for words in ("msgbatch_1", "1 create without an answer", "--resume", "--new", str(folder_of(run).path)):
        assert words in said
    # Per shard: (1,000 x 1.1 + 2 x 100) tokens in, 10,000 out, at half of $0.10 and $0.50 a million.
    assert "what they may cost: $0.0051 at most" in said


@pytest.mark.parametrize(("choice", "answer"), [(Choice.ASK, True), (Choice.RESUME, None), (Choice.CANCEL, None)])
def test_going_on(run: Run, choice: Choice, answer: bool | None) -> None:  # noqa: FBT001 - a test's parameter
    """A yes and --resume go on with the job; --cancel brings it to its end. A success removes the folder."""
    stopped(folder_of(run))
    stacks = Stacks()
    run_durably(run, choice, Screen(answer).terminal(), start=stacks)
    (kept,) = stacks.started
    assert kept.job is not None
    assert (kept.job.job_id, kept.cancels) == (JOB, choice is Choice.CANCEL)
    assert not folder_of(run).path.exists()


def test_a_no_sends_nothing(run: Run) -> None:
    """The run stays as it is."""
    stopped(folder_of(run))
    stacks, screen = Stacks(), Screen(answer=False)
    with pytest.raises(UndecidedError, match=r"nothing was sent.*--new"):
        run_durably(run, Choice.ASK, screen.terminal(), start=stacks)
    assert not stacks.started
    assert "msgbatch_1" in screen.text
    assert len(ledger(folder_of(run)).submissions(JOB)) == 2


def test_new_sets_the_old_run_aside(run: Run) -> None:
    """It starts without a job, and says what the old run has open."""
    stopped(folder_of(run))
    stacks, screen = Stacks(), Screen()
    run_durably(run, Choice.NEW, screen.terminal(), start=stacks)
    assert [kept.job for kept in stacks.started] == [None]
    assert "msgbatch_1" in screen.text
    (aside,) = run.out.glob("run-*-abandoned-1")
    assert len(ledger(RunFolder(aside)).submissions(JOB)) == 2


@pytest.mark.parametrize("choice", [Choice.RESUME, Choice.CANCEL])
def test_nothing_to_resume(run: Run, choice: Choice) -> None:
    """It is wrong usage: a new run would be paid for."""
    with pytest.raises(NothingToResumeError, match="no unfinished run") as caught:
        run_durably(run, choice, Screen().terminal(), start=Stacks())
    assert caught.value.exit_code == USAGE_ERROR


def test_a_run_that_sent_nothing_starts_again_unasked(run: Run) -> None:
    """Its job, if it has one, goes on."""
    folder = folder_of(run)
    folder.path.mkdir(parents=True)
    stacks = Stacks()
    run_durably(run, Choice.ASK, Screen().terminal(), start=stacks)
    assert [kept.job for kept in stacks.started] == [None]


def test_two_at_once(run: Run) -> None:
    """The second one names the process of the first, with exit code 3."""
    with folder_of(run).locked(), pytest.raises(RunBusyError, match=f"process {os.getpid()} uses") as caught:
        run_durably(run, Choice.ASK, Screen().terminal(), start=Stacks())
    assert caught.value.exit_code == UNDECIDED


@pytest.mark.parametrize(("end", "code"), [(KeyboardInterrupt(), INTERRUPTED), (SystemExit(143), 143)])
def test_a_stop_says_what_is_open(run: Run, end: BaseException, code: int) -> None:
    """Ctrl-C and SIGTERM: the batches, their cost, how to go on, and how to cancel."""
    screen = Screen()
    stacks = Stacks(end=end, does=lambda kept: stopped(kept.folder))
    with pytest.raises((typer.Exit, SystemExit)) as caught:
        run_durably(run, Choice.ASK, screen.terminal(), start=stacks)
    ended: BaseException = caught.value
    assert (ended.exit_code if isinstance(ended, typer.Exit) else ended.args[0]) == code
    assert "1 Message Batch continues at the API:" in screen.text
    assert "msgbatch_1  shard 0, 100 requests, $0.0026 at most" in screen.text
    assert "what they may cost: $0.0051 at most" in screen.text
    assert "to go on     batchdrop run 'five rows.csv' --recipe ask.yaml --resume" in screen.text
    assert "to cancel    batchdrop run 'five rows.csv' --recipe ask.yaml --cancel" in screen.text


def test_a_stop_before_anything_was_sent_leaves_nothing(run: Run) -> None:
    """The same command then starts as if nothing had been."""
    screen = Screen()
    with pytest.raises(typer.Exit):
        run_durably(run, Choice.ASK, screen.terminal(), start=Stacks(end=KeyboardInterrupt()))
    assert "nothing was sent" in screen.text
    assert not folder_of(run).path.exists()


def test_a_failed_job_is_kept(run: Run) -> None:
    """It can be resumed, and says how."""
    screen = Screen()
    stacks = Stacks(does=lambda kept: stopped(kept.folder), succeeds=False)
    assert not run_durably(run, Choice.ASK, screen.terminal(), start=stacks).succeeded
    assert "--resume" in screen.text
    assert folder_of(run).path.exists()


def test_collected_answers_are_not_open(run: Run) -> None:
    """Only what may still cost, or has answers to fetch, is listed. A job with a summary is done."""
    folder = folder_of(run)
    stopped(folder)
    for shard in (0, 1):
        ledger(folder).collected(JOB, shard, 0, START + timedelta(hours=1))
    store(folder, f"results/ask/five rows/{JOB}/summary.json", b'{"status": "succeeded"}')
    stacks, screen = Stacks(), Screen(answer=True)
    run_durably(run, Choice.ASK, screen.terminal(), start=stacks)
    assert "nothing is open at the API" in screen.text
    job = stacks.started[0].job
    assert job is not None
    assert job.is_done
    assert (job.manifest.upload.key, job.manifest.shards) == (KEY, manifest().shards)


def test_files_that_were_lost_are_not_sent_again(run: Run) -> None:
    """The ledger knows a create whose job is not in the bucket: that needs a person."""
    folder = folder_of(run)
    stopped(folder)
    (folder.state.bucket_data / "000000000000").rename(folder.path / "gone")
    with pytest.raises(UndecidedError, match=f"has lost the files of job {JOB}.*msgbatch_1"):
        run_durably(run, Choice.RESUME, Screen().terminal(), start=Stacks())


def test_live_requests_may_be_paid_twice(run: Run) -> None:
    """The live lane has no Message Batches; a stop says what it can cost."""
    folder = folder_of(run)
    folder.path.mkdir(parents=True)
    live = msgspec.structs.replace(manifest(), lane="live")
    store(folder, JobKeys(JOB).manifest, msgspec.json.encode(live))
    with pytest.raises(UndecidedError, match="live requests without an answer yet may be billed"):
        run_durably(run, Choice.ASK, Screen().terminal(), start=Stacks())


def test_what_makes_a_run_the_same(run: Run, tmp_path: Path) -> None:
    """File, recipe, options and service do; the key and --yes do not."""
    same = replace(run, service=Service(run.service.base_url, "another key"), approves=True)
    assert folder_of(same) == folder_of(run)
    others = [replace(run, shard_rows=3), replace(run, service=Service("https://other.example.test", "k"))]
    on_aws = [replace(run, service=Service("https://aws.example.test", None, f"w{n}", "us-east-1")) for n in (1, 2)]
    assert folder_of(on_aws[0]) != folder_of(on_aws[1])
    assert all(folder_of(other) != folder_of(run) for other in others)
    before = folder_of(run)
    (tmp_path / "ask.yaml").write_text("model: claude-haiku-5-5\nmax_tokens: 65\nprompt: 'x {{ text }}'\n")
    assert folder_of(run) != before


@pytest.mark.parametrize("answer", ["n\n", None])
def test_the_real_command_asks(run: Run, tmp_path: Path, answer: str | None) -> None:
    """On a terminal it asks, and a no ends it with 3; in a pipe it ends with 3 at once, with words to paste."""
    stopped(folder_of(run))
    words: list[str | Path] = [
        "run",
        run.drop.file,
        "--recipe",
        str(run.drop.recipe),
        "--out",
        run.out,
        "--shard-rows",
        "2",
    ]
    own = {name: value for name, value in os.environ.items() if name not in USERS_OWN}
    environment = own | {"ANTHROPIC_BASE_URL": "https://api.example.test", "ANTHROPIC_API_KEY": "sk-ant-secret"}
    if answer:
        seen = in_terminal(
            [BATCHDROP, *words],
            folder=tmp_path,
            environment=environment,
            columns=200,
            answers=("Go on with it? [Y/n]", answer),
        )
        said, code = seen.text, seen.exit_code
    else:
        ended = subprocess.run(
            [BATCHDROP, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=100
        )
        said, code = ended.stderr, ended.returncode
    assert code == UNDECIDED, said
    assert "msgbatch_1" in said
    assert f"--recipe {run.drop.recipe} --out {run.out} --shard-rows 2 --resume" in said
    assert len(ledger(folder_of(run)).submissions(JOB)) == 2


def _ended(run: Run, answered: int) -> None:
    """A run that has ended; so many of its five rows are answered, and one is rejected."""
    folder = folder_of(run)
    stopped(folder)
    for shard in (0, 1):
        ledger(folder).collected(JOB, shard, 0, START + timedelta(hours=1))
    tally = {"rows": 5, "answered": answered, "unusable": 4 - answered, "failed": 0, "rejected": 1}
    summary = json.dumps({"status": "succeeded", "tally": tally}).encode()
    store(folder, f"results/ask/five rows/{JOB}/summary.json", summary)


@pytest.mark.parametrize(("answered", "is_kept"), [(3, True), (4, False)])
def test_a_success_is_kept_for_a_retry(run: Run, answered: int, is_kept: bool) -> None:  # noqa: FBT001 - a test's
    """While rows have no usable answer, their folder stays; the command is named."""
    screen = Screen()
    terminal = replace(screen.terminal(), keeps_failed=True)
    run_durably(run, Choice.ASK, terminal, start=Stacks(does=lambda _kept: _ended(run, answered)))
    assert folder_of(run).path.exists() == is_kept
    said = f"1 row has no usable answer; to retry: batchdrop retry {JOB} --out {run.out}"
    assert (said in screen.text) == is_kept


def test_the_same_command_after_a_success_pays_nothing(run: Run) -> None:
    """It names the outputs, the retry, and how to start again; a call from Python keeps no such folder."""
    _ended(run, 3)
    stacks = Stacks()
    with pytest.raises(UndecidedError, match=f"this run has ended.*batchdrop retry {JOB}.*--new"):
        run_durably(run, Choice.ASK, replace(Screen().terminal(), keeps_failed=True), start=stacks)
    assert not stacks.started
    run_durably(run, Choice.RESUME, Screen().terminal(), start=stacks)
    assert not folder_of(run).path.exists()
