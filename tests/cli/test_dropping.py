"""What can be told to fail before anything is started, and where a file goes."""

import json
from pathlib import Path

import pytest

from batchdrop.cli.run.dropping import Drop, NotDroppableError


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe's file."""
    path = tmp_path / "my recipe.yaml"
    path.write_text("model: m\nprompt: p\n")
    return path


def _file(tmp_path: Path, name: str) -> Path:
    path = tmp_path / name
    path.write_text("text\none\n")
    return path


def test_key_is_made_of_both_names(tmp_path: Path, recipe: Path) -> None:
    """The recipe's name is the folder; the file keeps its own."""
    assert Drop(tmp_path / "a b+c.csv", recipe).key == "inbox/my recipe/a b+c.csv"


def test_ready_requests_go_right_under_the_inbox(tmp_path: Path) -> None:
    """Without a recipe there is no folder."""
    assert Drop(tmp_path / "ready.jsonl", None).key == "inbox/ready.jsonl"


@pytest.mark.parametrize("name", ["x.csv", "x.CSV", "x.jsonl", "x.ndjson", "my file.v2.csv"])
def test_droppable(tmp_path: Path, recipe: Path, name: str) -> None:
    """Every readable file type passes."""
    Drop(_file(tmp_path, name), recipe).check()


@pytest.mark.parametrize("name", ["ready.jsonl", "ready.ndjson"])
def test_droppable_without_recipe(tmp_path: Path, name: str) -> None:
    """JSON lines may be requests already."""
    Drop(_file(tmp_path, name), None).check()


@pytest.mark.parametrize("name", ["x.numbers", "x.doc.gz", "x", "x.7z"])
def test_unreadable_file_type(tmp_path: Path, recipe: Path, name: str) -> None:
    """The message names the file and says what to save it as."""
    with pytest.raises(NotDroppableError, match=rf"^{name}: .*\.csv.*\.jsonl"):
        Drop(_file(tmp_path, name), recipe).check()


def test_csv_without_recipe(tmp_path: Path) -> None:
    """Nobody could know what to ask."""
    with pytest.raises(NotDroppableError, match="needs a recipe"):
        Drop(_file(tmp_path, "x.csv"), None).check()


def test_missing_files(tmp_path: Path, recipe: Path) -> None:
    """The message tells which of the two."""
    with pytest.raises(NotDroppableError, match=r"file .*nowhere\.csv does not exist"):
        Drop(tmp_path / "nowhere.csv", recipe).check()
    with pytest.raises(NotDroppableError, match=r"recipe .*nowhere\.yaml does not exist"):
        Drop(_file(tmp_path, "x.csv"), tmp_path / "nowhere.yaml").check()


@pytest.mark.parametrize("name", ["letter.pdf", "photo", "x.xyz", "many.zip"])
def test_any_name_is_a_file_where_files_are_rows(tmp_path: Path, recipe: Path, name: str) -> None:
    """The recipe says so."""
    recipe.write_text("model: m\nprompt: p\ninput: files\n")
    Drop(_file(tmp_path, name), recipe).check()


def test_a_broken_recipe_is_reported_before_anything_starts(tmp_path: Path, recipe: Path) -> None:
    """With the key, as the job would."""
    recipe.write_text("model: m\nprompt: p\nmax_token: 5\n")
    with pytest.raises(NotDroppableError, match="unknown key 'max_token'; did you mean 'max_tokens'"):
        Drop(_file(tmp_path, "x.csv"), recipe).check()


def test_a_schema_file_goes_with_its_recipe(tmp_path: Path, recipe: Path) -> None:
    """It lies beside the recipe, here and in the bucket."""
    shape = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    (tmp_path / "shape.json").write_text(json.dumps(shape | {"additionalProperties": False}))
    recipe.write_text("model: m\nprompt: p\nanswer: {schema: shape.json}\n")
    bucket = _Bucket()
    Drop(_file(tmp_path, "x.csv"), recipe).upload(bucket, "b")
    assert [key for _, key in bucket.uploads][:2] == ["recipes/shape.json", f"recipes/{recipe.stem}.yaml"]


class _Bucket:
    def __init__(self) -> None:
        self.uploads: list[tuple[str, str]] = []

    def upload_file(self, path: str, bucket: str, key: str, **_callback: object) -> None:
        self.uploads.append((Path(path).name, key))


def test_attached_files_go_before_the_rows(tmp_path: Path, recipe: Path) -> None:
    """Under files/, with their folders, without what is hidden; the file that starts the job comes last."""
    scans = tmp_path / "scans"
    (scans / "2026").mkdir(parents=True)
    for name in ("b.pdf", "2026/a.png", ".DS_Store"):
        (scans / name).write_bytes(b"x")
    drop, bucket = Drop(_file(tmp_path, "x.csv"), recipe, scans), _Bucket()
    drop.check()
    drop.upload(bucket, "bucket")
    assert bucket.uploads == [
        ("a.png", "files/2026/a.png"),
        ("b.pdf", "files/b.pdf"),
        ("my recipe.yaml", "recipes/my recipe.yaml"),
        ("x.csv", "inbox/my recipe/x.csv"),
    ]


def test_a_folder_that_is_not_there(tmp_path: Path, recipe: Path) -> None:
    """Told before anything is started."""
    with pytest.raises(NotDroppableError, match=r"folder .*scans does not exist"):
        Drop(_file(tmp_path, "x.csv"), recipe, tmp_path / "scans").check()
