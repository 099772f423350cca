"""What can be told to fail before anything is started, and where a file goes."""

from pathlib import Path

import pytest

from cli.dropping import Drop, NotDroppableError


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


@pytest.mark.parametrize("name", ["x.xlsx", "x.csv.gz", "x", "x.tsv"])
def test_unreadable_file_type(tmp_path: Path, recipe: Path, name: str) -> None:
    """The message names the file and says what to save it as."""
    with pytest.raises(NotDroppableError, match=rf"^{name}: .*\.csv or .*\.jsonl"):
        Drop(_file(tmp_path, name), recipe).check()


def test_csv_without_recipe(tmp_path: Path) -> None:
    """Nobody could know what to ask."""
    with pytest.raises(NotDroppableError, match="needs a recipe"):
        Drop(_file(tmp_path, "x.csv"), None).check()


def test_what_is_not_there(tmp_path: Path, recipe: Path) -> None:
    """The message tells which of the two."""
    with pytest.raises(NotDroppableError, match=r"no file .*nowhere\.csv"):
        Drop(tmp_path / "nowhere.csv", recipe).check()
    with pytest.raises(NotDroppableError, match=r"no recipe .*nowhere\.yaml"):
        Drop(_file(tmp_path, "x.csv"), tmp_path / "nowhere.yaml").check()
