"""`batchdrop init`: the recipe that it writes is good for the file, whatever its columns are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.cli.check.checking import checked_file
from batchdrop.cli.check.first_recipe import MOST_COLUMNS, write_first_recipe
from batchdrop.cli.console import CommandError, CommandOutput
from batchdrop.errors import UploadRejected
from tests.strategies import cells

TABLE = "id,Customer ID,a/b,{{ x }},if\n1,c-7,ratio,braces,word\n"


def test_a_table_gets_a_recipe_that_reads_all_its_columns(tmp_path: Path) -> None:
    """Also those that are not one word, or are Jinja's."""
    file = tmp_path / "t.csv"
    file.write_text(TABLE, encoding="utf-8")
    written = write_first_recipe(file, tmp_path / "ask.yaml")
    assert written.columns == ["id", "Customer ID", "a/b", "{{ x }}", "if"]
    checked = checked_file(written.recipe, file, CommandOutput().console)
    assert checked.is_good
    assert checked.check.new_columns == ["label", "reason", "_status", "_error", "_raw"]
    sent = json.loads(checked.check.first[0])
    assert sent["messages"][0]["content"] == "id: 1\nCustomer ID: c-7\na/b: ratio\n(( x )): braces\nif: word"


@given(names=st.lists(cells().filter(bool), min_size=1, max_size=4, unique=True))
def test_any_columns_can_be_read(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    """Their names may hold quotes, line ends, control characters."""
    folder = tmp_path_factory.mktemp("init")
    file = folder / "t.jsonl"
    row = {name: f"cell {number}" for number, name in enumerate(names)}
    file.write_text(json.dumps(row) + "\n", encoding="utf-8")
    written = write_first_recipe(file, folder / "ask.yaml")
    checked = checked_file(written.recipe, file, CommandOutput().console)
    [message] = json.loads(checked.check.first[0])["messages"]
    assert all(cell in message["content"] for cell in row.values())


def test_a_wide_table_is_shortened(tmp_path: Path) -> None:
    """The first columns are in the prompt; the others are named."""
    file = tmp_path / "wide.csv"
    file.write_text(",".join(f"c{number}" for number in range(40)) + "\n" + ",".join("x" * 40) + "\n")
    written = write_first_recipe(file, tmp_path / "wide.yaml")
    assert written.left_out == [f"c{number}" for number in range(MOST_COLUMNS, 40)]
    assert "c12" not in written.recipe.read_text(encoding="utf-8")


def test_a_recipe_is_not_overwritten(tmp_path: Path) -> None:
    """It may be the user's work."""
    file, recipe = tmp_path / "t.csv", tmp_path / "t.yaml"
    file.write_text(TABLE, encoding="utf-8")
    recipe.write_text("mine", encoding="utf-8")
    with pytest.raises(CommandError, match=r"t\.yaml exists, and is not overwritten; give another name with --recipe"):
        write_first_recipe(file, recipe)
    assert recipe.read_text(encoding="utf-8") == "mine"


def test_ready_requests_need_none(tmp_path: Path) -> None:
    """The message says how to check them."""
    file = tmp_path / "requests.jsonl"
    file.write_text('{"custom_id": "a", "params": {}}\n', encoding="utf-8")
    with pytest.raises(CommandError, match=r"has ready requests, and needs no recipe: `batchdrop check \S+`"):
        write_first_recipe(file, tmp_path / "r.yaml")
    assert not (tmp_path / "r.yaml").exists()


def test_an_encoding_goes_into_the_recipe(tmp_path: Path) -> None:
    """So that the job reads the file in the same way."""
    file = tmp_path / "t.csv"
    file.write_bytes("Größe\nübergroß\n".encode("cp1252"))
    with pytest.raises(UploadRejected, match="is not UTF-8"):
        write_first_recipe(file, tmp_path / "t.yaml")
    written = write_first_recipe(file, tmp_path / "t.yaml", encoding="cp1252")
    assert written.columns == ["Größe"]
    assert checked_file(written.recipe, file, CommandOutput().console).is_good
