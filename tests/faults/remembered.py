"""After the job's end, the user sends its file again, edited, in the same storm. What is answered is not paid again."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import msgspec

from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.resume_job import resume_job
from batchdrop.job.submission import Halt
from tests.fakes import START
from tests.faults.books import StateBooks
from tests.faults.execution import Execution
from tests.faults.judge import TOLD, Ending, Judge, Verdict
from tests.faults.schedule import EXPIRES_AFTER, ROW_KINDS, Schedule
from tests.faults.upload import RECIPE_KEY, event, files, row_texts
from tests.faults.world import World

MOST_RESUMES = 4
LONGEST = 100 * 86_400.0  # rounds of Message Batches that all expire take days
ALL_ENDED = 26 * 3600.0
OVER = {"NothingToSend", "JobCanceled"}
QUESTIONS = (b"Say something about", b"Say much about")

Question = tuple[bytes, str]  # what the recipe asks, and the row's text


@dataclass
class Known:
    """What the jobs before have: the rows whose answers are kept, and each text that was given to a row."""

    kept: set[Question] = field(default_factory=set)
    texts: dict[Question, set[str]] = field(default_factory=lambda: defaultdict(set))


def send_more(world: World, first: str, ending: Ending, calm: Callable[[], None]) -> Verdict:
    """Send the file of the job `first` again, several times, and sometimes two files at once; judge each job."""
    rng = random.Random(f"more of {world.schedule.seed}")
    verdict, known = Verdict(), Known()
    judge = RememberedJudge(world, world.schedule, QUESTIONS[0], first, verdict, known)
    judge.learn(ending)
    schedule, question = world.schedule, QUESTIONS[0]
    for number in range(rng.choice((1, 2, 3))):
        jobs = []
        for twin in range(rng.choice((1, 1, 2))):
            schedule = _edited(schedule, rng, 10 * number + twin + 1)
            question = rng.choice((question, question, *QUESTIONS))
            jobs.append(_Sent(world, schedule, question, verdict, known, rng))
        for job in jobs:
            job.follow(calm)
        world.scheduler.sleep(ALL_ENDED)
        for job in jobs:
            job.judge.learn(job.ending)
    return verdict


def _edited(schedule: Schedule, rng: random.Random, number: int) -> Schedule:
    """Return the schedule of the same file with some rows changed, and some added."""
    kinds, weights = [*ROW_KINDS], [*ROW_KINDS.values()]
    rows = [rng.choices(kinds, weights)[0] if rng.random() < 0.2 else kind for kind in schedule.rows]
    rows += rng.choices(kinds, weights, k=rng.choice((0, 0, 1, 3)))
    return replace(schedule, seed=schedule.seed % 1_000_000 + number * 1_000_000, rows=tuple(rows))


class _Sent:
    """One more job, from its upload to its end."""

    def __init__(
        self, world: World, schedule: Schedule, question: bytes, verdict: Verdict, known: Known, rng: random.Random
    ) -> None:
        self._world, self._rng = world, rng
        own = files(schedule)
        own[RECIPE_KEY] = own[RECIPE_KEY].replace(QUESTIONS[0], question)
        world.objects.update(own)
        self._execution = self._started(schedule)
        self._cancel_at = rng.uniform(0, 300) if rng.random() < 0.2 else None
        self.judge = RememberedJudge(world, schedule, question, self._execution.name, verdict, known)
        self.ending = Ending("ABORTED", "", {}, frozenset())

    def _started(self, schedule: Schedule) -> Execution:
        world = self._world
        before = {*world.engine.executions}
        while True:
            delivery = world.call_function("split_upload", event(schedule))
            delivery.actor.done.wait()
            world.scheduler.sleep(5)
            new = {*world.engine.executions} - before
            if new:
                [name] = new
                world.storm.counts["sent again, edited"] += 1
                keys = JobKeys(name)
                kept = {keys.split, keys.manifest}  # they have the recipe, which may change from then on
                while not kept & world.objects.keys() and world.engine.executions[name].is_running:
                    world.scheduler.sleep(5)
                return world.engine.executions[name]

    def follow(self, calm: Callable[[], None]) -> None:
        """Resume the job as long as it is red."""
        world, execution = self._world, self._execution
        most = 0 if self.judge.never_answered else MOST_RESUMES
        for resumes in range(most + 1):
            assert execution.actor is not None
            if self._cancel_at is not None and not resumes:
                execution.actor.done.wait(world.scheduler.now + self._cancel_at)
                self._cancel()
            if not execution.actor.done.wait(world.scheduler.now + LONGEST):
                self.judge.verdict.say("the next file's job does not end")
                return
            self.ending = Ending(execution.status, execution.error, dict(world.objects), world.kept)
            self.judge.interim(self.ending)
            if execution.status == "SUCCEEDED" or execution.error in OVER or resumes == most:
                break
            if resumes:
                calm()
            record = msgspec.convert(execution.context["Execution"]["Input"], UploadRecord)
            now = START + timedelta(seconds=world.scheduler.now)
            resumed = resume_job(record, ledger=world.own_ledger, jobs=world, now=now)
            execution = world.engine.executions[resumed.execution_name]
        self.judge.final(self.ending, claims=())

    def _cancel(self) -> None:
        if self._execution.is_running:
            halt = Halt("JobCanceled", "you canceled the job", self._world.time())
            self._world.own_ledger.halt(self._execution.name, halt)
            self._world.storm.counts["canceled by the user"] += 1


class RememberedJudge(Judge):
    """Judges a job that may remember rows: each with an answer to its own question, and none of them paid again."""

    def __init__(
        self, world: World, schedule: Schedule, question: bytes, job_id: str, verdict: Verdict, known: Known
    ) -> None:
        super().__init__(schedule, job_id, StateBooks(world.claude.state))
        self.verdict = verdict
        self._world = world
        self._questions: list[Question] = [(question, text) for text in row_texts(schedule)]
        self._known = known
        self._kept = {*known.kept}  # when the file was uploaded

    @property
    def never_answered(self) -> bool:
        """Return whether each Message Batch expires, so that no resume helps."""
        return self._schedule.batch_seconds > EXPIRES_AFTER

    def learn(self, ending: Ending) -> None:
        """Note what this job has answered, for the judges of later jobs."""
        for result in self._books.results():
            if self._is_ours(result.custom_id) and result.type == "succeeded":
                self._known.texts[self._questions[self.row_of(result.custom_id)]].add(result.text)
        if self._closed_summary(ending) is None:
            return
        for number, row in enumerate(self._output_rows(ending) or []):
            if row["_status"] in {"answered", "remembered"}:
                self._known.kept.add(self._questions[number])

    def _check_foreign(self, claims: object) -> None:
        """Nothing to do: the first job's judge has looked, and its Message Batches are no others'."""

    def _check_green(self, rows: list[dict[str, str]]) -> None:
        """A green job has sent each row that can be sent, or remembers it."""
        known = [row["_status"] == "remembered" for row in rows]
        asked = {self.row_of(one) for batch in self._books.batches() for one in batch.custom_ids if self._is_ours(one)}
        for number, (row, is_known) in enumerate(zip(rows, known, strict=True)):
            if row["_status"] != "rejected" and not is_known and number not in asked:
                self.verdict.say(f"green, but row {number} was never asked")

    def _check_paid_is_given(self, ending: Ending, all_asked: dict[str, object]) -> None:  # type: ignore[override]  # as much of it as it uses
        super()._check_paid_is_given(ending, all_asked)  # type: ignore[arg-type]  # likewise
        for custom_id in all_asked:
            if self._questions[self.row_of(custom_id)] in self._kept:
                self.verdict.paid_twice += 1
                self.verdict.say(f"{custom_id} was sent, and its answer is in the store")
        if ending.error not in TOLD or ending.status == "ABORTED" or self._closed_summary(ending) is None:
            return
        for number, row in enumerate(self._output_rows(ending) or []):
            if row["_status"] == "remembered":
                self._world.storm.counts["remembered"] += 1
                if row["answer"] not in self._known.texts[self._questions[number]]:
                    self.verdict.say(f"row {number} remembers an answer that is not its own: {row['answer']!r}")
