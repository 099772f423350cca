"""`batchdrop forget --local`: outputs, runs, answers and tries below OUT."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from batchdrop.adapters.sqlite.answers import SqliteAnswerStore
from batchdrop.answer_store.answer import Answer
from batchdrop.answer_store.forgotten import subject_id
from batchdrop.cli.main import app
from batchdrop.cli.run.run_folder import RunFolder
from tests.answer_store.runs import answer_to
from tests.cli.stored_run import JOB, stopped, store
from tests.fakes import START

FOLDER = f"results/ask/five rows/{JOB}/"
SUMMARY = {
    "status": "succeeded",
    "input": "inbox/ask/five rows.csv",
    "results": FOLDER,
    "timings": {"uploaded_at": START.isoformat()},
    "tally": {"rows": 2, "answered": 2, "unusable": 0, "rejected": 0},
}
AT = int(START.timestamp())


def run(*words: str | Path) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["forget", "--local", *map(str, words)], catch_exceptions=False)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Outputs of one job, its answers, and those of tries."""
    folder = tmp_path / "out" / JOB
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(SUMMARY), encoding="utf-8")
    body = b"who;x;answer;_status;_error\r\nann;A;1;answered;\r\nbob;B;2;answered;\r\n"
    (folder / "output.csv").write_bytes(body)
    (folder / "failed.jsonl").write_text('{"who":"ann","x":"A","_row":1,"_status":"failed"}\n', encoding="utf-8")
    (folder / "report.html").write_text("ann said A", encoding="utf-8")
    answers = SqliteAnswerStore(tmp_path / "out" / "answers-claude.sqlite")
    secret = answers.secret("ask")
    answers.write_run("ask", "one", [_answer(secret, "ann", b"a"), _answer(secret, "bob", b"b")])
    answers.publish("ask", ["one"])
    (tmp_path / "out" / "tried.sqlite").write_bytes(b"ann's answer")
    return tmp_path / "out"


def _answer(secret: bytes, who: str, key: bytes) -> Answer:
    return msgspec.structs.replace(answer_to(key * 16, AT, f"answer of {who}"), subject=subject_id(secret, who))


def files_with(out: Path, text: bytes) -> list[str]:
    """Return the files that have a text."""
    return sorted(path.name for path in out.rglob("*") if path.is_file() and text in path.read_bytes())


def test_a_subject(out: Path) -> None:
    """Its rows are emptied in place, in the file's own dialect; its answers are not in any page of the file."""
    words = ("--recipe", "ask", "--subject", "ann", "--column", "who", "--out", out)
    assert "nothing was removed yet" in run(*words).stdout
    assert files_with(out, b"ann")
    result = run(*words, "--yes")
    assert (result.exit_code, files_with(out, b"ann")) == (0, [])
    assert f"{out / JOB / 'output.csv'}  " in result.stdout
    assert (out / JOB / "output.csv").read_bytes() == (
        b"who;x;answer;_status;_error\r\n;;;skipped;forgotten\r\nbob;B;2;answered;\r\n"
    )
    assert (out / JOB / "failed.jsonl").read_bytes() == b""
    assert not (out / "tried.sqlite").exists()
    answers = SqliteAnswerStore(out / "answers-claude.sqlite")
    with answers.opened("ask", answers.view("ask"), since=0, rows=2) as look_up:
        assert [place is not None for place in look_up.find([b"a" * 16, b"b" * 16], packed=False)] == [False, True]


@pytest.mark.parametrize("words", [(JOB,), (JOB[:12],), (JOB.partition("-")[2][:4],), ("--recipe", "ask")])
def test_a_file_and_a_recipe(out: Path, words: tuple[str, ...]) -> None:
    """The job's folder and all its answers go."""
    assert run(*words, "--out", out, "--yes").exit_code == 0
    assert files_with(out, b"answer of") == []
    assert [path.name for path in out.iterdir()] == ["answers-claude.sqlite"]


def test_rows_take_the_answers_of_their_file(out: Path) -> None:
    """Without the job's files, nothing tells which answer a row has; the other answers are paid again, at worst."""
    assert run(JOB, "--rows", "2", "--out", out, "--yes").exit_code == 0
    assert (files_with(out, b"answer of"), files_with(out, b"bob")) == ([], [])
    assert "ann;A;1" in (out / JOB / "output.csv").read_text("utf-8")


def test_a_column_that_the_outputs_lack(out: Path) -> None:
    """Nothing is removed from them."""
    run("--recipe", "ask", "--subject", "ann", "--column", "name", "--out", out, "--yes")
    assert "output.csv" in files_with(out, b"ann;A;1")


def test_a_job_that_is_not_there(out: Path) -> None:
    """The message names those that are."""
    result = run("2020", "--out", out)
    assert (result.exit_code, JOB in result.stderr) == (1, True)


@pytest.mark.parametrize(("end", "code"), [(lambda _: None, 3), (RunFolder.remove, 0)])
def test_a_run_that_is_not_finished(tmp_path: Path, end: Callable[[RunFolder], None], code: int) -> None:
    """It may have open requests at the API, so its user decides first."""
    folder = RunFolder(tmp_path / "run-1")
    stopped(folder)
    end(folder)
    result = run("--recipe", "ask", "--out", tmp_path, "--yes")
    assert result.exit_code == code
    assert ("its run is not finished" in result.stdout) == bool(code)


def test_the_folder_of_an_ended_run_goes(tmp_path: Path) -> None:
    """It was kept for a retry."""
    folder = RunFolder(tmp_path / "run-1")
    store(folder, f"{FOLDER}summary.json", json.dumps(SUMMARY).encode())
    store(folder, f"{FOLDER}output.csv", b"who,_status,_error\nann,answered,\n")
    result = run("--recipe", "ask", "--subject", "ann", "--column", "who", "--out", tmp_path, "--yes")
    assert (result.exit_code, folder.path.exists()) == (0, False)
