"""Drop a file: check it locally, upload the recipe, then the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.answers.columns import NewColumns
from batchdrop.answers.shape import schema_file
from batchdrop.cli.check.known_models import models_beside, own_models
from batchdrop.cli.check.local_files import LocalFiles
from batchdrop.cli.check.recipes import load_prices, load_recipe, prices_beside
from batchdrop.cli.console import USAGE_ERROR, CommandError
from batchdrop.cli.run.transfers import Transfer
from batchdrop.errors import JobFault
from batchdrop.job.upload import parse_inbox_key
from batchdrop.money.prices import PRICES_KEY
from batchdrop.recipe.models import MODELS_KEY
from batchdrop.recipe.recipe import Input, Recipe
from batchdrop.split.ready_made import READY_MADE_FORMATS


class NotDroppableError(CommandError):
    """The file or the recipe cannot be dropped; the message says what to do."""

    exit_code = USAGE_ERROR


@dataclass(frozen=True, slots=True)
class Drop:
    """A file to drop into the inbox, under the name of its recipe (None for ready requests)."""

    file: Path
    recipe: Path | None
    files: Path | None = None
    """The folder of attached files, which is uploaded first."""
    kept: Recipe | None = None
    """The name of a recipe in the bucket to use unchanged; then no recipe is uploaded."""

    @property
    def key(self) -> str:
        """Return the file's key in the bucket."""
        folder = f"{self.recipe.stem}/" if self.recipe else ""
        return f"inbox/{folder}{self.file.name}"

    def check(self) -> None:
        """Raise NotDroppableError for a missing file, an unknown type, or a missing or bad recipe."""
        for path, what in ((self.file, "file"), (None if self.kept else self.recipe, "recipe")):
            if path is not None and not path.is_file():
                message = f"{what} {path} " + ("is a folder; name a file in it" if path.is_dir() else "does not exist")
                raise NotDroppableError(message)
        if self.files is not None and not self.files.is_dir():
            is_there = self.files.exists()
            message = f"{self.files} is a file; name its folder" if is_there else f"folder {self.files} does not exist"
            raise NotDroppableError(message)
        try:
            recipe = self.kept or (load_recipe(self.recipe)[0] if self.recipe else None)
            if self.recipe is not None and not self.kept:
                load_prices(self.recipe)
                own_models(self.recipe)
            reader = FileFormats().reader(parse_inbox_key(self.key), recipe.input if recipe else Input(), NewColumns())
        except JobFault as error:
            raise NotDroppableError(str(error)) from error
        if self.recipe is None and reader.name not in READY_MADE_FORMATS:
            message = (
                f"{self.file.name} needs a recipe: --recipe RECIPE.yaml (only .jsonl and .json files can hold ready "
                "requests)"
            )
            raise NotDroppableError(message)

    def uploads(self) -> list[tuple[Path, str]]:
        """Return paths and keys in upload order: attached files, the recipe with its companions, and last the file."""
        attached = LocalFiles(self.files).keys() if self.files else ()
        return [*((path, key) for key, path in attached), *self._recipe_uploads(), (self.file, self.key)]

    def _recipe_uploads(self) -> list[tuple[Path, str]]:
        if self.recipe is None or self.kept:
            return []
        schema = schema_file(load_recipe(self.recipe)[0])
        beside = [(self.recipe.with_name(schema), f"recipes/{schema}")] if schema else []
        prices = prices_beside(self.recipe)
        beside += [(prices, PRICES_KEY)] if prices else []
        models = models_beside(self.recipe)
        beside += [(models, MODELS_KEY)] if models else []
        return [*beside, (self.recipe, f"recipes/{self.recipe.stem}.yaml")]

    def upload(self, s3: Any, bucket: str, transfer: Transfer | None = None) -> None:
        """Upload everything, in that order; large files go in parts, several at a time."""
        uploads, shown = self.uploads(), transfer or Transfer()
        shown.expect(sum(path.stat().st_size for path, _ in uploads))
        for path, key in uploads:
            shown.name(path.name)
            s3.upload_file(str(path), bucket, key, Callback=shown.moved)
