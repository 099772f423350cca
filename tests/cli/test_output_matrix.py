"""Each output format through `run`, `drop --wait` and `fetch`: on a terminal, in a pipe, and as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import BATCHDROP, USERS_OWN, start
from tests.cli.terminal import in_terminal
from tests.local.polling import eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

WAIT_SCALE = "0.001"
FORMATS = ("csv", "tsv", "jsonl", "json", "parquet", "xlsx")
# The last row ends early, one answer is cut, one row is rejected: in a workbook, rows of different lengths.
ROWS = 'id,text,note\n001,good,\n002,"two\nlines",last\n003,,\n004,日本語,\n'
SAID = "4 rows = 3 answered"


# One process for many commands, for its imports take longer than they do. An odd character parts their outputs.
END = "\x1e"
DRIVER = f"""
import json, sys
from batchdrop.cli.main import app
for words in json.load(open(sys.argv[1])):
    try:
        app(words)
    except SystemExit as end:
        print(f"exit code {{end.code}}{END}", flush=True)
"""


@dataclass(frozen=True)
class Shell:
    """A folder with a file and a recipe per format, beside a running stack."""

    folder: Path
    environment: dict[str, str]

    def types(self, *commands: Sequence[str]) -> list[str]:
        """Run commands in a terminal, one after the other; return what each showed."""
        seen = in_terminal(self._driver(commands), folder=self.folder, environment=self.environment, columns=80)
        return self._parted(seen.text)

    def pipes(self, *commands: Sequence[str]) -> list[str]:
        """Run commands in a pipe, one after the other; return what each wrote to stdout."""
        ended = subprocess.run(
            self._driver(commands), cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        return self._parted(ended.stdout)

    def documents(self, *commands: Sequence[str]) -> list[Any]:
        """Run commands with --json; return their documents."""
        return [json.loads(text) for text in self.pipes(*([*words, "--json"] for words in commands))]

    def _driver(self, commands: Sequence[Sequence[str]]) -> list[str]:
        (self.folder / "commands.json").write_text(json.dumps([list(words) for words in commands]), encoding="utf-8")
        return [sys.executable, "-c", DRIVER, "commands.json"]

    def _parted(self, text: str) -> list[str]:
        *outputs, rest = text.split(END)
        assert not rest.strip(), rest
        good = "exit code 0"
        assert all(output.rstrip().endswith(good) for output in outputs), text
        return [output.rstrip().removesuffix(good) for output in outputs]


def _write_files(folder: Path) -> None:
    (folder / "rows.csv").write_text(ROWS, encoding="utf-8")
    for name in FORMATS:
        recipe = f"model: claude-haiku-5-5\nmax_tokens: 64\nprompt: '{{{{ text }}}}'\noutput: {{format: {name}}}\n"
        (folder / f"{name}.yaml").write_text(recipe, encoding="utf-8")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A stack that runs beside the commands."""
    folder = tmp_path_factory.mktemp("matrix")
    _write_files(folder)
    up = start([BATCHDROP, "up", "--wait-scale", WAIT_SCALE, "--json"], folder)
    own = {name: value for name, value in os.environ.items() if name not in USERS_OWN}
    try:
        eventually(lambda: up.output.endswith("}\n") or up.process.poll() is not None, seconds=200, what="the start")
        yield Shell(folder, own | {"XDG_RUNTIME_DIR": str(up.temp_root), "TMPDIR": str(folder)})
        up.interrupt()
        up.ended()
    finally:
        up.kill_all()


def _drops(out: str) -> list[list[str]]:
    return [["drop", "rows.csv", "--recipe", f"{name}.yaml", "--wait", "--out", out] for name in FORMATS]


def _names(document: Any) -> set[str]:
    return {Path(one["path"]).name for one in document["files"]}


def _jobs(folder: Path) -> list[str]:
    """Return the jobs in the order of FORMATS, which is that of their drops."""
    return sorted(path.name for path in folder.iterdir())


