"""The commands that run the application on this machine: `run`, `demo` and `up`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batchdrop.cli.console import FAILED, CommandOutput, open_report, usage_error
from batchdrop.cli.options import (
    Files,
    Given,
    GivenFile,
    Json,
    Open,
    Provider,
    RecipeOption,
    WaitScale,
    is_recipe_name,
    recipe_and_file,
    refuse_missing,
)

if TYPE_CHECKING:
    from batchdrop.cli.run.dropping import Drop
    from batchdrop.cli.run.service import Service


def run(  # noqa: PLR0913 -- one for each option
    given: Given,
    file: GivenFile = None,
    recipe: RecipeOption = None,
    files: Files = None,
    out: Annotated[Path, typer.Option(help="Outputs go to OUT/<job_id>/.")] = Path("out"),
    shard_rows: Annotated[int | None, typer.Option(min=1, max=100_000, help="The most rows in one shard.")] = None,
    wait_scale: WaitScale = None,
    provider: Provider = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Continue after the recipe's sample without asking.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the unfinished run of this command.")] = False,
    new: Annotated[
        bool, typer.Option("--new", help="Start again, and pay again, although a run of this command is unfinished.")
    ] = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Cancel the unfinished run of this command; keep its answers.")
    ] = False,
    opens: Open = False,
    json: Json = False,
) -> None:
    """Run one file through the whole application on this machine, and write its output to a folder.

    Requests go to the emulator, unless ANTHROPIC_API_KEY (and ANTHROPIC_BASE_URL) name a real service.
    With a sample in the recipe, a terminal asks whether to continue; elsewhere, the run ends after the sample, unless
    --yes is given.
    Against a real service, a run that was stopped in any way can go on: the same command finds it and asks.
    Exit code: 0 the job succeeded (rows may have failed), 1 it failed, 2 wrong usage, 3 an unfinished run exists and
    neither --resume nor --new is given, 130 Ctrl-C.
    """
    if resume + new + cancel > 1:
        usage_error("--resume, --new and --cancel exclude each other; give one of them")
    named, rows = recipe_and_file(given, file, recipe)
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.run.dropping import Drop
        from batchdrop.cli.run.service import service_of, with_provider

        service = service_of(with_provider(os.environ, provider))
        choice = "--resume" if resume else "--new" if new else "--cancel" if cancel else ""
        if choice and service.base_url is None:
            usage_error(f"{choice} is for a real service: a run against the emulator ends with its command")
        drop = Drop(rows, named, files)
        _run(drop, out, service, wait_scale, shard_rows, output, approves=yes, choice=choice, opens=opens)


def check(  # noqa: PLR0913 -- one for each option
    given: Given,
    file: GivenFile = None,
    recipe: RecipeOption = None,
    files: Files = None,
    out: Annotated[
        Path, typer.Option(help="With `remember`: where your runs' outputs are; their answers are looked up.")
    ] = Path("out"),
    stack: Annotated[
        str | None, typer.Option(help="With `remember`: the stack whose answers are looked up, in place of OUT's.")
    ] = None,
    provider: Provider = None,
    *,
    exact: Annotated[bool, typer.Option("--exact", help="Have the tokens of a sample counted by the API.")] = False,
    sample: Annotated[int, typer.Option(min=1, max=2_000, help="With --exact: how many requests to count.")] = 50,
    verbose: Annotated[bool, typer.Option("--verbose", help="Also show the first requests as JSON.")] = False,
    json: Json = False,
) -> None:
    """Check a recipe; with a file, show its cost in both lanes, the rejected rows and the first prompt.

    No row is sent. If ANTHROPIC_API_KEY is set, the list of models is read. With --exact, a sample of the prompts is
    sent for token counting. Both are free.
    Exit code: 0 all is well, 1 something would be refused, 2 wrong usage.
    """
    named, rows = recipe_and_file(given, file, recipe)
    refuse_missing(named, rows)
    if files is not None and not files.is_dir():
        usage_error(f"{files} is a file; name its folder" if files.exists() else f"folder {files} does not exist")
    if exact and named is None and is_recipe_name(rows.name):
        usage_error("--exact counts a file's requests; give the file after the recipe")
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.check.checking import Exact
        from batchdrop.cli.check.checking import check as checked
        from batchdrop.cli.run.kept_answers import answers_kept
        from batchdrop.cli.run.service import service_of, with_provider

        environment = with_provider(os.environ, provider)
        counting = Exact(service_of(environment), sample) if exact else None
        answers = answers_kept(out, environment, stack)
        first, second = (rows, None) if named is None else (named, rows)
        if not checked(first, second, output, files=files, exact=counting, answers=answers, is_verbose=verbose):
            raise typer.Exit(FAILED)


def init(
    file: Annotated[Path, typer.Argument(help="The table that the recipe is for.")],
    recipe: Annotated[Path | None, typer.Option(help="Where to write it; by default NAME.yaml in this folder.")] = None,
    encoding: Annotated[str | None, typer.Option(help="The table's encoding, if it is not UTF-8.")] = None,
    *,
    json: Json = False,
) -> None:
    """Write a first recipe for a file: its columns are in the prompt, and the answer has two fields to edit.

    Nothing is sent, and no file is overwritten. Exit code: 0 it is written, 1 it is not, 2 wrong usage.
    """
    refuse_missing(file)
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.check.first_recipe import print_first_recipe, write_first_recipe

        written = write_first_recipe(file, recipe, encoding=encoding)
        if json:
            output.document(written)
        else:
            print_first_recipe(written, output.console)


def try_(
    given: Given,
    file: GivenFile = None,
    recipe: RecipeOption = None,
    rows: Annotated[int, typer.Option("-n", "--rows", min=1, max=1_000, help="How many rows to answer.")] = 20,
    files: Files = None,
    out: Annotated[Path, typer.Option(help="Answers are kept in OUT/tried.sqlite.")] = Path("out"),
    provider: Provider = None,
    *,
    is_random: Annotated[
        bool, typer.Option("--random", help="Take random rows of the whole file, and project its cost.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Send all requests, and pay for all of them again.")] = False,
    json: Json = False,
) -> None:
    """Answer a few rows in seconds, without a stack, and show them beside what the prompt read.

    Requests go live to the emulator, or to the service that ANTHROPIC_API_KEY names. Answers are kept: if you change
    the recipe and try again, only changed requests are paid for, and changed answers are marked.
    Exit code: 0 all rows are answered, 1 some are not, 2 wrong usage.
    """
    recipe, table = recipe_and_file(given, file, recipe)
    if recipe is None:
        usage_error("give a recipe and a file; `batchdrop init FILE` writes a first recipe")
    refuse_missing(recipe, table)
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.run.service import service_of, with_provider
        from batchdrop.cli.trial.cards import print_tried
        from batchdrop.cli.trial.trying import Trying, tried

        service = service_of(with_provider(os.environ, provider))
        output.console.print(service.description, highlight=False, soft_wrap=True)
        with output.console.status(f"answering {rows} rows ..."):
            ended = tried(Trying(recipe, table, rows, is_random, files, out, again), service)
        if json:
            output.document(ended)
        else:
            print_tried(ended, output.console)
        if any(shown.status != "answered" for shown in ended.rows):
            raise typer.Exit(FAILED)


def demo(
    out: Annotated[Path, typer.Option(help="Outputs go to OUT/<job_id>/.")] = Path("out"), *, opens: Open = False
) -> None:
    """Run examples/reviews.csv, always against the emulator."""
    output = CommandOutput()
    with output.reporting_errors():
        from batchdrop.cli.run.dropping import Drop
        from batchdrop.cli.run.service import Service
        from batchdrop.local.application import application_folder

        examples = application_folder() / "examples"
        example = Drop(examples / "reviews.csv", examples / "recipes" / "sentiment.yaml")
        _run(example, out, Service(), None, 100, output, opens=opens)


def up(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the AWS endpoint; default: a free one.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Against a real service, the stack's state is kept in OUT/up-<digest>/.")
    ] = Path("out"),
    wait_scale: WaitScale = None,
    provider: Provider = None,
    *,
    json: Json = False,
) -> None:
    """Keep the application running on this machine until Ctrl-C, and print how to drop files into it.

    While it runs, `drop`, `watch`, `ls` and the others find it automatically. With --json, one line has its addresses.
    Against a real service, the next `up` goes on with the jobs that this one leaves unfinished.
    """
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.run.keep_up import Up, keep_up
        from batchdrop.cli.run.service import service_of, with_provider

        service = service_of(with_provider(os.environ, provider))
        keep_up(Up(service, out, port, wait_scale or service.wait_scale), output)


def _run(
    drop: Drop,
    out: Path,
    service: Service,
    wait_scale: float | None,
    shard_rows: int | None,
    output: CommandOutput,
    *,
    approves: bool = False,
    choice: str = "",
    opens: bool = False,
) -> None:
    from batchdrop.cli.run.durable_run import Choice, Terminal, run_durably
    from batchdrop.cli.run.one_shot import Run, run_once

    drop.check()
    terminal = Terminal.of_user(output.console)
    words = tuple(terminal.command)
    one = Run(drop, out, service, wait_scale or service.wait_scale, shard_rows, approves, words)
    ran = run_once(one, output.console) if service.base_url is None else run_durably(one, Choice(choice), terminal)
    if output.json:
        output.document(ran)
    if opens:
        open_report(ran.folder)
    if not ran.succeeded:
        raise typer.Exit(FAILED)
