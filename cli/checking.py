"""`batchdrop check`: what a recipe and a file would become, without sending anything."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.domain.answer_shape import answer_shape
from batchdrop.domain.manifest import Manifest, UploadRecord
from batchdrop.domain.request import RecipeRequests
from batchdrop.usecases.attachments import Attachments
from batchdrop.usecases.check_upload import Check, check_upload
from cli.local_file import LocalFile
from cli.local_files import LocalFiles, named_only
from cli.recipes import load_recipe

LONGEST_SHOWN = 400  # of a string in a shown request: an attached file is a long one


def check_recipe(path: Path, console: Console) -> None:
    """Check a recipe alone, and print what it says. Raises RecipeRejected."""
    recipe, schema = load_recipe(path)
    shape = answer_shape(recipe, schema, name=path.name)
    RecipeRequests(recipe, shape, name=path.name, attach=named_only)
    console.print(Text(f"{path.name}: a good recipe for {recipe.model}", style="green"))
    console.print(Text(f"new columns  {', '.join(shape.columns.names)}"), soft_wrap=True)


def check_file(recipe_path: Path, file: Path, console: Console, *, files: Path | None = None) -> bool:
    """Check a file with its recipe: print the first requests, the rejects and the cost. True if nothing is rejected.

    `files` is the folder that stands for the bucket's `files/`; without it, attached files are named, not read.
    Raises JobFault as the job itself would.
    """
    recipe, schema = load_recipe(recipe_path)
    source = LocalFile(file)
    upload = UploadRecord("check", "", f"inbox/{recipe_path.stem}/{file.name}", "", source.size, datetime.now(UTC))
    manifest = Manifest(upload=upload, format="", recipe=recipe, schema=schema)
    with console.status(f"reading {file.name} ..."):
        attach = Attachments(LocalFiles(files), "") if files else named_only
        check = check_upload(manifest, source, formats=FileFormats(), attach=attach)
    for number, params in enumerate(check.first, 1):
        console.print(Text(f"request {number}", style="bold"))
        console.print(Syntax(_readable(params), "json", background_color="default", word_wrap=True))
    _print_findings(check, console)
    return not check.rejected


def _print_findings(check: Check, console: Console) -> None:
    counts = f"{check.rows:,} rows: {check.estimate.requests:,} requests, {check.rejected:,} rejected"
    console.print(Text(counts, style="bold"))
    for reason in check.reasons:
        console.print(Text(f"  {reason}", style="red"), soft_wrap=True)
    console.print(Text(f"output       output.{check.output}"))
    console.print(Text(f"new columns  {', '.join(check.new_columns)}"), soft_wrap=True)
    estimate = check.estimate
    console.print(
        Text(
            f"estimate     about {estimate.input_tokens:,} tokens in; at the batch price {_dollars(estimate.low)} for "
            f"the input, {_dollars(estimate.high)} if every answer took max_tokens ({estimate.max_tokens:,})"
        ),
        soft_wrap=True,
    )


def _dollars(amount: Decimal | None) -> str:
    return "(price unknown)" if amount is None else f"${amount:,.4f}"


def _readable(params: bytes) -> str:
    return json.dumps(_shortened(json.loads(params)), ensure_ascii=False, indent=2)


def _shortened(value: Any) -> Any:
    match value:
        case str() if len(value) > LONGEST_SHOWN:
            return f"{value[:LONGEST_SHOWN]}… ({len(value):,} characters)"
        case list():
            return [_shortened(one) for one in value]
        case dict():
            return {name: _shortened(one) for name, one in value.items()}
        case _:
            return value
