"""Drop a file: check what can be checked here, upload the recipe, then the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.domain.answer import NewColumns
from batchdrop.domain.answer_shape import schema_file
from batchdrop.domain.prices import PRICES_KEY
from batchdrop.domain.recipe import Input
from batchdrop.domain.upload import parse_inbox_key
from batchdrop.errors import JobFault
from cli.local_files import LocalFiles
from cli.recipes import load_prices, load_recipe, prices_beside


class NotDroppableError(Exception):
    """The file or the recipe cannot be dropped; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Drop:
    """A file on its way into the inbox, under the name of its recipe (None for ready-made requests)."""

    file: Path
    recipe: Path | None
    files: Path | None = None
    """A folder of what the rows attach; it is uploaded before them."""

    @property
    def key(self) -> str:
        """Return the key that the file gets."""
        folder = f"{self.recipe.stem}/" if self.recipe else ""
        return f"inbox/{folder}{self.file.name}"

    def check(self) -> None:
        """Raise NotDroppableError for what would surely fail: a missing file, an unknown type, no or a bad recipe."""
        for path, what in ((self.file, "file"), (self.recipe, "recipe")):
            if path is not None and not path.is_file():
                message = f"there is no {what} {path}"
                raise NotDroppableError(message)
        if self.files is not None and not self.files.is_dir():
            message = f"there is no folder {self.files}"
            raise NotDroppableError(message)
        try:
            recipe, _ = load_recipe(self.recipe) if self.recipe else (None, None)
            if self.recipe is not None:
                load_prices(self.recipe)
            reader = FileFormats().reader(parse_inbox_key(self.key), recipe.input if recipe else Input(), NewColumns())
        except JobFault as error:
            raise NotDroppableError(str(error)) from error
        if self.recipe is None and reader.name != "jsonl":
            message = (
                f"{self.file.name} needs a recipe: --recipe RECIPE.yaml (only .jsonl files can hold ready requests)"
            )
            raise NotDroppableError(message)

    def upload(self, s3: Any, bucket: str) -> None:
        """Upload files to attach, the recipe with its schema and prices, and last the file: it starts the job."""
        for key, path in LocalFiles(self.files).keys() if self.files else ():
            s3.upload_file(str(path), bucket, key)
        if self.recipe is not None:
            file = schema_file(load_recipe(self.recipe)[0])
            if file is not None:
                s3.upload_file(str(self.recipe.with_name(file)), bucket, f"recipes/{file}")
            prices = prices_beside(self.recipe)
            if prices is not None:
                s3.upload_file(str(prices), bucket, PRICES_KEY)
            s3.upload_file(str(self.recipe), bucket, f"recipes/{self.recipe.stem}.yaml")
        s3.upload_file(str(self.file), bucket, self.key)