def _shows(text: str, name: str) -> bool:
    return SAID in text and f"output.{name}" in text and "cannot be shown" not in text


def test_drop_and_fetch_on_a_terminal(shell: Shell) -> None:
    """The answers are shown, and the output is named."""
    seen = shell.types(*_drops("seen"))
    assert [_shows(text, name) for name, text in zip(FORMATS, seen, strict=True)] == [True] * len(FORMATS), seen
    fetched = shell.types(*(["fetch", job, "--out", "again"] for job in _jobs(shell.folder / "seen")))
    assert [_shows(text, name) for name, text in zip(FORMATS, fetched, strict=True)] == [True] * len(FORMATS), fetched


def test_drop_and_fetch_in_a_pipe(shell: Shell) -> None:
    """The same in a pipe, without control codes; and as JSON, one document each."""
    told = shell.documents(*_drops("told"))
    assert all(f"output.{name}" in _names(one) for name, one in zip(FORMATS, told, strict=True))
    jobs = _jobs(shell.folder / "told")
    piped = shell.pipes(*(["fetch", job, "--out", "piped"] for job in jobs))
    assert [_shows(text, name) for name, text in zip(FORMATS, piped, strict=True)] == [True] * len(FORMATS), piped
    assert "\x1b" not in "".join(piped)
    fetched = shell.documents(*(["fetch", job, "--out", "once more"] for job in jobs))
    assert [f"output.{name}" in _names(one) for name, one in zip(FORMATS, fetched, strict=True)] == [True] * len(
        FORMATS
    )


MODELS = "model: {model}\nmax_tokens: 64\nprompt: '{{{{ text }}}}'\nanswer: {{label: {{enum: [a, b]}}}}\n"
SAVE = "save: {keep: 0.5, sample: 100, try: [claude-haiku-5-5]}\n"


def test_compare_and_save_in_every_form(shell: Shell) -> None:
    """On a terminal of 80 columns, in a pipe without control codes, and as one JSON document."""
    best, cheap = (MODELS.format(model=f"claude-{name}-5-5") for name in ("opus", "haiku"))
    for name, text in (("best", best), ("cheap", cheap), ("saving", best + SAVE)):
        (shell.folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    table = "id,text\n" + "".join(f"{row},row {row} of 600\n" for row in range(600))
    (shell.folder / "many.csv").write_text(table, encoding="utf-8")
    compare = ["compare", "best.yaml", "cheap.yaml", "many.csv", "--rows", "20"]
    seen = shell.types(compare)
    assert "agrees with A on" in seen[0]
    assert "the page: out/compare.html" in seen[0]
    piped = shell.pipes(compare)
    assert "agrees with A on" in piped[0]
    assert "\x1b" not in piped[0]
    [compared] = shell.documents(compare)
    assert [plan["answered"] for plan in compared["plans"]] == [20, 20]
    saved = subprocess.run(
        [BATCHDROP, "save", "saving.yaml", "many.csv"],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "the page: out/save.html" in saved.stdout, saved.stdout + saved.stderr
    assert "no model is certified" in saved.stdout, "the emulator's models answer at random here"
    assert "\x1b" not in saved.stdout
    assert saved.returncode == 1


def test_run_of_a_workbook(tmp_path: Path) -> None:
    """`run` needs no running stack; a workbook's rows end at their last cell, and --json names folders."""
    _write_files(tmp_path)
    own = {name: value for name, value in os.environ.items() if name not in USERS_OWN}
    shell = Shell(tmp_path, own | {"TMPDIR": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)})
    words = ["run", "rows.csv", "--recipe", "xlsx.yaml", "--wait-scale", WAIT_SCALE]
    [text] = shell.pipes(words)
    assert _shows(text, "xlsx"), text
    [told] = shell.documents(words)
    assert told["succeeded"]
    assert (tmp_path / told["folder"] / "output.xlsx").is_file()
