"""`batchdrop retry` for a job of `batchdrop run`: its folder is kept while rows have no usable answer."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from batchdrop.cli.console import UNDECIDED
from batchdrop.cli.run.dropping import Drop
from batchdrop.cli.run.kept_runs import kept_run
from batchdrop.cli.run.one_shot import Run
from batchdrop.cli.run.run_folder import RunFolder
from batchdrop.cli.run.service import Service
from batchdrop.report.commands import commands_of
from tests.cli.commands import BATCHDROP, Command, start
from tests.cli.real_service import KEY, RealService, real_service
from tests.cli.stored_run import JOB, stopped, store

SUMMARY = {"status": "succeeded", "tally": {"rows": 5, "answered": 3, "unusable": 1, "rejected": 1}}


def _kept(out: Path, name: str = "run-1") -> RunFolder:
    folder = RunFolder(out / name)
    stopped(folder)
    store(folder, f"results/ask/five rows/{JOB}/summary.json", json.dumps(SUMMARY).encode())
    return folder


@pytest.mark.parametrize("wanted", [JOB, JOB[:12], "0123", f"{JOB}-v2"])
def test_a_run_is_found_by_its_job(tmp_path: Path, wanted: str) -> None:
    """By the id, its beginning, the beginning of its last part, or a later version."""
    folder = _kept(tmp_path)
    found = kept_run(tmp_path, wanted)
    assert found is not None
    assert (found.folder, found.job_id) == (folder, JOB)


@pytest.mark.parametrize("wanted", ["", "2025", "999"])
def test_no_run_is_meant(tmp_path: Path, wanted: str) -> None:
    """Then a stack is asked."""
    _kept(tmp_path)
    assert kept_run(tmp_path, wanted) is None


def test_a_run_that_was_set_aside_is_not_meant(tmp_path: Path) -> None:
    """Its user started again."""
    _kept(tmp_path, "run-1-abandoned-1")
    assert kept_run(tmp_path, JOB) is None
    assert kept_run(tmp_path / "none", JOB) is None


WORDS = ("batchdrop", "run", "ask.yaml", "five rows.csv")
REAL = Service("https://api.example.test", "sk-ant-secret")


@pytest.mark.parametrize(
    ("service", "words", "resume", "retry", "merge"),
    [
        (
            REAL,
            WORDS,
            "batchdrop run ask.yaml 'five rows.csv' --resume",
            f"batchdrop retry {JOB} --out o",
            f"batchdrop drop o/{JOB}/failed.jsonl --into {JOB} --out o",
        ),
        (
            Service(),
            WORDS,
            "batchdrop run ask.yaml 'five rows.csv'",
            "batchdrop run ask.yaml 'five rows.csv'",
            f"batchdrop run ask.yaml o/{JOB}/failed.jsonl",
        ),
        (REAL, (), "", "", ""),
    ],
    ids=["real", "emulator", "python"],
)
def test_commands_of_a_report(service: Service, words: tuple[str, ...], resume: str, retry: str, merge: str) -> None:
    """They work after the run's stack has ended; the emulator keeps nothing, and Python has no command."""
    run = Run(Drop(Path("five rows.csv"), Path("ask.yaml")), Path("o"), service, 1.0, words=words)
    commands = commands_of(json.dumps(run.commands()))
    assert (commands.resume(JOB), commands.retry(JOB), commands.merge(JOB)) == (resume, retry, merge)


def _retries(service: RealService, *words: str | Path) -> Command:
    place = service.folder / f"command{len(service.started)}"
    place.mkdir()
    given = [BATCHDROP, *words, "--out", service.folder / "out"]
    service.started.append(start(given, place, ANTHROPIC_BASE_URL=service.claude.base_url, ANTHROPIC_API_KEY=KEY))
    return service.started[-1]


def _rows(output: Path) -> list[dict[str, str]]:
    with output.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.stack
@pytest.mark.timeout(600)
def test_rows_of_a_run_are_sent_again(tmp_path: Path) -> None:
    """The report's command works after the run; a repaired file is whole, and no answered row is paid again.

    Nor is one by a later run of the file: the answers of the retry are remembered, too.
    """
    with real_service(tmp_path, rows=3) as service:
        with (tmp_path / "ask.yaml").open("a", encoding="utf-8") as recipe:
            recipe.write("remember: 90d\n")
        text = (tmp_path / "rows.csv").read_text(encoding="utf-8")
        (tmp_path / "rows.csv").write_text(text.replace("number 1", "[[refusal_once]]"), encoding="utf-8")
        run = service.runs()
        assert run.ended(seconds=300) == 0, run.output
        assert service.state is not None
        [folder] = [path for path in (tmp_path / "out").glob("2*") if path.is_dir()]
        job, out = folder.name, tmp_path / "out"
        assert f"batchdrop retry {job} --out {out}" in run.output
        assert f"batchdrop retry {job} --out {out}" in (folder / "report.html").read_text(encoding="utf-8")

        again = service.runs()
        assert again.ended() == UNDECIDED, again.output
        assert f"batchdrop retry {job}" in again.output

        retried = _retries(service, "retry", job)
        assert retried.ended(seconds=300) == 0, retried.output
        rows = _rows(out / f"{job}-v2" / "output.csv")
        assert [(row["id"], row["_status"]) for row in rows] == [(str(n), "answered") for n in range(3)]
        assert service.state is None
        assert service.claude.bill_summary()["requests"] == 4

        later = service.runs()
        assert later.ended(seconds=300) == 0, later.output
        assert service.claude.bill_summary()["requests"] == 4
