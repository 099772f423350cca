"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Stack = Annotated[
    str | None,
    typer.Option(
        envvar="BATCHDROP_STACK",
        help="The CloudFormation stack's name. Default: the `batchdrop up` on this machine, else batchdrop.",
    ),
]
Region = Annotated[str | None, typer.Option(help="The AWS region; default: your configuration's.")]
Endpoint = Annotated[
    str | None,
    typer.Option(
        envvar="BATCHDROP_ENDPOINT_URL",
        help="The AWS endpoint that `batchdrop up` printed; needed only if several run.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write only JSON to stdout.")]
JobId = Annotated[
    str,
    typer.Argument(metavar="JOB", help="The job's id, or a unique start of the id or of its last part."),
]
Files = Annotated[
    Path | None, typer.Option(help="The folder of the files that the rows attach: `files/` in the bucket.")
]
WaitScale = Annotated[
    float | None,
    typer.Option(min=0.0001, max=1.0, help="Multiply every wait by this. Default: 0.02 with the emulator, else 1."),
]
