"""One run: the schedule's job from its upload to its last word, whatever comes between, and the judge's verdict."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache

import msgspec

from batchdrop.errors import AwsUnavailable
from batchdrop.job.approve_job import approve_job
from batchdrop.job.await_approval import wake_waiting
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.resume_job import resume_job
from batchdrop.job.submission import Halt
from batchdrop.local.claude_api.batches import Batch
from tests.fakes import START
from tests.faults.api import Claude
from tests.faults.books import StateBooks
from tests.faults.execution import Execution
from tests.faults.expiry import come_back
from tests.faults.judge import Ending, Judge, Verdict
from tests.faults.kinds import KINDS
from tests.faults.lies_judge import LiesJudge
from tests.faults.live_judge import LiveJudge
from tests.faults.live_packs_judge import LivePacksJudge
from tests.faults.live_world import LiveWorld
from tests.faults.packs_judge import PacksJudge
from tests.faults.providers import Providers
from tests.faults.remembered import send_more
from tests.faults.retried import send_again
from tests.faults.schedule import Fault, Schedule, schedule_of
from tests.faults.upload import event, files
from tests.faults.world import World

MOST_RESUMES = 8
ASYNC_RETRIES = (60.0, 120.0)  # Lambda: an asynchronous invocation that fails is repeated twice
LONGEST = 100 * 86_400.0  # of one execution, in the schedules that wait for an approval again and again
ALL_ENDED = 26 * 3600.0  # by then every Message Batch has ended, and every zombie
HOPELESS = {"UploadRejected", "RecipeRejected", "NothingToSend"}  # the user has to drop another file
UNANSWERED = "NothingAnswered"
READ_AGAIN = re.compile(r"/answers/\d+\.again\.jsonl$")  # the result lines that a resume read again


@dataclass(frozen=True)
class Report:
    """How a run went."""

    seed: int
    verdict: Verdict
    counts: Counter[str]
    rows: int
    endings: list[str]
    trace: list[str]


@cache
def claude() -> Claude:
    """Return this process's emulator."""
    return Claude()


def run_seed(seed: int, log: Callable[[str], None] | None = None, *, kind: str = "plain") -> Report:
    """Run the schedule of a seed, made into one of this kind."""
    return run(KINDS[kind](schedule_of(seed)), log)


def run(schedule: Schedule, log: Callable[[str], None] | None = None, make: type[World] | None = None) -> Report:
    """Run a schedule in a world of this kind; by default in the plainest one that has all that it needs."""
    random.seed(schedule.seed)  # the handlers' jitter
    world = (make or (LiveWorld if schedule.live else World))(schedule, claude(), log)
    with world.sizes():
        return _Conductor(world).report()


