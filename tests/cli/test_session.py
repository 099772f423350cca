"""A user's session at a stack on this machine: drop, watch, ls, show, fetch, doctor; in a terminal and in pipes."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import BATCHDROP, USERS_OWN, start, write_example
from tests.cli.terminal import Seen, in_terminal
from tests.local.polling import eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

WAIT_SCALE = "0.001"
JOB_LINE = re.compile(r"^job (\d{8}T\d{6}-[0-9a-f]{10})$", re.MULTILINE)


@dataclass
class Session:
    """A shell beside a running `batchdrop up`: no command names the endpoint."""

    folder: Path
    environment: dict[str, str]
    job: str = ""

    def types(self, *words: str, columns: int = 100, interrupt_at: str | None = None, **variables: str) -> Seen:
        """Run a command in a terminal."""
        return in_terminal(
            [BATCHDROP, *words],
            folder=self.folder,
            environment=self.environment | variables,
            columns=columns,
            interrupt_at=interrupt_at,
        )

    def pipes(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a pipe."""
        return subprocess.run(
            [BATCHDROP, *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    def document(self, *words: str) -> Any:
        """Run a command with --json; what it wrote."""
        ended = self.pipes(*words, "--json")
        assert ended.returncode == 0, ended.stderr
        assert ended.stderr == ""
        return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The stack, a file and a recipe; the tests below run in order, and the last one ends the stack."""
    folder = tmp_path_factory.mktemp("session")
    write_example(folder)
    up = start([BATCHDROP, "up", "--wait-scale", WAIT_SCALE, "--json"], folder)
    own = {name: value for name, value in os.environ.items() if name not in USERS_OWN}
    environment = own | {"XDG_RUNTIME_DIR": str(up.temp_root), "TMPDIR": str(folder)}
    try:
        eventually(lambda: up.output.endswith("}\n") or up.process.poll() is not None, seconds=200, what="the start")
        assert set(json.loads(up.output)) == {"endpoint_url", "claude_base_url", "region", "stack", "bucket"}
        yield Session(folder, environment)
        up.interrupt()
        assert up.ended() == 0
        assert up.output.count("\n") == 1  # with --json, stdout has the one line only
        up.nothing_is_left()
    finally:
        up.kill_all()


def test_drop_in_a_terminal(session: Session) -> None:
    """It says where the file is, which job it started, and what to type next."""
    seen = session.types("drop", "five rows.csv", "--recipe", "ask.yaml")
    assert seen.exit_code == 0, seen.text
    assert "dropped five rows.csv at s3://batchdrop-" in seen.text
    found = JOB_LINE.search(seen.text)
    assert found
    session.job = found[1]
    assert f"follow it    batchdrop watch {session.job}\n" in seen.text


def test_watch_in_a_terminal(session: Session) -> None:
    """A live picture that ends with the job; exit code 0."""
    seen = session.types("watch", session.job, columns=160)
    assert seen.exit_code == 0, seen.text
    last = seen.text.rpartition(f"job {session.job}")[2]
    assert "succeeded" in last
    assert "5 of 5 rows" in last
    assert "4 answered, 1 rejected" in last
    assert "msgbatch_" in last
    assert f"batchdrop fetch {session.job}" in last
    assert seen.has_colour


def test_drop_and_wait_in_a_pipe(session: Session) -> None:
    """Lines without control codes; the outputs are there at the end."""
    ended = session.pipes("drop", "five rows.csv", "--recipe", "ask", "--wait", "--out", "answers")
    assert ended.returncode == 0, ended.stderr
    assert "\x1b" not in ended.stdout
    assert "\r" not in ended.stdout
    assert re.search(r"  succeeded  5 rows, shards: 1 ", ended.stdout)  # how many looks come before is the machine's
    (folder,) = (session.folder / "answers").iterdir()
    assert f"output   answers/{folder.name}/output.csv" in ended.stdout
    assert folder.name > session.job


def test_drop_and_wait_as_json(session: Session) -> None:
    """One document: the files."""
    told = session.document("drop", "five rows.csv", "--recipe", "ask", "--wait", "--out", "more")
    assert told["status"] == "succeeded"
    assert {Path(one["path"]).name for one in told["files"]} >= {"output.csv", "failed.jsonl", "summary.json"}


def test_ctrl_c_leaves_the_job_running(session: Session) -> None:
    """It says so, and how to go on; the job ends by itself, and watching it again shows that, in lines of JSON."""
    seen = session.types("drop", "five rows.csv", "--recipe", "ask.yaml", "--wait", interrupt_at="closing")
    assert seen.exit_code == 130, seen.text
    assert re.search(r"job \S+ continues\. Follow it again: batchdrop watch \S+; stop it: batchdrop cancel", seen.text)
    assert "Traceback" not in seen.text
    found = JOB_LINE.search(seen.text)
    assert found
    ended = session.pipes("watch", found[1], "--json")
    assert ended.returncode == 0
    assert [json.loads(line)["stage"] for line in ended.stdout.splitlines()][-1] == "succeeded"


@pytest.mark.parametrize("columns", [60, 100, 200])
def test_ls_in_terminals(session: Session, columns: int) -> None:
    """Every job has one line that fits, and its id is whole."""
    seen = session.types("ls", columns=columns)
    assert seen.exit_code == 0
    lines = seen.text.splitlines()
    assert len(lines) == 5
    assert all(len(line) <= columns for line in lines)
    assert lines[-1].startswith(f"{session.job}  succeeded")


def test_no_colour(session: Session) -> None:
    """NO_COLOR is heard."""
    assert session.types("ls").has_colour
    assert not session.types("ls", NO_COLOR="1").has_colour


def test_ls_and_show_as_json(session: Session) -> None:
    """What programs get."""
    jobs = session.document("ls")
    assert [job["status"] for job in jobs] == ["succeeded"] * 4
    told = session.document("show", session.job)
    assert told["summary"]["tally"]["rows"] == 5
    assert [event["what"].split(" ")[0] for event in told["timeline"]][:3] == ["uploaded", "job", "split:"]


def test_show_in_a_terminal(session: Session) -> None:
    """A new user sees why a row failed, and that row's way."""
    seen = session.types("show", session.job[-10:], columns=60)
    assert seen.exit_code == 0
    assert "1 row without a usable answer" in seen.text
    assert "it has 1 cell, the header has 2 columns" in " ".join(seen.text.split())
    row = session.types("show", session.job, "--row", "4")
    assert "日本語" in row.text
    assert "outcome  answered" in row.text


def test_fetch(session: Session) -> None:
    """In a terminal, then as JSON: the second time nothing travels."""
    seen = session.types("fetch", session.job, "--out", "fetched")
    assert seen.exit_code == 0
    assert f"output   fetched/{session.job}/output.csv" in seen.text
    told = session.document("fetch", session.job, "--out", "fetched")
    assert all(one["was_there"] for one in told["files"])


def test_doctor(session: Session) -> None:
    """The embedded stack is well; what it lacks cannot be checked there."""
    seen = session.types("doctor")
    assert seen.exit_code == 0, seen.text
    assert "accepts the key (one free call)" in seen.text
    assert "Traceback" not in seen.text
    told = session.document("doctor")
    levels = {found["what"]: found["level"] for found in told["findings"]}
    assert told["well"]
    assert levels["template"] == levels["stack"] == levels["API key"] == levels["notification"] == "ok"
    assert levels["Step Functions"] == "cannot be checked here"


def test_doctor_answers_two_rows_in_each_lane(session: Session) -> None:
    """`--smoke` runs two real jobs and says what came back and what it cost."""
    told = session.document("doctor", "--smoke")
    seen = {found["what"]: found for found in told["findings"] if found["what"].endswith(" lane")}
    assert [*seen] == ["live lane", "batch lane"]
    for found in seen.values():
        assert found["level"] == "ok"
        assert re.match(r"2 of 2 rows answered for \$0\.0\d+ \(grass: .+; snow: .+\)$", found["says"])
    assert told["well"]


def test_unknown_job(session: Session) -> None:
    """Known ones are named; exit code 1, stdout empty."""
    ended = session.pipes("show", "nothing", "--json")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "the newest are" in json.loads(ended.stderr)["error"]["message"]
