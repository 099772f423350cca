"""A folder that stands for files/ in the bucket, as `batchdrop check` attaches from it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from batchdrop.cli.check.checking import check_file
from batchdrop.cli.check.local_files import LocalFiles, named_only
from batchdrop.ports import ObjectMissing
from batchdrop.recipe.recipe import Attach
from tests.documents import document

RECIPE = "model: claude-haiku-5-5\nprompt: What is {{ id }}?\nattach: {column: scan, as: image}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an image in it."""
    scans = tmp_path / "scans"
    (scans / "2026").mkdir(parents=True)
    (scans / "2026" / "a.png").write_bytes(document("disc.png"))
    return scans


def test_files_are_read_by_their_keys(folder: Path) -> None:
    """As an object store does."""
    files = LocalFiles(folder)
    assert [key for key, _ in files.keys()] == ["files/2026/a.png"]  # noqa: SIM118 - it is no dictionary
    assert files.size("files/2026/a.png") == len(document("disc.png"))
    assert files.read_range("files/2026/a.png", 1, 4) == b"PNG"
    for missing in ("files/b.png", "files/2026"):
        with pytest.raises(ObjectMissing):
            files.size(missing)


def test_without_the_folder_files_are_only_named() -> None:
    """The shown request says how to see them."""
    block = named_only("a.png", Attach(column="scan", kind="image"))
    assert block["type"] == "image"
    assert "a.png (not read: give the folder of the files with --files)" in block["source"]


@pytest.mark.parametrize(("with_files", "good"), [(True, False), (False, True)])
def test_a_check_reads_the_files_it_is_given(tmp_path: Path, folder: Path, *, with_files: bool, good: bool) -> None:
    """A file that is not there is a reject, as it will be in the job."""
    recipe, table = tmp_path / "r.yaml", tmp_path / "t.csv"
    recipe.write_text(RECIPE)
    table.write_text("id,scan\n1,2026/a.png\n2,b.png\n")
    told = io.StringIO()
    console = Console(file=told, width=200)
    assert check_file(recipe, table, console, files=folder if with_files else None) is good
    assert ("object files/b.png" in told.getvalue()) is with_files
