"""`batchdrop run`, as a user or a script runs it."""

import csv
import json
from decimal import Decimal

import pytest

from batchdrop.local.claude_api.testing import running_emulator
from tests.cli.commands import BATCHDROP, write_example
from tests.cli.conftest import Starts

pytestmark = pytest.mark.stack

WAIT_SCALE = 0.001


def test_run_against_a_service_of_ones_own(starts: Starts, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The service named in the environment is asked, with that key, and no emulator is started; exit code 0.

    One of the rows is bad; the job still succeeds. The run leaves nothing outside its folder.
    """
    file, recipe = write_example(tmp_path_factory.mktemp("input"))
    with running_emulator(speed=1 / WAIT_SCALE, accepted_keys=["sk-ant-mine"]) as claude:
        command = starts(
            *(BATCHDROP, "run", file, "--recipe", recipe, "--out", "answers", "--shard-rows", "2"),
            *("--wait-scale", str(WAIT_SCALE)),
            ANTHROPIC_BASE_URL=claude.base_url,
            ANTHROPIC_API_KEY="sk-ant-mine",
        )
        assert command.ended() == 0, command.output
        bill = claude.bill_summary()
    (folder,) = (command.folder / "answers").iterdir()
    summary = json.loads((folder / "summary.json").read_text(), parse_float=Decimal)

    assert (bill["requests"], len(bill["by_batch"])) == (4, 3)
    assert summary["cost"]["usd"] == Decimal(bill["usd"])
    assert not (folder / "logs" / "claude_api.log").exists()

    assert sorted(path.name for path in folder.iterdir()) == [
        *("failed.jsonl", "functions.json", "logs", "output.csv", "report.html", "status.html", "summary.json")
    ]
    with (folder / "output.csv").open(encoding="utf-8", newline="") as output:
        header, *rows = csv.reader(output)
    assert header == ["id", "text", "answer", "_status", "_error"]
    assert [row[:2] for row in rows] == [
        ["001", "good"],
        ["002", "two\nlines"],
        ["003", ""],
        ["004", "日本語"],
        ["005", "🎉"],
    ]
    assert [row[3] for row in rows] == ["answered", "answered", "rejected", "answered", "answered"]
    assert {one["function"] for one in json.loads((folder / "functions.json").read_text())} >= {"SplitUploadFunction"}
    assert "sk-ant-mine" not in command.output

    _is_fit_for_a_pipe(command.output)
    assert f"Claude API: {claude.base_url}, with your key" in command.output
    assert "5 rows = 4 answered + 0 unusable + 0 failed + 1 rejected" in command.output
    assert f"output   answers/{folder.name}/output.csv" in command.output
    assert f"failed   answers/{folder.name}/failed.jsonl" in command.output
    command.nothing_is_left()


def _is_fit_for_a_pipe(output: str) -> None:
    assert "\x1b" not in output
    assert "\r" not in output
    progress = [line for line in output.splitlines() if "shards:" in line]
    assert len(progress) == len(set(progress)) > 0
    assert any("  succeeded  5 rows, shards: 3 " in line for line in progress)  # earlier looks are the machine's


def test_run_of_a_job_without_one_answer(starts: Starts, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each shard went well, and no row has an answer: exit code 1, and the fault says so."""
    file, recipe = write_example(tmp_path_factory.mktemp("input"))
    file.write_text("text\n" + "[[errored:invalid_request_error]]\n" * 2, encoding="utf-8")
    command = starts(BATCHDROP, "run", file, "--recipe", recipe)
    assert command.ended() == 1, command.output
    (folder,) = (command.folder / "out").iterdir()
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["status"], [fault["type"] for fault in summary["faults"]]) == ("failed", ["NothingAnswered"])
    assert "NothingAnswered: none of the 2 rows" in command.output
    assert (folder / "output.csv").exists()
    command.nothing_is_left()


def test_run_of_a_job_that_fails(starts: Starts, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Exit code 1; the reason is on the screen and in summary.json; nobody is billed."""
    file, recipe = write_example(tmp_path_factory.mktemp("input"))
    recipe.write_text("model: claude-haiku-5-5\nprompt: '{{ review }}'\n", encoding="utf-8")
    command = starts(BATCHDROP, "run", file, "--recipe", recipe)
    assert command.ended() == 1, command.output
    (folder,) = (command.folder / "out").iterdir()
    (fault,) = json.loads((folder / "summary.json").read_text())["faults"]
    assert fault["type"] == "RecipeRejected"
    assert "column 'review'" in fault["message"]
    assert f"RecipeRejected: {fault['message']}" in command.output
    assert "Claude API: the emulator on this machine (no key, no bill)" in command.output
    assert "batches.create" not in (folder / "logs" / "claude_api.log").read_text()
    assert not (folder / "output.csv").exists()
    command.nothing_is_left()
