"""The state of one emulator."""

import shutil
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from batchdrop.local.claude_api.batch_body import BodyIndex
from batchdrop.local.claude_api.batches import Batch, BatchShelf
from batchdrop.local.claude_api.bill import Bill
from batchdrop.local.claude_api.calls import CallLog
from batchdrop.local.claude_api.clock import EmulatedClock
from batchdrop.local.claude_api.dice import token
from batchdrop.local.claude_api.fake_model import FakeModel
from batchdrop.local.claude_api.faults import FaultBoard
from batchdrop.local.claude_api.limits import Limits
from batchdrop.local.claude_api.processing import BODY_FILE, BatchWork
from batchdrop.local.claude_api.results import IDS_FILE
from batchdrop.local.claude_api.settings import Settings, changed


class EmulatorState:
    """Settings, clock, limits, faults, batches and bill. `close` deletes their files."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        clock: EmulatedClock | None = None,
        folder: Path | None = None,
    ) -> None:
        """Start empty; `folder` is for spool files (None: a new temporary folder). Nothing is restored from it."""
        self.settings = self._first_settings = settings or Settings()
        self.clock = clock or EmulatedClock(speed=self.settings.speed)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="claude_api-", dir=folder))
        self.faults = FaultBoard()
        self.calls = CallLog()
        self._stop = threading.Event()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="claude_api")
        self._start_over()

    def _start_over(self) -> None:
        self.model = FakeModel()
        self.limits = Limits(self.clock, self.settings)
        self.batches = BatchShelf()
        self.bill = Bill(self.batches)
        self._numbers = dict.fromkeys(("batch", "message", "request", "spool"), 0)

    def next_number(self, what: str) -> int:
        """Return 1, 2, 3... for each `what`."""
        self._numbers[what] += 1
        return self._numbers[what]

    def new_folder(self) -> Path:
        """Return an empty folder for one create call."""
        path = self.folder / f"{self.next_number('spool'):06d}"
        path.mkdir()
        return path

    def accept(self, folder: Path, index: BodyIndex, version: str, betas: frozenset[str] = frozenset()) -> Batch:
        """Create a Message Batch from a checked body and start it; raises ApiError (429) for a full queue."""
        now, settings = self.clock.now(), self.settings
        self.limits.admit_to_queue(self.batches.waiting(now), len(index))
        number = self.next_number("batch")
        (folder / IDS_FILE).write_bytes(index.ids)
        batch = Batch(
            id=token("msgbatch", str(folder)),
            number=number,
            count=len(index),
            created_at=now,
            duration=settings.batch_seconds + len(index) / settings.requests_per_second,
            version=version,
            betas=betas,
            folder=folder,
            ready=None,  # type: ignore[arg-type]  # set on the next line: the work needs the batch first
        )
        batch.ready = self._worker.submit(BatchWork(batch, index, self.model, settings, self._stop).run)
        self.batches.add(batch)
        return batch

    def change(self, change: dict[str, object]) -> Settings:
        """Change settings while running; raises msgspec.ValidationError."""
        settings = changed(self.settings, change)
        if settings.speed != self.settings.speed:
            self.clock.set_speed(settings.speed)
        self.settings = settings
        self.limits.resize(settings)
        return settings

    def reset(self) -> None:
        """Reset everything except the clock: batches, bill, calls, faults, caches, settings."""
        for batch in self.batches.all():
            batch.ready.exception()
            shutil.rmtree(batch.folder, ignore_errors=True)
        self.faults.clear()
        self.calls.clear()
        self.change(msgspec.to_builtins(self._first_settings))
        ids_go_on = {name: self._numbers[name] for name in ("request", "spool")}
        self._start_over()
        self._numbers.update(ids_go_on)

    def close(self) -> None:
        """Stop processing and remove all files."""
        self._stop.set()
        self._worker.shutdown(wait=False, cancel_futures=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def body_path(folder: Path) -> Path:
    """Return the path of a create call's spooled body."""
    return folder / BODY_FILE
