"""Drop a file: check what can be checked here, upload the recipe, then the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.domain.answer import NewColumns
from batchdrop.domain.recipe import Input
from batchdrop.domain.upload import parse_inbox_key
from batchdrop.errors import UploadRejected


class NotDroppableError(Exception):
    """The file or the recipe cannot be dropped; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Drop:
    """A file on its way into the inbox, under the name of its recipe (None for ready-made requests)."""

    file: Path
    recipe: Path | None

    @property
    def key(self) -> str:
        """Return the key that the file gets."""
        folder = f"{self.recipe.stem}/" if self.recipe else ""
        return f"inbox/{folder}{self.file.name}"

    def check(self) -> None:
        """Raise NotDroppableError for what would surely fail: a missing file, an unknown file type, no recipe."""
        for path, what in ((self.file, "file"), (self.recipe, "recipe")):
            if path is not None and not path.is_file():
                message = f"there is no {what} {path}"
                raise NotDroppableError(message)
        try:
            reader = FileFormats().reader(parse_inbox_key(self.key), Input(), NewColumns())
        except UploadRejected as error:
            raise NotDroppableError(str(error)) from error
        if self.recipe is None and reader.name != "jsonl":
            message = (
                f"{self.file.name} needs a recipe: --recipe RECIPE.yaml (only .jsonl files can hold ready requests)"
            )
            raise NotDroppableError(message)

    def upload(self, s3: Any, bucket: str) -> None:
        """Upload recipe and file, in that order: the file's arrival starts the job."""
        if self.recipe is not None:
            s3.upload_file(str(self.recipe), bucket, f"recipes/{self.recipe.stem}.yaml")
        s3.upload_file(str(self.file), bucket, self.key)
