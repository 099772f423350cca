"""The commands that run the application on this machine: `run`, `demo` and `up`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batchdrop.cli.console import FAILED, CommandOutput, usage_error
from batchdrop.cli.options import Files, Json, WaitScale

if TYPE_CHECKING:
    from batchdrop.cli.run.dropping import Drop
    from batchdrop.cli.run.service import Service


def run(  # noqa: PLR0913 -- one for each option
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV, TSV, JSONL, JSON, Parquet, xlsx or text; with `input: files`, a document or an image."
        ),
    ],
    recipe: Annotated[
        Path | None, typer.Option(help="The recipe, a .yaml file; not needed for ready requests.")
    ] = None,
    files: Files = None,
    out: Annotated[Path, typer.Option(help="Outputs go to OUT/<job_id>/.")] = Path("out"),
    shard_rows: Annotated[int | None, typer.Option(min=1, max=100_000, help="The most rows in one shard.")] = None,
    wait_scale: WaitScale = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Continue after the recipe's sample without asking.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the unfinished run of this command.")] = False,
    new: Annotated[
        bool, typer.Option("--new", help="Start again, and pay again, although a run of this command is unfinished.")
    ] = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Cancel the unfinished run of this command; keep its answers.")
    ] = False,
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
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.run.dropping import Drop
        from batchdrop.cli.run.service import service_of

        service = service_of(os.environ)
        choice = "--resume" if resume else "--new" if new else "--cancel" if cancel else ""
        if choice and service.base_url is None:
            usage_error(f"{choice} is for a real service: a run against the emulator ends with its command")
        _run(Drop(file, recipe, files), out, service, wait_scale, shard_rows, output, approves=yes, choice=choice)


def demo(out: Annotated[Path, typer.Option(help="Outputs go to OUT/<job_id>/.")] = Path("out")) -> None:
    """Run examples/reviews.csv, always against the emulator."""
    output = CommandOutput()
    with output.reporting_errors():
        from batchdrop.cli.run.dropping import Drop
        from batchdrop.cli.run.service import Service
        from batchdrop.local.application import application_folder

        examples = application_folder() / "examples"
        example = Drop(examples / "reviews.csv", examples / "recipes" / "sentiment.yaml")
        _run(example, out, Service(), None, 100, output)


def up(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the AWS endpoint; default: a free one.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Against a real service, the stack's state is kept in OUT/up-<digest>/.")
    ] = Path("out"),
    wait_scale: WaitScale = None,
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
        from batchdrop.cli.run.service import service_of

        service = service_of(os.environ)
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
) -> None:
    from batchdrop.cli.run.one_shot import Run, run_once

    drop.check()
    one = Run(drop, out, service, wait_scale or service.wait_scale, shard_rows, approves)
    if service.base_url is None:
        ran = run_once(one, output.console)
    else:
        from batchdrop.cli.run.durable_run import Choice, Terminal, run_durably

        ran = run_durably(one, Choice(choice), Terminal.of_user(output.console))
    if output.json:
        output.document(ran)
    if not ran.succeeded:
        raise typer.Exit(FAILED)
