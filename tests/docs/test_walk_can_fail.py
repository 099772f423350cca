"""What the walk must not let pass: an untested command, a wrong option, an output that is no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import elsewhere
from tests.docs.elsewhere import NOT_OURS, TESTS, UntestedCommandError, check_run_elsewhere, ci_targets, is_a_test
from tests.docs.likeness import missing
from tests.docs.pages import PAGES, Typed, typed_lines
from tests.docs.shell import Simple, UnfilledError, filled, simple_commands
from tests.docs.walk import Walk


@pytest.fixture
def walk(tmp_path: Path) -> Walk:
    """A reader without a stack: for commands that are refused before anything is run."""
    return Walk("http://127.0.0.1:9", "", "a-bucket", tmp_path, {})


@pytest.mark.parametrize(
    "line", ["curl https://example.com", "make bench-all", "docker info", "python -m tools.destroy"]
)
def test_an_untested_command_is_refused(line: str) -> None:
    """With what to do about it."""
    with pytest.raises(UntestedCommandError, match=r"no test runs `.+`\. Write it .+ tests/docs/elsewhere\.py"):
        check_run_elsewhere(line.split())


def test_an_untested_command_of_a_page_is_refused(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind `&&`, too."""
    monkeypatch.setattr(Walk, "values", {"<x>": "y"})
    with pytest.raises(UntestedCommandError):
        walk.type(Typed(PAGES[0], 1, "cd <x> && rm -rf z", ()))


def test_a_test_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command is not tested by a name."""
    monkeypatch.setitem(TESTS, "make deploy", "tests/deploy/test_deploy.py::test_gone")
    with pytest.raises(UntestedCommandError, match="there is no such test"):
        check_run_elsewhere(["make", "deploy"])


def test_what_is_named_is_there_and_used() -> None:
    """Each test exists, and no entry outlives its command."""
    assert [test for test in TESTS.values() if not is_a_test(test)] == []
    typed = " ; ".join(line.text for page in PAGES for line in typed_lines(page))
    assert [known for known in (*TESTS, *NOT_OURS) if known not in typed] == []


def test_what_ci_runs() -> None:
    """`make check`, and what that calls; nothing else."""
    assert {"check", "test", "setup", "lint", "validate", "build"} <= ci_targets()
    assert not {"deploy", "destroy", "demo", "format"} & ci_targets()
    assert elsewhere.__doc__


def test_shells_lines() -> None:
    """Comments are off, `&&` cuts, quotes are read, pipes and files stay behind their command."""
    assert simple_commands("cd a && echo 'b  c' > d # e") == [
        Simple(("cd", "a")),
        Simple(("echo", "b  c"), (">", "d")),
    ]
    assert simple_commands("batchdrop ls | cat") == [Simple(("batchdrop", "ls"), ("|", "cat"))]


def test_placeholders() -> None:
    """Words are replaced where they stand alone; what is not known is told."""
    assert (
        filled("cp JOB s3://BUCKET/JOBS <your key>", {"JOB": "j", "BUCKET": "b", "<your key>": "k"})
        == "cp j s3://b/JOBS k"
    )
    with pytest.raises(UnfilledError, match="<BucketNames>"):
        filled("aws s3 ls s3://<BucketNames>", {"<BucketName>": "b"})


def test_outputs_are_compared() -> None:
    """Numbers, times and ids may differ, `…` is anything; words may not."""
    real = "job 20261122T211444-83dc1eb632 succeeded\r\n  took      41 s\r\n300 rows = 299 answered\r\n"
    assert missing(["job 20261123T000000-0000000000 succeeded", "took 1 min 5 s", "", "…"], real) == []
    assert missing(["3 rows = … answered"], real) == []
    assert missing(["job 20261123T000000-0000000000 failed", "3 lines = 4 answered"], real) == [
        "job 20261123T000000-0000000000 failed",
        "3 lines = 4 answered",
    ]
