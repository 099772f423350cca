"""`batchdrop ui`: the console."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from batchdrop.cli.console import CommandOutput, usage_error
from batchdrop.cli.options import Endpoint, Files, Json, Provider, Region, refuse_missing


def ui(  # noqa: PLR0913 -- one for each option
    file: Annotated[Path | None, typer.Argument(help="The table to open.", show_default=False)] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="Its recipe; by default NAME.yaml in this folder, or a first one.")
    ] = None,
    files: Files = None,
    stack: Annotated[
        str | None,
        typer.Option(
            envvar="BATCHDROP_STACK",
            help="A stack in your AWS account. Default: the `batchdrop up` on this machine, else one of its own here.",
        ),
    ] = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Its port; default: a free one.")] = None,
    out: Annotated[
        Path, typer.Option(help="Tried answers, and against a real service the stack's state, are kept in OUT.")
    ] = Path("out"),
    provider: Provider = None,
    *,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    json: Json = False,
) -> None:
    """Open the console: a table, its recipe and its answers side by side, in your browser.

    It listens on 127.0.0.1 only, for the browser that opens the printed address, until Ctrl-C. Without --stack, jobs
    run on this machine: on the emulator, or on the service that ANTHROPIC_API_KEY names.
    """
    if recipe is not None and file is None:
        usage_error("--recipe is for a file; give the file, too")
    refuse_missing(file)
    if recipe is not None and recipe.is_dir():
        usage_error(f"{recipe} is a folder; name a file in it")
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.run.service import service_of, with_provider
        from batchdrop.cli.ui.pages import PAGES
        from batchdrop.cli.ui.serving import Serving, serve
        from batchdrop.cli.ui.session import Session
        from batchdrop.cli.ui.stacks import Where, stack_at

        service = service_of(with_provider(os.environ, provider))
        output.console.print(service.description, highlight=False, soft_wrap=True)
        used = stack_at(Where(stack, region, endpoint_url), service, out, output.console)
        session = Session(used, service, file, recipe, files, out, stack or "")
        serve(session, PAGES, Serving(port, not no_browser), output)
