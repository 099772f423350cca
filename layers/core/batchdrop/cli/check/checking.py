"""`batchdrop check`: show a file's requests, rejects and cost before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.answers.shape import answer_shape
from batchdrop.cli.check.check_view import print_checked
from batchdrop.cli.check.checked import Checked
from batchdrop.cli.check.findings_view import findings_of_models, print_findings, warnings_of_rows
from batchdrop.cli.check.known_models import own_models
from batchdrop.cli.check.local_file import LocalFile
from batchdrop.cli.check.local_files import LocalFiles, named_only
from batchdrop.cli.check.recipes import load_prices, load_recipe, naming_own_file
from batchdrop.cli.check.token_counting import token_counter
from batchdrop.cli.console import CommandOutput
from batchdrop.cli.options import is_recipe_name
from batchdrop.cli.run.service import Service
from batchdrop.job.job_files import shape_of
from batchdrop.job.manifest import Manifest, UploadRecord
from batchdrop.job.remembering import AnswersOf
from batchdrop.job.upload import parse_inbox_key
from batchdrop.money.prices import effective
from batchdrop.requests.request import RecipeRequests
from batchdrop.split.attachments import Attachments
from batchdrop.split.cap import pricer_of
from batchdrop.split.check_upload import check_upload
from batchdrop.split.count_sample import count_sample
from batchdrop.split.findings import Findings, recipe_findings
from batchdrop.split.row_models import named_models


def check(
    recipe: Path,
    file: Path | None,
    output: CommandOutput,
    *,
    files: Path | None = None,
    exact: Exact | None = None,
    answers: AnswersOf | None = None,
    is_verbose: bool = False,
) -> bool:
    """Check a recipe, and a file if given; print the result. Return True if all is good. Raises like the two checks.

    `recipe` may also be a file of ready-made requests, alone. `answers` opens the answer store.
    """
    if file is None and is_recipe_name(recipe.name):
        return check_recipe(recipe, output)
    own_recipe, rows = (None, recipe) if file is None else (recipe, file)
    if not output.json:
        given: dict[str, Any] = {"files": files, "exact": exact, "answers": answers}
        return check_file(own_recipe, rows, output.console, **given, is_verbose=is_verbose)
    checked = checked_file(own_recipe, rows, output.console, files=files, exact=exact, answers=answers)
    output.document({"good": checked.is_good, **checked.document()})
    return checked.is_good


def check_recipe(path: Path, output: CommandOutput) -> bool:
    """Check a recipe alone and print its model and columns. Return True if all is good. Raises RecipeRejected."""
    recipe, schema = load_recipe(path)
    shape = answer_shape(recipe, schema, name=path.name)
    RecipeRequests(recipe, shape, name=path.name, attach=named_only)
    findings = recipe_findings(recipe, shape)
    findings.add(findings_of_models(path, named_models(recipe), load_prices(path), recipe.betas))
    is_good = not findings.faults
    if output.json:
        document = {"good": is_good, "model": recipe.model, "new_columns": list(shape.columns.names)}
        output.document({**document, "faults": findings.faults, "warnings": findings.warnings})
        return is_good
    console = output.console
    if is_good:
        console.print(Text(f"{path.name}: a good recipe for {recipe.model}", style="green"))
    else:
        console.print(Text(f"{path.name}: a recipe with faults", style="red"))
    print_findings(findings, console)
    console.print(Text(f"new columns  {', '.join(shape.columns.names)}"), soft_wrap=True)
    return is_good


@dataclass(frozen=True, slots=True)
class Exact:
    """Count the tokens of at most `sample` requests on `service`."""

    service: Service
    sample: int


def check_file(
    recipe_path: Path | None,
    file: Path,
    console: Console,
    *,
    files: Path | None = None,
    exact: Exact | None = None,
    answers: AnswersOf | None = None,
    is_verbose: bool = False,
) -> bool:
    """Check a file with its recipe: print its cost, rejects and first prompt. Return True if all is good.

    Without a recipe, the file holds ready-made requests. `is_verbose` also prints the first requests as JSON.
    Raises like `checked_file`.
    """
    checked = checked_file(recipe_path, file, console, files=files, exact=exact, answers=answers)
    print_checked(checked, console, is_verbose=is_verbose)
    return checked.is_good


def checked_file(
    recipe_path: Path | None,
    file: Path,
    console: Console,
    *,
    files: Path | None = None,
    exact: Exact | None = None,
    answers: AnswersOf | None = None,
) -> Checked:
    """Read a file as the job would, and count a sample's tokens if `exact` is set. `console` shows the progress.

    `files` is the local folder for the bucket's `files/`; without it, attached files are named, not read. `answers`
    opens the answer store. Raises JobFault like the job itself, and the errors of token counting.
    """
    recipe, schema = load_recipe(recipe_path) if recipe_path else (None, None)
    own = load_prices(recipe_path) if recipe_path else None
    source = LocalFile(file)
    key = f"inbox/{recipe_path.stem}/{file.name}" if recipe_path else f"inbox/{file.name}"
    upload = UploadRecord("check", "", key, "", source.size, datetime.now(UTC))
    models = own_models(recipe_path) if recipe_path else {}
    manifest = Manifest(upload=upload, format="", recipe=recipe, schema=schema, prices=own, models=models)
    attach = Attachments(LocalFiles(files), "") if files else named_only
    with naming_own_file(recipe_path, parse_inbox_key(key).recipe_key), console.status(f"reading {file.name} ..."):
        pricer_of(manifest)  # raises like the split: a cap needs a price
        sample = exact.sample if exact else 0
        check = check_upload(manifest, source, formats=FileFormats(), attach=attach, sample=sample, answers=answers)
        findings = recipe_findings(recipe, shape_of(manifest)) if recipe else Findings()
    named = (named_models(recipe) if recipe else {}) | check.estimate.most_tokens
    findings.add(findings_of_models(recipe_path, named, own, recipe.betas if recipe else []))
    findings.warnings += warnings_of_rows(check)
    findings.warnings += [manifest.cache.warning] if manifest.cache and manifest.cache.warning else []
    checked = Checked(check, manifest, effective(own), findings)
    if exact is None or not check.sample:
        return checked
    with console.status(f"counting the tokens of {len(check.sample)} requests ..."):
        return _counted(checked, exact.service)


def _counted(checked: Checked, service: Service) -> Checked:
    """Return the check with its estimate scaled to the service's token count."""
    recipe = checked.manifest.recipe
    with token_counter(service, tuple(recipe.betas) if recipe else ()) as counter:
        counted = count_sample(checked.check.sample, counter)
    estimate = checked.check.estimate.scaled(counted.ratio, counted.band)
    checked.check.estimate = checked.manifest.estimate = estimate
    return replace(checked, counted=counted, counted_by=service.counter)
