"""How commands speak: one line or JSON, on the right stream, with the right exit code; and how fast they begin to."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from botocore.exceptions import ClientError, NoCredentialsError
from typer.testing import CliRunner

from batchdrop.cli.console import CommandError, CommandOutput
from batchdrop.cli.main import app
from batchdrop.cli.run.dropping import NotDroppableError
from batchdrop.errors import RecipeRejected
from batchdrop.local.stack import StackError

ERRORS: list[tuple[Exception, int]] = [
    (CommandError("no\nsuch job"), 1),
    (NotDroppableError("no such file"), 2),
    (StackError("it broke"), 1),
    (RecipeRejected("no such key"), 1),
    (NoCredentialsError(), 1),
    (ClientError({"Error": {"Code": "ExpiredToken", "Message": "old"}}, "GetObject"), 1),
]


@pytest.mark.parametrize(("error", "code"), ERRORS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("as_json", [True, False])
def test_what_cannot_be_done(
    error: Exception,
    code: int,
    as_json: bool,  # noqa: FBT001 - pytest's parameter
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line on stderr, nothing on stdout."""
    with pytest.raises(typer.Exit) as ended, CommandOutput(as_json).reporting_errors():
        raise error
    written = capsys.readouterr()
    assert (ended.value.exit_code, written.out, written.err.count("\n")) == (code, "", 1)
    if as_json:
        assert set(json.loads(written.err)["error"]) == {"type", "message"}
    else:
        assert written.err.startswith("Error: ")


def test_a_defect_is_not_hidden() -> None:
    """It shows where it is."""
    with pytest.raises(ZeroDivisionError), CommandOutput().reporting_errors():
        _ = 1 / 0


def test_check_for_programs(tmp_path: Path) -> None:
    """What was found, as one document; exit code 1 if a row would be rejected."""
    recipe, file = tmp_path / "r.yaml", tmp_path / "f.csv"
    recipe.write_text("model: claude-haiku-5-5\nprompt: '{{ x }}'\n")
    file.write_text("x,y\na,1\nb\n")
    alone = CliRunner().invoke(app, ["check", str(recipe), "--json"])
    assert (alone.exit_code, json.loads(alone.stdout)["good"]) == (0, True)
    both = CliRunner().invoke(app, ["check", str(recipe), str(file), "--json"])
    told = json.loads(both.stdout)
    assert (both.exit_code, told["good"], told["rows"], told["rejected"]) == (1, False, 2, 1)


def test_help_comes_at_once() -> None:
    """What a command needs is imported when it runs: boto3 alone takes half a second."""
    heavy = ("boto3", "botocore", "msgspec", "jinja2", "pyarrow")
    code = f"import sys, batchdrop.cli.main; print([name for name in {heavy} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