class _Conductor:
    """Everybody outside the product: S3, the user, another client, the account."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._schedule = world.schedule
        self._scheduler = world.scheduler
        self._resumes = 0
        self._is_seen_through = False
        self._is_endless = False
        self._read_again_at: int | None = None  # how often the job was resumed before that
        self._cap = self._schedule.max_cost_usd
        self._endings: list[Ending] = []
        self._judge: Judge | None = None
        self._verdict = Verdict()
        self._providers = Providers(world)

    def report(self) -> Report:
        world, scheduler = self._world, self._scheduler
        world.objects.update(files(self._schedule))
        if self._schedule.drawn is not None:
            self._schedule.drawn.objects = world.objects
        self._lay_out(*self._schedule.lasting, *self._schedule.faults)
        for number, at in enumerate(self._schedule.deliveries):
            scheduler.start(f"delivery {number}", self._deliver, delay=at)
        for at in self._schedule.foreign_at:
            scheduler.start("foreign client", self._create_foreign, delay=at)
        for at in self._schedule.misled_at:
            scheduler.start("confused gateway", self._mislead, delay=at)
        if self._schedule.foreign_every:
            scheduler.start("foreign stream", self._stream_foreign)
        self._providers.start()
        if self._schedule.trouble:
            scheduler.start("account", self._trouble, delay=self._schedule.trouble.at)
        if self._schedule.cancel_at is not None:
            scheduler.start("cancel", self._cancel, delay=self._schedule.cancel_at)
        if self._schedule.sample is not None:
            scheduler.start("approver", self._approve)
        scheduler.start("user", self._see_through)
        scheduler.run()
        return Report(
            seed=self._schedule.seed,
            verdict=self._verdict,
            counts=self._counts(),
            rows=len(self._schedule.rows),
            endings=[f"{ending.status} {ending.error}".strip() for ending in self._endings],
            trace=world.trace,
        )

    def _counts(self) -> Counter[str]:
        counts = Counter(self._world.storm.counts)
        for fault in self._world.claude.state.faults.listed():
            counts[f"API: {fault['kind']}"] += fault["fired"]
        counts["second delivery"] += len(self._schedule.deliveries) - 1
        if isinstance(self._judge, LiveJudge):
            counts.update(self._judge.explained)
        return counts

    # --- the user

    def _see_through(self) -> None:
        """See the job through to its end, as a user would: resume it as long as it is not green."""
        execution = self._first()
        while True:
            self._await_end(execution)
            self._note_end(execution)
            if self._is_over(execution):
                break
            self._resumes += 1
            if self._resumes > self._schedule.stormy_resumes:
                self._calm()
                self._providers.put_back(self._resumes - self._schedule.stormy_resumes - 1)
                if self._schedule.key_swaps:
                    self._world.keys_put_back = self._resumes - self._schedule.stormy_resumes - 1
            if self._resumes > MOST_RESUMES:
                self._verdict.say("the job never ends green")
                break
            self._scheduler.sleep(self._world.rng.uniform(1, self._schedule.longest_rest))
            execution = self._gone_on(execution)
        self._is_seen_through = True
        self._scheduler.sleep(ALL_ENDED)
        self._conclude()
        if self._schedule.retried and self._endings[-1].error not in HOPELESS:
            self._verdict.faults += send_again(self._world, self._last_record(execution), self._calm)
        if self._schedule.remembered and self._endings[-1].error not in HOPELESS:
            more = send_more(self._world, self._job_id, self._endings[-1], self._calm)
            self._verdict.faults += more.faults
            self._verdict.paid_twice += more.paid_twice
            self._verdict.lost += more.lost
        if self._schedule.expiry is not None:
            self._calm()
            come_back(self._world, self._schedule.expiry, self._last_record(execution), self._verdict)

    def _first(self) -> Execution:
        while not self._world.engine.executions:
            self._scheduler.sleep(5)
            assert self._scheduler.now < 4000, "the upload started no job"
        [job_id] = self._world.engine.executions
        books = StateBooks(self._world.claude.state)
        if isinstance(self._world, LiveWorld):
            judge = LivePacksJudge if self._schedule.pack else LiveJudge
            self._judge = judge(self._schedule, job_id, books, self._world.journal)
        elif self._schedule.pack:
            self._judge = PacksJudge(self._schedule, job_id, books)
        elif self._schedule.is_deceived:
            self._judge = LiesJudge(self._schedule, job_id, books)
        else:
            self._judge = Judge(self._schedule, job_id, books)
        self._verdict = self._judge.verdict
        return self._world.engine.executions[job_id]

    @property
    def _job_id(self) -> str:
        return next(iter(self._world.engine.executions))

    def _await_end(self, execution: Execution) -> None:
        assert execution.actor is not None
        stop_at = self._schedule.stop_at if not self._resumes else None
        if execution.actor.done.wait(self._scheduler.now + LONGEST if stop_at is None else stop_at):
            return
        if stop_at is None:
            self._is_endless = True
            self._verdict.say("the job does not end")
        self._world.log("the user stops the execution")
        self._world.storm.counts["execution stopped"] += 1
        self._world.engine.stop(execution)
        self._scheduler.sleep(1)

    def _note_end(self, execution: Execution) -> None:
        ending = Ending(execution.status, execution.error, dict(self._world.objects), self._world.kept)
        self._endings.append(ending)
        assert self._judge is not None
        self._judge.interim(ending)
        self._judge.under_the_cap(self._cap)

    def _is_over(self, execution: Execution) -> bool:
        if execution.error in HOPELESS:
            return True
        if self._is_endless or self._schedule.gives_up:
            return True
        if self._schedule.is_deceived and self._resumes > self._schedule.stormy_resumes:
            return True  # nothing but the lies is left to go wrong
        if execution.status == "SUCCEEDED":
            return not self._reads_again()
        if UNANSWERED in execution.cause and not self._schedule.can_be_answered(lost=self._never_sent_again()):
            self._world.storm.counts["no row can be answered"] += 1
            return True
        return execution.error == "JobCanceled" and self._schedule.stays_canceled

    def _never_sent_again(self) -> set[int]:
        """Return the rows that no resume sends or reads: once perhaps paid, and with nothing left to read again."""
        assert self._judge is not None
        last = self._judge.perhaps_paid(self._endings[-1])
        lost = {custom_id for custom_id, batch_id in last.items() if batch_id is None}
        again = [body for key, body in self._world.objects.items() if READ_AGAIN.search(key)]
        read = {line["custom_id"] for body in again for line in map(json.loads, body.splitlines())}
        return {self._judge.row_of(custom_id) for custom_id in lost | (read - last.keys()) | self._lost_live()}

    def _lost_live(self) -> set[str]:
        """Return the custom_ids of live requests that may be paid: also those that repeat a cut answer."""
        answers = [body for key, body in self._world.objects.items() if "/answers/" in key and b'"lost":' in body]
        lines = [line for body in answers for line in map(json.loads, body.splitlines())]
        return {line["custom_id"] for line in lines if line.get("lost") and line["result"]["type"] != "succeeded"}

    def _reads_again(self) -> bool:
        """Resume a job that succeeded, once, if results of Message Batches are left that could not be read."""
        assert self._judge is not None
        is_first = self._read_again_at is None
        if is_first and any(self._judge.perhaps_paid(self._endings[-1]).values()):
            self._read_again_at = self._resumes
            self._world.storm.counts["resumed to read results again"] += 1
            return True
        return False

    def _gone_on(self, execution: Execution) -> Execution:
        """Resume the job, or redrive its execution, whichever the user prefers."""
        engine = self._world.engine
        if self._schedule.redriven and (execution.status == "ABORTED" or execution.state == "End red"):
            self._world.storm.counts["redriven"] += 1
            self._world.log("the user redrives the execution")
            engine.redrive(execution)
            return execution
        self._world.storm.counts["resumed"] += 1
        self._raise_the_cap(execution)
        self._world.log("the user resumes the job")
        now = START + timedelta(seconds=self._world.scheduler.now)
        record = resume_job(self._last_record(execution), ledger=self._world.own_ledger, jobs=self._world, now=now)
        return engine.executions[record.execution_name]

    def _last_record(self, execution: Execution) -> UploadRecord:
        return msgspec.convert(execution.context["Execution"]["Input"], UploadRecord)

    def _raise_the_cap(self, execution: Execution) -> None:
        """Do what the job's last word says, if that was about the cap."""
        if self._cap is not None and (execution.error == "TooExpensive" or "BudgetReached" in execution.cause):
            self._world.storm.counts["cap reached"] += 1
            self._cap *= 2
            self._world.objects.update(files(replace(self._schedule, max_cost_usd=self._cap)))

    def _calm(self) -> None:
        self._world.log("all is calm from now on")
        self._world.storm.calm()
        self._providers.calm()
        self._world.claude.state.faults.clear()
        self._lay_out(*self._schedule.lasting)

    def _lay_out(self, *faults: Fault) -> None:
        for fault in faults:
            self._world.claude.lay_out(fault)

    def _cancel(self) -> None:
        if self._world.engine.executions:
            self._world.log("the user cancels the job")
            self._world.storm.counts["canceled by the user"] += 1
            halt = Halt("JobCanceled", "you canceled the job", self._world.time())
            self._world.own_ledger.halt(self._job_id, halt)
            wake_waiting(self._job_id, approvals=self._world.approvals(), tokens=self._world.task_tokens())

    def _approve(self) -> None:
        """Look now and then whether a sample waits, and approve it; now and then the command dies before it rings."""
        rng, world = random.Random(f"approver of {self._schedule.seed}"), self._world
        while not self._is_seen_through:
            self._scheduler.sleep(rng.uniform(5, self._schedule.approver_rest))
            if not world.engine.executions or not world.bells.is_waited_for(world.approvals().tokens(self._job_id)):
                continue
            world.log("the user approves the sample")
            world.storm.counts["approved by the user"] += 1
            if rng.random() < 0.2:
                world.approvals().approve(self._job_id, world.time())
                continue
            with suppress(AwsUnavailable):  # the command says so, and the user repeats it
                approve_job(self._job_id, world.time(), approvals=world.approvals(), tokens=world.task_tokens())

    # --- the others

    def _deliver(self) -> None:
        for pause in (*ASYNC_RETRIES, None):
            while self._world.is_throttled():  # Lambda keeps the event for six hours
                self._scheduler.sleep(20)
            delivery = self._world.call_function("split_upload", event(self._schedule))
            delivery.actor.done.wait()
            if delivery.failure is None or pause is None:
                return
            self._scheduler.sleep(pause)

    def _create_foreign(self) -> Batch | None:
        requests = sum(1 for kind in self._schedule.rows[: self._schedule.shard_rows] if kind != "bad")
        if not requests:
            return None
        self._world.storm.counts["foreign Message Batch"] += 1
        return self._world.claude.create_foreign(requests, self._world.rng)

    def _mislead(self) -> None:
        """Let the next create be answered with the Message Batch that another client creates now."""
        foreign = self._create_foreign()
        if foreign is not None:
            self._lay_out({"kind": "create_other_id", "batch_id": foreign.id})

    def _stream_foreign(self) -> None:
        self._scheduler.sleep(min(60.0, self._schedule.foreign_every))
        while not self._is_seen_through:
            self._create_foreign()
            self._scheduler.sleep(self._schedule.foreign_every)

    def _trouble(self) -> None:
        trouble = self._schedule.trouble
        assert trouble is not None
        endless = {"endpoint": "*" if self._schedule.live else "batches.*", "times": -1}
        if trouble.status == 429:
            fault = self._world.claude.lay_out({"kind": "spend_cap", **endless})
        else:
            fault = self._world.claude.lay_out({"kind": "error_before_accept", "status": trouble.status, **endless})
        self._world.storm.counts["account in trouble"] += 1
        self._scheduler.sleep(trouble.seconds)
        fault.times = fault.fired

    def _conclude(self) -> None:
        assert self._judge is not None
        ending = replace(self._endings[-1], objects=dict(self._world.objects))
        claims = [key[0].removeprefix("batch#") for key in self._world.table.items if key[0].startswith("batch#")]
        self._judge.final(ending, claims=claims)
        was_calm = self._read_again_at is not None and self._read_again_at >= self._schedule.stormy_resumes
        if was_calm and any(self._judge.perhaps_paid(ending).values()):
            self._verdict.say("results that can be read were not delivered by the resume that reads them again")
        if self._schedule.must_settle and any("SubmissionUnsettled -> Record" in line for line in self._world.trace):
            self._verdict.say("what became of a create was not found out in two days")
        for host in sorted(self._world.claude.strange_hosts):
            self._verdict.say(f"the key was sent to {host}")
        self._judge.under_the_cap(self._cap)
