"""A local folder in place of the bucket's `files/`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from batchdrop.ports import ObjectMissing
from batchdrop.recipe.recipe import Attach
from batchdrop.split.attachments import FILES


class LocalFiles:
    """The files of a folder, by the keys that they will get."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keys(self) -> Iterator[tuple[str, Path]]:
        """Yield each file's key and path, in order, without folders and hidden files."""
        for path in sorted(self._folder.rglob("*")):
            parts = path.relative_to(self._folder).parts
            if path.is_file() and not any(part.startswith(".") for part in parts):
                yield FILES + "/".join(parts), path

    def size(self, key: str) -> int:
        """Return a file's bytes. Raises ObjectMissing."""
        return self._path(key).stat().st_size

    def read_range(self, key: str, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to but not including `end`. Raises ObjectMissing."""
        with self._path(key).open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    def _path(self, key: str) -> Path:
        path = self._folder / key.removeprefix(FILES)
        if not path.is_file():
            raise ObjectMissing(key)
        return path


def named_only(cell: str, attach: Attach, /) -> dict[str, Any]:
    """Return a placeholder for an attached file that is not read."""
    return {"type": attach.kind, "source": f"{cell} (not read: give the folder of the files with --files)"}
