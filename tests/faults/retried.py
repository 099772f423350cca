"""After the job's end, the rows without a usable answer are sent again. The next version is judged like the first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec

from batchdrop.errors import RetryRefused
from batchdrop.finish.chosen_rows import Wanted
from batchdrop.finish.order_retry import order_retry
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.resume_job import resume_job
from tests.fakes import START
from tests.faults.books import StateBooks
from tests.faults.execution import Execution
from tests.faults.judge import PAID, Ending, Judge, fate_of
from tests.faults.world import World

MOST_RESUMES = 4
LONGEST = 4 * 86_400.0
ALL_ENDED = 26 * 3600.0
OVER = {"SUCCEEDED"}
REFUSED = "NothingToSend"


def send_again(world: World, last: UploadRecord, calm: Callable[[], None]) -> list[str]:
    """Order a retry, as commands do that are killed and repeated, and follow it to its end. Return what is wrong."""
    try:
        order = _ordered(world, last)
    except RetryRefused:
        world.storm.counts["nothing to send again"] += 1
        return []
    world.storm.counts["sent again by a retry"] += order.rows
    before = dict(world.objects)
    judge = RetryJudge(world, last.job_id, order.record)
    for _ in range(world.rng.choice((1, 1, 2, 3))):  # a repeated command
        world.start(order.record)
        world.scheduler.sleep(world.rng.uniform(0, 30))
    execution = world.engine.executions[order.record.execution_name]
    _follow(world, execution, judge, calm)
    world.scheduler.sleep(ALL_ENDED)
    judge.compared(before, dict(world.objects))
    return judge.verdict.faults


def _ordered(world: World, last: UploadRecord) -> Any:
    """Order the same rows once or several times: a killed command has written its order, and starts nothing."""
    orders = [
        order_retry(Wanted(), last, store=world.store, now=START + timedelta(seconds=world.scheduler.now + number))
        for number in range(world.rng.choice((1, 1, 2)))
    ]
    assert len({order.digest for order in orders}) == 1, "the same wish gave two orders"
    return orders[-1]


def _follow(world: World, execution: Execution, judge: RetryJudge, calm: Callable[[], None]) -> None:
    """Resume the retry as long as it is red."""
    for resumes in range(MOST_RESUMES + 1):
        assert execution.actor is not None
        if not execution.actor.done.wait(world.scheduler.now + LONGEST):
            judge.verdict.say("the retry does not end")
            return
        ending = Ending(execution.status, execution.error, dict(world.objects), world.kept)
        judge.interim(ending)
        if execution.status in OVER or execution.error == REFUSED or resumes == MOST_RESUMES:
            judge.final(ending, claims=())
            return
        if resumes:
            calm()
        record = msgspec.convert(execution.context["Execution"]["Input"], UploadRecord)
        now = START + timedelta(seconds=world.scheduler.now)
        resumed = resume_job(record, ledger=world.own_ledger, jobs=world, now=now)
        execution = world.engine.executions[resumed.execution_name]


class RetryJudge(Judge):
    """Judges a later version: its output is of all rows, its bill that of all versions, its requests those of some."""

    def __init__(self, world: World, first: str, version: UploadRecord) -> None:
        super().__init__(world.schedule, version.job_id, StateBooks(world.claude.state))
        self._first = first
        self._rows = [json.loads(line)["_row"] - 1 for line in world.objects[version.rows_key].splitlines()]

    def row_of(self, custom_id: str) -> int:
        """Return the row of a custom_id, from 0, in the first version's file."""
        if not custom_id.startswith(f"{self._job_id}-"):
            return super().row_of(custom_id)
        shard, index = map(int, custom_id.rsplit("-", 2)[1:])
        is_plain = self._schedule.drawn is not None  # a version has no sample
        place = shard * self._schedule.shard_rows + index if is_plain else super().row_of(custom_id)
        return int(self._rows[place])

    def compared(self, before: dict[str, bytes], after: dict[str, bytes]) -> None:
        """Judge what became of the rows that were answered before, and that no row was billed in vain."""
        name = f"output.{self._schedule.format}"
        old_prefix = self._prefix.replace(self._job_id, self._first)
        if f"{self._prefix}{name}" not in after:
            return
        if before[f"{old_prefix}{name}"] != after[f"{old_prefix}{name}"]:
            self.verdict.say("the retry changed the first version's output")
        old = self._output_rows(Ending("SUCCEEDED", "", _moved(before, old_prefix, self._prefix), frozenset()))
        new = self._output_rows(Ending("SUCCEEDED", "", after, frozenset()))
        for number, (was, now) in enumerate(zip(old or [], new or [], strict=True)):
            if was["_status"] == "answered" and was != now:
                self.verdict.say(f"row {number} was answered, and the retry changed it: {was} {now}")
            if fate_of(was["_status"]) in PAID and fate_of(now["_status"]) not in PAID:
                self.verdict.say(f"row {number} has lost its paid answer: {was} {now}")
        for charge in self._books.charges():
            if charge.custom_id.startswith(f"{self._job_id}-") and self.row_of(charge.custom_id) not in self._rows:
                self.verdict.say(f"{charge.custom_id} was not to be sent")

    def _check_foreign(self, claims: Iterable[str]) -> None:
        """Nothing to do: the first version's judge has looked, and its Message Batches are no others'."""

    def _check_green(self, rows: list[dict[str, str]]) -> None:
        """A green retry has sent each of its rows."""
        sent = {one for batch in self._books.batches() for one in batch.custom_ids if self._is_ours(one)}
        for number in set(self._rows) - {self.row_of(custom_id) for custom_id in sent}:
            self.verdict.say(f"green, but row {number} was not sent again")

    def _check_cost(self, ending: Ending) -> None:
        """The bill of all versions is the newest summary's cost, beside what it lists as perhaps paid."""
        summary = self._closed_summary(ending)
        if summary is None:
            return
        ours = [one for one in self._books.charges() if one.custom_id.startswith(f"{self._first}-")]
        self._check_extra(summary, sum((one.usd for one in ours), Decimal(0)) - Decimal(str(summary["cost"]["usd"])))


def _moved(objects: dict[str, bytes], old: str, new: str) -> dict[str, bytes]:
    """Return the objects of one prefix under another one."""
    return {key.replace(old, new): body for key, body in objects.items() if key.startswith(old)}
