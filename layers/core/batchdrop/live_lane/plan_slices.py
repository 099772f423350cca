"""Cut one round of a shard into slices for the live lane's workers. Slices are byte ranges, without rows."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from batchdrop.admission.admission import Admission, MustWait, PlanAgain
from batchdrop.job.betas import betas_of
from batchdrop.job.halting import refuse_if_halted
from batchdrop.job.layout import JobKeys
from batchdrop.job.ports import Ledger
from batchdrop.ports import Clock, ObjectStore

SLICE_REQUESTS = 1_000  # about seven seconds for one worker at 1.2 s an answer; few state transitions per row
SLICE_BYTES = 8_000_000  # a worker holds its slice in memory

_REQUEST = b'{"custom_id"'


@dataclass(frozen=True, slots=True)
class SlicePlan:
    """A planned slice: its number, its bytes in the round's create body (`end` is exclusive), its requests.

    `until` (Unix seconds) is when its requests end, answered or not. `betas` are sent with each of them.
    """

    slice: int
    start: int
    end: int
    requests: int
    until: int
    betas: tuple[str, ...] = ()


def plan_slices(
    job_id: str,
    shard: int,
    round_number: int,
    *,
    store: ObjectStore,
    ledger: Ledger,
    admission: Admission,
    until: int,
    clock: Clock,
) -> list[SlicePlan] | MustWait | PlanAgain:
    """Return the slices of a round, or what it waits for; PlanAgain as in `submit_shard`.

    There are no slices if its answers are already collected, or if the time of its requests is over (`until`).

    Raises AccountTrouble, JobCanceled or BudgetReached if the job is halted, and BudgetReached also if this round halts
    it.
    """
    keys = JobKeys(job_id)
    is_over = clock.now().timestamp() >= until and not admission.is_unplanned()
    if is_over or store.exists(keys.answers(shard, round_number)):
        return []
    refuse_if_halted(job_id, ledger)
    if turn := admission.request_turn():
        return turn
    cut = _Cut(until, betas_of(store, job_id))
    with closing(store.stream(keys.requests(shard, round_number))) as blocks:
        rest = b""
        for block in blocks:
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                cut.line(line, len(line) + 1)
        cut.line(rest, len(rest))
    return cut.plans()


class _Cut:
    """Collects lines into slices."""

    def __init__(self, until: int, betas: tuple[str, ...]) -> None:
        self._until = until
        self._betas = betas
        self._plans: list[SlicePlan] = []
        self._start = self._end = self._requests = 0

    def line(self, line: bytes, size: int) -> None:
        is_full = self._requests == SLICE_REQUESTS or self._end - self._start + size > SLICE_BYTES
        if self._requests and is_full:
            self._close()
        self._end += size
        self._requests += line.startswith(_REQUEST)

    def plans(self) -> list[SlicePlan]:
        if self._requests:
            self._close()
        return self._plans

    def _close(self) -> None:
        plan = SlicePlan(len(self._plans), self._start, self._end, self._requests, self._until, self._betas)
        self._plans.append(plan)
        self._start, self._requests = self._end, 0
