"""What users do wrong on the command line: a message that says what to do, its exit code, and no traceback."""

from __future__ import annotations

import errno
import io
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text
from typer.testing import CliRunner

from batchdrop.cli import deployment
from batchdrop.cli.console import CommandError, CommandOutput
from batchdrop.cli.main import app
from batchdrop.cli.safe_console import SafeConsole
from batchdrop.local.service_processes import free_port

RECIPE = "model: claude-haiku-5-5\nprompt: 'Review: {{ review }}'\n"
TABLE = "id,review\n1,good\n"

# Words of a command, its exit code, and what it says. {…} are the files below.
MISTAKES: dict[str, tuple[str, int, str]] = {
    "output onto a file": ("run {recipe} {table} --out {table}", 1, "a file is where a folder is needed; give another"),
    "folder for a recipe": ("check {folder} {table}", 2, "is a folder; name a file in it"),
    "folder for a table": ("check {recipe} {folder}", 2, "is a folder; name a file in it"),
    "no such recipe": ("check {folder}/no.yaml {table}", 2, "no.yaml does not exist"),
    "no such table": ("init {folder}/no.csv", 2, "no.csv does not exist"),
    "no such folder": ("init {table} --recipe {folder}/no/a.yaml", 1, "make its folder first, or correct the path"),
    "recipe exists": ("init {table} --recipe {recipe}", 1, "exists, and is not overwritten"),
    "workbook named csv": ("check {recipe} {workbook}", 1, "the file is an Excel workbook; drop it as book.xlsx"),
    "gzip named csv": ("check {recipe} {gzip}", 1, "the file is gzip-compressed; drop it as packed.csv.gz"),
    "empty file": ("check {recipe} {empty}", 1, "the file is empty; a CSV file must start with a header line"),
    "unknown type": ("check {recipe} {odd}", 1, "Save the file as .csv, "),
    "no type": ("check {recipe} {plain}", 1, "no file type"),
    "tab in a recipe": ("check {tabbed} {table}", 1, "line 2, column 1: a tab is where spaces are needed"),
    "recipe of no mapping": ("check {listed} {table}", 1, "a recipe must be a mapping of keys"),
    "column that is not there": ("check {other} {table}", 1, "did you mean 'review'? (columns: id, review)"),
    "recipe twice": ("run {recipe} {table} --recipe {recipe}", 2, "the recipe is given twice"),
    "table without a recipe": ("run {table}", 2, "needs a recipe"),
    "all three": ("run {recipe} {table} --resume --new", 2, "exclude each other; give one of them"),
    "resume of nothing real": ("run {recipe} {table} --resume", 2, "--resume is for a real service"),
    "no such attached folder": ("check {recipe} {table} --files {folder}/no", 2, "no does not exist"),
    "exact without a file": ("check {recipe} --exact", 2, "give the file after the recipe"),
    "endpoint without http": ("ls --endpoint-url localhost:4566", 2, "is not an address; write one such as http"),
    "nothing at the endpoint": ("ls --endpoint-url http://127.0.0.1:{port}", 1, "nothing answers at http://127.0.0.1"),
    "no region": ("ls --stack mine", 1, "no AWS region is set, so no stack 'mine' can be found; give --region"),
    "no credentials": ("ls --region us-east-1", 1, "no AWS credentials, so no stack 'batchdrop' can be found; log in"),
    "unknown status": ("ls --status done --region us-east-1", 2, "--status must be one of running, succeeded"),
    "row 0": ("show 83d --row 0", 2, "greater than or equal to 1"),
    "unknown command": ("runn", 2, "No such command 'runn'"),
    "unknown option": ("check {recipe} --exat", 2, "No such option: --exat"),
    "port of another program": ("up --port {busy}", 1, "another program uses port"),
    "one file too many": ("check {recipe} {table} {table}", 2, "unexpected extra argument"),
    "try without a recipe": ("try {table}", 2, "`batchdrop init FILE` writes a first recipe"),
    "no row to try": ("try {recipe} {table} -n 0", 2, "greater than or equal to 1"),
    "file for attached files": ("check {recipe} {table} --files {table}", 2, "is a file; name its folder"),
    "file for a run's attached files": ("run {recipe} {table} --files {table}", 2, "is a file; name its folder"),
    "rows that are no numbers": ("retry 83d --rows x", 2, "'x' must be a row's number or a range"),
    "limit without --wait": ("retry 83d --max-failed 1%", 2, "give --wait, too"),
    "limit that is none": ("drop {recipe} {table} --wait --max-failed abc", 2, "write a share such as 1%"),
    "path of Windows": (r"check C:\me\ask.yaml {table}", 2, "write the path with / (in WSL, C:\\ is /mnt/c/)"),
    "table that is not UTF-8": ("check {recipe} {latin}", 1, "row 1 (line 2): byte 7 (0xfc) is not UTF-8"),
    "recipe that is not UTF-8": ("check {latin_recipe} {table}", 1, "byte 10 is not UTF-8 text; save the recipe as"),
    "binary recipe": ("check {zeros} {table}", 1, "(U+0000) cannot be in a recipe; remove it"),
    "table without rows": ("check {recipe} {header}", 1, "the file has no rows"),
    "key that is not there": ("check {slip} {table}", 1, "line 1, column 1: unknown key 'modle'; did you mean"),
    "colour in a name": ("check {folder}/\x1b[31mred\x9b.yaml {table}", 2, "/\ufffd[31mred\ufffd.yaml does not exist"),
    "port that is none": ("up --port 70000", 2, "less than or equal to 65535"),
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """Files that are right, and files that are not; no AWS, no key, no stack of this machine."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "ANTHROPIC_", "BATCHDROP_"))]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    deployment._session.cache_clear()  # another test's session has its credentials
    content: dict[str, tuple[str, bytes]] = {
        "recipe": ("ask.yaml", RECIPE.encode()),
        "table": ("rows.csv", TABLE.encode()),
        "workbook": ("book.csv", b"PK\x03\x04 xl/workbook.xml"),
        "gzip": ("packed.csv", b"\x1f\x8b\x08\x00"),
        "empty": ("empty.csv", b""),
        "odd": ("rows.numbers", b"PK"),
        "plain": ("rows", TABLE.encode()),
        "tabbed": ("tabbed.yaml", b"model: m\n\tprompt: p\n"),
        "latin": ("latin.csv", "review\nü\n".encode("latin-1")),
        "latin_recipe": ("latin.yaml", "prompt: 'ü'\n".encode("latin-1")),
        "zeros": ("zeros.yaml", b"prompt: \x00\n"),
        "header": ("header.csv", b"id,review\n"),
        "slip": ("slip.yaml", RECIPE.replace("model", "modle").encode()),
        "listed": ("listed.yaml", b"- model: m\n"),
        "other": ("other.yaml", RECIPE.replace("review }", "reviw }").encode()),
    }
    for name, body in content.values():
        (tmp_path / name).write_bytes(body)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        ports = {"port": free_port(), "busy": listener.getsockname()[1]}
        yield {key: tmp_path / name for key, (name, _) in content.items()} | {"folder": tmp_path} | ports


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_with_what_to_do(files: dict[str, object], mistake: str) -> None:
    """On one screen, without a traceback."""
    words, code, told = MISTAKES[mistake]
    env = {"COLUMNS": "400", "NO_COLOR": "1", "TERM": "dumb"}
    ended = CliRunner().invoke(app, [word.format(**files) for word in words.split()], env=env)
    assert (ended.exit_code, told in ended.output) == (code, True), ended.output
    assert "Traceback" not in ended.output


@pytest.mark.parametrize("name", ["recipe", "windows", "marked", "wide"])
def test_line_ends_and_encodings_of_windows_are_no_mistake(files: dict[str, object], name: str) -> None:
    """Notepad and PowerShell write CRLF, a byte order mark, or UTF-16."""
    folder = Path(str(files["folder"]))
    bodies = {
        "recipe": RECIPE.encode(),
        "windows": RECIPE.replace("\n", "\r\n").encode(),
        "marked": RECIPE.encode("utf-8-sig"),
        "wide": RECIPE.replace("\n", "\r\n").encode("utf-16"),
    }
    (folder / "own.yaml").write_bytes(bodies[name])
    (folder / "own.csv").write_bytes(TABLE.replace("\n", "\r\n").encode("utf-8-sig"))
    ended = CliRunner().invoke(app, ["check", str(folder / "own.yaml"), str(folder / "own.csv")])
    assert ended.exit_code == 0, ended.output


@pytest.mark.parametrize(
    ("number", "path", "told"),
    [
        (errno.ENOSPC, None, "no space left on device; the disk is full: free some space"),
        (errno.EACCES, "out/x", "out/x: permission denied; choose a path that you may write to"),
        (errno.EADDRINUSE, None, "another program uses the port: give another one, or none"),
        (errno.EROFS, "out", "out: read-only file system; the disk cannot be written; give another path"),
    ],
)
def test_an_error_of_the_system_is_no_traceback(
    number: int, path: str | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has a path, or a cause that only the user can remove."""
    with pytest.raises(Exception, match="1"), CommandOutput().reporting_errors():
        raise OSError(number, os.strerror(number), path)
    assert told in capsys.readouterr().err


def test_an_error_of_our_own_is_a_traceback() -> None:
    """A broken pipe within is a bug, not a mistake."""
    with pytest.raises(BrokenPipeError), CommandOutput().reporting_errors():
        raise BrokenPipeError(errno.EPIPE, "broken pipe")


EVIL = "a\x1b]0;title\x07b\x9b31mc\u202ed\u2066e\x9d."
CLEAN = "a\ufffd]0;title\ufffdb\ufffd31mcde\ufffd."


def _table() -> Table:
    table = Table("column")
    table.add_row(EVIL)
    return table


@pytest.mark.parametrize("make", [lambda: Text(EVIL), lambda: EVIL, _table], ids=["text", "markup", "table"])
def test_data_does_not_steer_the_terminal(make: Callable[[], object]) -> None:
    """Neither C0 nor C1 sequences, nor marks that turn the text around; colours are rich's own."""
    file = io.StringIO()
    console = SafeConsole(file=file, force_terminal=True, width=60, color_system="standard")
    console.print(make(), style="red", markup=False)
    shown = file.getvalue()
    assert not set(shown) & set("\x07\x9b\x9d\u202e\u2066")
    assert "\x1b]" not in shown
    assert "\x1b[31m" in shown


def test_an_error_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A file's name may hold anything."""
    with pytest.raises(Exception, match="1"), CommandOutput().reporting_errors():
        raise CommandError(f"{EVIL} does not exist")
    assert capsys.readouterr().err == f"Error: {CLEAN} does not exist\n"
