"""Arguments and options that several commands share."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from batchdrop.cli.console import open_report
from batchdrop.cli.main import app
from batchdrop.cli.options import recipe_and_file

RECIPE, ROWS = Path("ask.yaml"), Path("rows.csv")
COMMANDS = sorted(command.name or command.callback.__name__ for command in app.registered_commands if command.callback)


@pytest.mark.parametrize(
    ("given", "file", "recipe"), [(RECIPE, ROWS, None), (ROWS, RECIPE, None), (ROWS, None, RECIPE)]
)
def test_recipe_and_file_are_told_apart(given: Path, file: Path | None, recipe: Path | None) -> None:
    """The recipe comes first, or last, or is an option."""
    assert recipe_and_file(given, file, recipe) == (RECIPE, ROWS)


def test_a_recipe_of_the_bucket_is_named_first() -> None:
    """It has no ending."""
    assert recipe_and_file(Path("ask"), ROWS, None) == (Path("ask"), ROWS)


def test_a_recipe_can_be_given_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Which one is meant?"""
    with pytest.raises(typer.Exit) as ended:
        recipe_and_file(RECIPE, ROWS, RECIPE)
    assert ended.value.exit_code == 2
    assert capsys.readouterr().err == "Error: the recipe is given twice: before the file, and with --recipe\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_help_ends_with_an_example(command: str) -> None:
    """Which begins with the command itself."""
    shown = CliRunner().invoke(app, [command, "-h"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert shown.exit_code == 0
    assert shown.output.strip().splitlines()[-1].strip().startswith(f"Example: batchdrop {command}")


def test_the_report_is_opened_if_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A canceled job may have none."""
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    open_report(tmp_path)
    (tmp_path / "report.html").write_text("<p>", encoding="utf-8")
    open_report(tmp_path)
    assert opened == [(tmp_path / "report.html").as_uri()]
