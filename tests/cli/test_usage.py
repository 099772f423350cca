"""A command that cannot work says so at once, with exit code 2, before any stack is started."""

from pathlib import Path

import pytest

from tests.cli.commands import BATCHDROP, write_example
from tests.cli.conftest import Starts

CASES: dict[str, tuple[tuple[str, ...], str]] = {
    "file that is not there": (("run", "nowhere.csv", "--recipe", "{recipe}"), "file nowhere.csv"),
    "recipe that is not there": (("run", "{file}", "--recipe", "nowhere.yaml"), "recipe nowhere.yaml does not exist"),
    "folder for a file": (("run", ".", "--recipe", "{recipe}"), "file . is a folder; name a file in it"),
    "unknown spreadsheet": (("run", "{odd}", "--recipe", "{recipe}"), "Save the file as .csv, "),
    "broken recipe": (("run", "{file}", "--recipe", "{broken}"), "unknown key 'promt'; did you mean 'prompt'?"),
    "check of nothing": (("check", "nowhere.yaml"), "file nowhere.yaml"),
    "name without a type": (("run", "{plain}", "--recipe", "{recipe}"), "no file type"),
    "CSV without a recipe": (("run", "{file}"), "needs a recipe: --recipe RECIPE.yaml"),
    "no file at all": (("run",), "Missing argument"),
    "recipe twice": (("run", "{recipe}", "{file}", "--recipe", "{recipe}"), "the recipe is given twice"),
    "no rows in a shard": (("run", "{file}", "--recipe", "{recipe}", "--shard-rows", "0"), "--shard-rows"),
    "too many rows in a shard": (("run", "{file}", "--recipe", "{recipe}", "--shard-rows", "100001"), "--shard-rows"),
    "waits of no length": (("run", "{file}", "--recipe", "{recipe}", "--wait-scale", "0"), "--wait-scale"),
    "unknown option": (("run", "{file}", "--recipy", "{recipe}"), "--recipy"),
    "unknown command": (("runn",), "runn"),
    "impossible port": (("up", "--port", "70000"), "--port"),
}


@pytest.mark.parametrize("case", CASES)
def test_usage_error(starts: Starts, tmp_path: Path, case: str) -> None:
    """Exit code 2 and a message that names what is wrong; no stack, no output folder."""
    file, recipe = write_example(tmp_path)
    (tmp_path / "x.numbers").write_bytes(b"PK")
    (tmp_path / "broken.yaml").write_text("model: m\npromt: p\n")
    (tmp_path / "plain").write_text("text\none\n")
    places = {"file": file, "recipe": recipe, "odd": tmp_path / "x.numbers", "plain": tmp_path / "plain"}
    places["broken"] = tmp_path / "broken.yaml"
    words, says = CASES[case]
    command = starts(BATCHDROP, *(word.format(**places) for word in words), NO_COLOR="1", COLUMNS="300")
    assert command.ended() == 2
    assert says in command.output
    assert sorted(path.name for path in command.folder.iterdir()) == ["output.txt", "temp"]
    assert list(command.temp_root.iterdir()) == []


@pytest.mark.parametrize("command_name", ["run", "up"])
def test_base_url_without_a_key(starts: Starts, tmp_path: Path, command_name: str) -> None:
    """A service named without a key is a usage error that says what to set: the emulator is not asked instead."""
    file, recipe = write_example(tmp_path)
    words = ("run", file, "--recipe", recipe) if command_name == "run" else ("up",)
    command = starts(BATCHDROP, *words, ANTHROPIC_BASE_URL="http://127.0.0.1:9")
    assert command.ended() == 2
    assert command.output.startswith("Error: ANTHROPIC_BASE_URL is set, but ANTHROPIC_API_KEY is not.")
    assert list(command.temp_root.iterdir()) == []
