"""`batchdrop run` against an emulator that stands for the real service, and everything that can end it."""

from __future__ import annotations

import contextlib
import csv
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from batchdrop.adapters.sqlite.fact_file import FactFile
from batchdrop.adapters.sqlite.ledger import NoShardFailures, SqliteLedger
from batchdrop.job.submission import Submission
from batchdrop.local.claude_api.testing import RunningEmulator, running_emulator
from batchdrop.local.state_folder import StateFolder
from tests.cli.commands import BATCHDROP, Command, start
from tests.local.polling import eventually

KEY = "sk-ant-mine-0123456789"
SPEED = 50.0
WAIT_SCALE = 1 / SPEED
BATCH_SECONDS = 250.0  # emulated: 5 s, long enough to be killed while it waits
DAY = 26 * 3600.0
SHARD_ROWS = 2


@dataclass
class RealService:
    """The service, a file of some rows, and the commands that were started for it."""

    claude: RunningEmulator
    folder: Path
    rows: int
    started: list[Command] = field(default_factory=list)

    @property
    def shards(self) -> int:
        """How many Message Batches the file needs."""
        return -(-self.rows // SHARD_ROWS)

    def runs(self, *more: str) -> Command:
        """Start the run, always with the same words but for `more`."""
        place = self.folder / f"command{len(self.started)}"
        place.mkdir()
        words: list[str | Path] = [
            *(BATCHDROP, "run", self.folder / "rows.csv", "--recipe", self.folder / "ask.yaml"),
            *("--out", self.folder / "out", "--shard-rows", str(SHARD_ROWS), "--wait-scale", str(WAIT_SCALE)),
        ]
        self.started.append(
            start([*words, *more], place, ANTHROPIC_BASE_URL=self.claude.base_url, ANTHROPIC_API_KEY=KEY)
        )
        return self.started[-1]

    @property
    def state(self) -> StateFolder | None:
        """The run's folder, once it exists."""
        found = [path for path in (self.folder / "out").glob("run-*") if "abandoned" not in path.name]
        return StateFolder(found[0]) if found else None

    def submissions(self) -> list[Submission]:
        """What the run's ledger holds."""
        state = self.state
        if state is None or not state.ledger_file.exists():
            return []
        return SqliteLedger(FactFile(state.ledger_file), NoShardFailures()).submissions_of_all_jobs()

    def created(self) -> int:
        """How many creates the service has accepted."""
        return len(self.claude.state.batches.all())

    def judge(self) -> None:
        """Every row is answered once, with one create for each shard, and billed once. AssertionError if not."""
        self.claude.advance(DAY)
        bill = self.claude.bill_summary()
        (output,) = (self.folder / "out").glob("*/output.csv")
        with output.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["id"] for row in rows] == [str(number) for number in range(self.rows)]
        assert {row["_status"] for row in rows} == {"answered"}
        assert (self.created(), bill["requests"], bill["duplicate_custom_ids"]) == (self.shards, self.rows, 0)

    def keeps_no_key(self) -> bool:
        """Whether no file of the outputs, the run's folder and its logs has the key in it."""
        files = [path for path in (self.folder / "out").rglob("*") if path.is_file()]
        return all(KEY.encode() not in _read(path) for path in files)


def _read(path: Path) -> bytes:
    """Return a file's bytes; none if SQLite removed its log meanwhile, as it does at the last close."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


@contextmanager
def real_service(folder: Path, *, rows: int = 6) -> Iterator[RealService]:
    """Serve, with a file of `rows` rows; no command outlives it."""
    (folder / "rows.csv").write_text(
        "id,text\n" + "".join(f"{number},text number {number}\n" for number in range(rows)), encoding="utf-8"
    )
    recipe = "model: claude-haiku-5-5\nmax_tokens: 64\nprompt: 'Classify: {{ text }}'\nlane: batch\n"
    (folder / "ask.yaml").write_text(recipe, encoding="utf-8")
    with running_emulator(speed=SPEED, accepted_keys=[KEY], batch_seconds=BATCH_SECONDS) as claude:
        service = RealService(claude, folder, rows)
        try:
            yield service
        finally:
            for command in service.started:
                command.kill_all()


Moment = Callable[[RealService, Command], object]


def has_started(_service: RealService, command: Command) -> object:
    """The stack's processes are there."""
    return command.processes("parent_watchdog.py", "ministack")


def has_split(service: RealService, _command: Command) -> object:
    """The manifest is written, so shards are about to be sent."""
    return service.state and service.state.keys("jobs/", "manifest.json")


def is_creating(service: RealService, _command: Command) -> object:
    """The service has accepted a create, and its answer has not been read: see `slow_create`."""
    return service.created()


def is_waiting(service: RealService, _command: Command) -> object:
    """A Message Batch is in the ledger."""
    return any(sent.batch_id for sent in service.submissions())


def is_collecting(service: RealService, _command: Command) -> object:
    """The results of a shard are being read: see `slow_results`."""
    return service.claude.faults()[0]["fired"]


def slow_create(service: RealService) -> None:
    """Let the first create be accepted, and its answer hang."""
    service.claude.inject("accept_then_hang", "batches.create", seconds=8.0)


def slow_results(service: RealService) -> None:
    """Let the first download of results be slow."""
    service.claude.inject("slow_body", "batches.results", seconds=8.0)


def reach(service: RealService, command: Command, moment: Moment) -> None:
    """Wait for a moment of the run."""

    def reached() -> object:
        assert command.process.poll() is None, command.output
        return moment(service, command)

    eventually(reached, seconds=150, what=moment.__name__)


def kill_command(command: Command) -> None:
    """SIGKILL to the command and its process group, as a lost session may do."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(command.process.pid, signal.SIGKILL)
    command.process.wait()


def kill_process(*words: str) -> Callable[[Command], None]:
    """Return what kills one process of the stack, by words of its command line, and waits for the command's end."""

    def kill(command: Command) -> None:
        for process in command.processes(*words):
            with contextlib.suppress(psutil.Error):
                process.kill()
        command.ended()

    return kill


def signalled(number: signal.Signals) -> Callable[[Command], None]:
    """Return what sends a signal to the command and waits for its end."""

    def send(command: Command) -> None:
        command.process.send_signal(number)
        command.ended()

    return send
