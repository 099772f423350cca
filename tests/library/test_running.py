"""`batchdrop.run` and `ask`: the calls, and what they make of a job's end. The page's code runs for real."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

import batchdrop
from batchdrop.cli.run.dropping import NotDroppableError
from batchdrop.cli.run.durable_run import Choice
from batchdrop.cli.run.one_shot import Ran, Run
from batchdrop.library import running
from tests.project import ROOT

RECIPE = {"model": "claude-haiku-5-5", "prompt": "{{ prompt }}"}
ROWS = [{"prompt": "a"}, {"prompt": "b"}]
PAGE = ROOT / "docs" / "python.md"


class _Machine:
    """Runs nothing: it notes each run, and lays out the outputs of a job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs: list[Run] = []
        self.recipe = ""
        self.choices: list[Choice] = []

    def once(self, run: Run, _console: Any) -> Ran:
        self.runs.append(run)
        assert run.drop.recipe is not None
        self.recipe = run.drop.recipe.read_text(encoding="utf-8")
        sent = [json.loads(line) for line in run.drop.file.read_text(encoding="utf-8").splitlines()]
        answered = [{**row, "answer": row["prompt"].upper(), "_status": "answered", "_error": ""} for row in sent[:-1]]
        answered.append({**sent[-1], "answer": None, "_status": "refusal", "_error": "it was refused"})
        (self.folder / "output.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answered), encoding="utf-8")
        (self.folder / "failed.jsonl").write_text(json.dumps(answered[-1]) + "\n", encoding="utf-8")
        return Ran("job-1", succeeded=True, folder=self.folder, summary={"cost": {"usd": 0.25}}, error="")

    def durably(self, run: Run, choice: Choice, _terminal: Any) -> Ran:
        self.choices.append(choice)
        return self.once(run, None)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Machine:
    """No stack, and no key."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    made = _Machine(tmp_path)
    monkeypatch.setattr(running, "run_once", made.once)
    monkeypatch.setattr(running, "run_durably", made.durably)
    return made


def test_a_result_has_answers_failures_and_cost(machine: _Machine) -> None:
    """The recipe may be its keys."""
    result = batchdrop.run(ROWS, RECIPE, approve=True)
    assert (result.succeeded, str(result.cost), result.is_emulated) == (True, "0.25", True)
    assert [row["_status"] for row in result.failed] == ["refusal"]
    assert result.frame().column("answer").to_pylist() == ["A", None]
    assert machine.runs[0].approves


def test_answers_come_in_the_order_of_their_prompts(machine: _Machine) -> None:
    """One without text says why. They go as a Message Batch, unless told otherwise."""
    items: list[dict[str, Any]] = [{"id": "x", "prompt": "a"}, {"id": 7, "prompt": "b"}]
    first, second = batchdrop.ask(items, model="claude-haiku-5-5", recipe={"max_cost_usd": 1})
    assert (first.id, first.text, first.status) == ("x", "A", "answered")
    assert (second.id, second.text, second.error) == ("7", None, "it was refused")
    assert "lane: batch" in machine.recipe
    assert "max_cost_usd: 1" in machine.recipe


def test_the_async_forms_do_the_same(machine: _Machine) -> None:
    """In a thread, so that the loop goes on."""
    assert asyncio.run(batchdrop.arun(ROWS, RECIPE)).job_id == "job-1"
    [answer, _] = asyncio.run(batchdrop.aask([{"id": "x", **row} for row in ROWS], model="claude-haiku-5-5"))
    assert answer.text == "A"


def test_an_item_without_a_prompt_is_refused(machine: _Machine) -> None:
    """Before anything starts."""
    with pytest.raises(TypeError, match="an item has an `id` and a `prompt` that is text"):
        batchdrop.ask([{"id": "x", "promt": "a"}], model="claude-haiku-5-5")
    assert machine.runs == []


def test_a_bad_recipe_is_refused(machine: _Machine) -> None:
    """Before a stack starts."""
    with pytest.raises(NotDroppableError, match="unknown key 'promt'"):
        batchdrop.run(ROWS, {"model": "claude-haiku-5-5", "promt": "x"})
    assert machine.runs == []


@pytest.mark.parametrize(("unfinished", "choice"), [("resume", Choice.RESUME), ("new", Choice.NEW)])
def test_an_unfinished_run_goes_on(
    machine: _Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, unfinished: Any, choice: Choice
) -> None:
    """Against a real service, the same call finds what it has sent."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-mine")
    batchdrop.run(ROWS, RECIPE, out=tmp_path)
    assert machine.choices == [Choice.ASK]
    monkeypatch.setattr(running, "folder_of", lambda _run: type("F", (), {"path": tmp_path}))
    batchdrop.run(ROWS, RECIPE, out=tmp_path, unfinished=unfinished)
    assert machine.choices[1] is choice


def test_ctrl_c_is_ctrl_c(machine: _Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no exit of the program."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-mine")

    def stopped(*_given: Any) -> Ran:
        raise typer.Exit(130)

    monkeypatch.setattr(running, "run_durably", stopped)
    with pytest.raises(KeyboardInterrupt):
        batchdrop.run(ROWS, RECIPE, out=machine.folder)


def _blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.stack
@pytest.mark.timeout(600)
def test_the_pages_code_works(tmp_path: Path) -> None:
    """Its first block, as it is, on a stack of its own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC", "AWS"))}
    ended = subprocess.run(
        [sys.executable, "-c", f"{_blocks()[0]}\nprint(answers)"],
        cwd=tmp_path, env=own, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1].startswith("{'review-1': '")


@pytest.mark.parametrize("block", _blocks())
def test_the_pages_code_is_python(block: str) -> None:
    """And each name of batchdrop's in it exists."""
    compile(block, str(PAGE), "exec")
    for name in re.findall(r"\bbatchdrop\.(\w+)", block):
        assert getattr(batchdrop, name)
