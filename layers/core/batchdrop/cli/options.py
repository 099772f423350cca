"""Options that several commands have, each said once."""

from __future__ import annotations

from typing import Annotated

import typer

Stack = Annotated[
    str | None,
    typer.Option(
        envvar="BATCHDROP_STACK",
        help="The CloudFormation stack's name. Default: the `batchdrop up` that runs on this machine, else batchdrop.",
    ),
]
Region = Annotated[str | None, typer.Option(help="The AWS region; default: your configuration's.")]
Endpoint = Annotated[
    str | None,
    typer.Option(
        envvar="BATCHDROP_ENDPOINT_URL",
        help="The AWS endpoint that `batchdrop up` printed; needed only where several run at a time.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON, and nothing else, to stdout.")]
JobId = Annotated[
    str,
    typer.Argument(metavar="JOB", help="The job's id, or as much of its beginning, or of its last part, as is unique."),
]
