"""Weeks later: the job's records have vanished, and somebody comes back to it. Nothing may be sent any more."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from batchdrop.errors import JobExpired
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.resume_job import resume_job
from tests.faults.api import START
from tests.faults.books import StateBooks
from tests.faults.judge import Verdict
from tests.faults.schedule import Expiry
from tests.faults.upload import event
from tests.faults.world import World

DAY = 86_400.0
BY_HAND = 7  # the resumes that somebody writes into an execution's input
ITS_END = 30 * 3600.0  # by then, an execution that was started has sent and collected what it wants to


def come_back(world: World, expiry: Expiry, last: UploadRecord, verdict: Verdict) -> None:
    """Let the records vanish. Then resume the job, start an execution by hand, and deliver S3's event again."""
    world.scheduler.sleep(expiry.days * DAY)
    _vanish(world, expiry)
    books = StateBooks(world.claude.state)
    batches, charges = len(books.batches()), len([*books.charges()])
    _resume(world, last, verdict)
    world.start(msgspec.structs.replace(last, resumes=BY_HAND))
    _deliver(world, verdict)
    world.scheduler.sleep(ITS_END)
    sent, billed = len(books.batches()) - batches, len([*books.charges()]) - charges
    if sent or billed:
        verdict.paid_twice += billed
        verdict.say(f"{sent} Message Batches were sent, and {billed} requests billed, after the records had vanished")
    running = [name for name, execution in world.engine.executions.items() if execution.error != JobExpired.__name__]
    if running:
        verdict.say(f"not refused with JobExpired: {running}")


def _vanish(world: World, expiry: Expiry) -> None:
    """Let what has expired vanish: the ledger's items, the job's files, and the names of its executions."""
    world.log("the records of the job have expired")
    world.storm.counts["records expired"] += 1
    if expiry.forgets_ledger:
        world.table.items.clear()
    if expiry.forgets_objects:
        for key in [key for key in world.objects if key.startswith("jobs/")]:
            del world.objects[key]
    world.engine.executions.clear()


def _resume(world: World, last: UploadRecord, verdict: Verdict) -> None:
    now = START + timedelta(seconds=world.scheduler.now)
    try:
        resume_job(last, ledger=world.own_ledger, jobs=world, now=now)
    except JobExpired:
        return
    verdict.say("a job whose records have vanished was resumed")


def _deliver(world: World, verdict: Verdict) -> None:
    delivery = world.call_function("split_upload", event(world.schedule))
    delivery.actor.done.wait()
    if delivery.failure is None or delivery.failure.error != JobExpired.__name__:
        verdict.say(f"the old event was not refused: {delivery.failure}")
