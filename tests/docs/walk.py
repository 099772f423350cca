"""A reader who types what the documentation says, beside a `batchdrop up` of this machine."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batchdrop.local.aws_clients import AwsClients
from tests.cli.commands import BATCHDROP
from tests.cli.terminal import in_terminal
from tests.docs import aws_cli
from tests.docs.elsewhere import check_run_elsewhere
from tests.docs.likeness import missing
from tests.docs.pages import PAGES, Typed, blocks, read_page
from tests.docs.shell import Simple, filled, simple_commands
from tests.documents import FOLDER as DOCUMENTS
from tests.local.polling import eventually
from tests.project import ROOT

COLUMNS = 139  # all columns of `ls` are shown
SECONDS = 400.0
_JOB = re.compile(r"\bjob (\d{8}T\d{6}-[0-9a-f]{10})\b")


@dataclass
class Walk:
    """The stack, the folder that the reader is in, and what has come of it so far."""

    endpoint: str
    up_output: str
    bucket: str
    folder: Path
    environment: dict[str, str]
    job: str = ""
    shown_jobs: set[str] = field(default_factory=set)
    ran: dict[tuple[str | Path, ...], str] = field(default_factory=dict)

    def lay_out(self) -> None:
        """Put what pages take for granted into the folder: examples, a document, and what blocks with a name hold."""
        shutil.copytree(ROOT / "examples", self.folder / "examples")
        for example in [*(ROOT / "examples").glob("*.csv"), *(ROOT / "examples" / "recipes").glob("*.yaml")]:
            shutil.copy(example, self.folder)
        scans = self.folder / "scans"
        scans.mkdir()
        shutil.copy(DOCUMENTS / "invoice.pdf", scans / "a.pdf")
        (self.folder / "failed.jsonl").write_text('{"id": "T-5", "message": "Hello?"}\n', encoding="utf-8")
        (self.folder / "invoices.csv").write_text("supplier,file\nAcme,a.pdf\n", encoding="utf-8")
        for block in (block for page in PAGES for block in blocks(read_page(page), "yaml", "csv")):
            if "." in block.info:
                (self.folder / block.info).write_text(block.text, encoding="utf-8")

    @property
    def values(self) -> dict[str, str]:
        """What the documentation's placeholders stand for."""
        jobs = dict.fromkeys(self.shown_jobs, self.job) | {shown[16:19]: self.job for shown in self.shown_jobs}
        return jobs | {
            "<BucketName>": self.bucket,
            "BUCKET": self.bucket,
            "<ApiKeySecretArn>": self._secret,
            "<ApiKeySecretArn of the outputs>": self._secret,
            "<your API key>": "sk-of-the-walk",
            "<your Anthropic API key>": "sk-of-the-walk",
            "<this repository>": str(ROOT),
            "JOB": self.job,
            "FILE.csv": "tickets.csv",
            "RECIPE.yaml": "topics.yaml",
        }

    @property
    def _secret(self) -> str:
        found = AwsClients(self.endpoint).secretsmanager().list_secrets()["SecretList"]
        return found[0]["ARN"]

    def type(self, typed: Typed) -> None:
        """Run one line. AssertionError if a command ends otherwise, or shows nothing like what the page shows."""
        commands = simple_commands(filled(typed.text, self.values))
        real = "".join(self._run(one, typed.exit_code if one is commands[-1] else 0) for one in commands)
        if found := _JOB.findall(real):
            self.job = found[0]
            self.shown_jobs |= set(_JOB.findall("\n".join(typed.shown)))
        lost = missing(typed.shown, real) if real else []
        assert not lost, f"{typed.where}: `{typed.text}` does not show {lost!r} (any more). It shows:\n{real}"

    def _run(self, simple: Simple, exit_code: int) -> str:
        """Run a command, or make sure that another test does; what it showed, if it was run here."""
        match simple.words:
            case ("batchdrop" | ".venv/bin/batchdrop", "up", *_):
                return self.up_output
            case ("batchdrop" | ".venv/bin/batchdrop", *rest):
                return self._once(_as_run((BATCHDROP, *rest), simple), exit_code, keeps=rest[0] == "run")
            case ("make", "demo"):
                make = ("make", "-f", ROOT / "Makefile", "-o", "setup", f"BIN={BATCHDROP.parent}", "demo")
                return self._once(_as_run(make, simple), exit_code, keeps=True)
            case ("make", "invoke", *rest):
                return self._once(("make", "-C", ROOT, "-o", "setup", "invoke", *rest), exit_code, keeps=False)
            case ("aws", *rest):
                assert not simple.behind, simple
                aws_cli.run(aws_cli.parse(rest), AwsClients(self.endpoint), self.folder)
                return ""
            case words:
                check_run_elsewhere(words)
                return ""

    def _once(self, words: tuple[str | Path, ...], exit_code: int, *, keeps: bool) -> str:
        """Run it; what starts a stack of its own (`keeps`) is run once, however many pages say so."""
        if words in self.ran:
            return self.ran[words]
        seen = in_terminal(words, folder=self.folder, environment=self.environment, columns=COLUMNS, seconds=SECONDS)
        assert seen.exit_code == exit_code, f"`{shlex.join(map(str, words))}`: exit code {seen.exit_code}\n{seen.text}"
        if keeps:
            self.ran[words] = seen.text
        return seen.text

    def jobs(self) -> list[dict[str, Any]]:
        """Return the stack's jobs, as `batchdrop ls --json` lists them."""
        listed = subprocess.run(
            [BATCHDROP, "ls", "--json"], env=self.environment, capture_output=True, text=True, timeout=120, check=True
        )
        found: list[dict[str, Any]] = json.loads(listed.stdout)
        return found

    def ended_well(self) -> None:
        """Wait until every job has ended; AssertionError unless all succeeded."""

        def ended() -> list[dict[str, Any]]:
            jobs = self.jobs()
            return [] if any(job["status"] == "running" for job in jobs) else jobs or [{"status": "succeeded"}]

        failed = [job for job in eventually(ended, seconds=SECONDS, what="the end of all jobs") if not _is_well(job)]
        assert not failed, f"jobs that the page started did not succeed: {failed}"


def _is_well(job: dict[str, Any]) -> bool:
    by_hand = job["recipe"] == "invoke"  # `make invoke` runs one function, so its job has no execution
    return by_hand or bool(job["status"] == "succeeded")


def _as_run(words: tuple[str | Path, ...], simple: Simple) -> tuple[str | Path, ...]:
    """Return the words, with a shell around them where the page has a pipe."""
    if not simple.behind:
        return words
    assert simple.behind == ("|", "cat"), f"{simple}: teach tests/docs/walk.py"
    return ("bash", "-o", "pipefail", "-c", f"{shlex.join(map(str, words))} | cat")
