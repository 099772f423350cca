"""After the job's end, the user sends its file again, edited, in the same storm. What is answered is not paid again."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import msgspec

from batchdrop.cli.forget.in_bucket import Bucket, ForgetInBucket, Way
from batchdrop.cli.forget.wanted import SKEW, Wanted
from batchdrop.finish.recalled import WHY
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.resume_job import resume_job
from batchdrop.job.submission import Halt
from tests.eraser import FakeEraser
from tests.fakes import START, FakeObjectStore
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
NEVER = -2  # before any upload
FORGETS = 0.4  # part of the times at which the user may forget a row
QUESTIONS = (b"Say something about", b"Say much about")

Question = tuple[bytes, str]  # what the recipe asks, and the row's text


@dataclass
class Known:
    """What the jobs before have: the rows whose answers are kept, and each text that was given to a row."""

    kept: set[Question] = field(default_factory=set)
    texts: dict[Question, set[str]] = field(default_factory=lambda: defaultdict(set))
    forgotten: dict[str, int] = field(default_factory=dict)
    """Texts of rows that a `batchdrop forget` removed, and the time of its tombstone."""
    before: dict[Question, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Answers that were forgotten: only a job of a file from before may have one."""

    def forget(self, text: str, until: int) -> None:
        """No later job may remember the row."""
        self.forgotten[text] = until
        for question in [one for one in {*self.kept, *self.texts} if text_of(one[1]) == text]:
            self.kept.discard(question)
            self.before[question] |= self.texts.pop(question, set())

    def is_forgotten(self, question: Question, uploaded: int) -> bool:
        """Return whether the answers to a row of a file from this time are forgotten."""
        return uploaded <= self.forgotten.get(text_of(question[1]), NEVER)


def send_more(world: World, first: str, ending: Ending, calm: Callable[[], None]) -> Verdict:
    """Send the file of the job `first` again, several times, and sometimes two files at once; judge each job."""
    rng = random.Random(f"more of {world.schedule.seed}")
    verdict, known = Verdict(), Known()
    judge = RememberedJudge(world, world.schedule, QUESTIONS[0], first, verdict, known)
    judge.learn(ending)
    schedule, question = world.schedule, QUESTIONS[0]
    forgetter = Forgetter(world, known)
    for number in range(rng.choice((1, 2, 3))):
        jobs: list[_Sent] = []
        if rng.random() < FORGETS:
            forgetter.forget(rng.choice(row_texts(schedule)), (), at=100 * number + 50)
        for twin in range(rng.choice((1, 1, 2))):
            schedule = _edited(schedule, rng, 10 * number + twin + 1)
            question = rng.choice((question, question, *QUESTIONS))
            jobs.append(_Sent(world, schedule, question, verdict, known, rng, at=100 * number + 60 + twin))
        if rng.random() < FORGETS:
            world.scheduler.sleep(rng.choice((0, 30, 300)))
            if all(job.is_running for job in jobs):  # the outputs of an ended one would change before they are judged
                forgetter.forget(rng.choice(row_texts(schedule)), [job.judge for job in jobs], at=100 * number + 70)
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
        self,
        world: World,
        schedule: Schedule,
        question: bytes,
        verdict: Verdict,
        known: Known,
        rng: random.Random,
        *,
        at: int,
    ) -> None:
        self._at = at
        self._world, self._rng = world, rng
        own = files(schedule)
        own[RECIPE_KEY] = own[RECIPE_KEY].replace(QUESTIONS[0], question)
        self._recipe = own[RECIPE_KEY]
        world.objects.update(own)
        self._execution = self._started(schedule)
        self._cancel_at = rng.uniform(0, 300) if rng.random() < 0.2 else None
        self.judge = RememberedJudge(world, schedule, question, self._execution.name, verdict, known, at)
        self.ending = Ending("ABORTED", "", {}, frozenset())

    def _started(self, schedule: Schedule) -> Execution:
        world = self._world
        before = {*world.engine.executions}
        while True:
            delivery = world.call_function("split_upload", event(schedule, at=self._at))
            delivery.actor.done.wait()
            world.scheduler.sleep(5)
            new = {*world.engine.executions} - before
            if new:
                [name] = new
                world.storm.counts["sent again, edited"] += 1
                while not self._keeps_recipe(name) and world.engine.executions[name].is_running:
                    world.scheduler.sleep(5)
                return world.engine.executions[name]

    def _keeps_recipe(self, job_id: str) -> bool:
        """Return whether the job has stored its recipe, so that it may change from then on."""
        keys = JobKeys(job_id)
        return not {keys.split, keys.manifest}.isdisjoint(self._world.objects)

    @property
    def is_running(self) -> bool:
        """Return whether its first execution has not ended."""
        return self._execution.is_running

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
            if not self._keeps_recipe(self._execution.name):  # a resume reads it, and a later file may have changed it
                world.objects[RECIPE_KEY] = self._recipe
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


class Forgetter:
    """The user's `batchdrop forget`, which no storm disturbs; jobs may run meanwhile."""

    def __init__(self, world: World, known: Known) -> None:
        self._world, self._known = world, known

    def forget(self, row: str, running: Sequence[RememberedJudge], *, at: int) -> None:
        """Forget all rows with the text of this one, in files that were uploaded by then."""
        world, text = self._world, text_of(row)
        if not text:
            return
        store = FakeObjectStore()
        store.objects = world.objects
        jobs = {name: "judge" for name, one in world.engine.executions.items() if one.is_running}
        wanted = Wanted("judge", subject=text, columns=("text",))
        until = int((START + timedelta(seconds=at)).timestamp())
        bucket = Bucket(store, FakeEraser(store), lambda: jobs, remembers=True)
        ForgetInBucket(bucket, wanted, Way(until - SKEW, is_dry=False)).run()
        world.storm.counts["forgotten"] += 1
        self._known.forget(text, at)
        for judge in running:
            judge.forget(text)


def text_of(row: str) -> str:
    """Return the text of a row as it stands in the file; empty if it cannot be read."""
    if row.startswith("{"):
        return str(json.loads(row)["text"])
    return row.split(",")[1] if row.count(",") else ""


class RememberedJudge(Judge):
    """Judges a job that may remember rows: each with an answer to its own question, and none of them paid again."""

    def __init__(
        self,
        world: World,
        schedule: Schedule,
        question: bytes,
        job_id: str,
        verdict: Verdict,
        known: Known,
        uploaded: int = -1,
    ) -> None:
        self._uploaded = uploaded
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
                question = self._questions[self.row_of(result.custom_id)]
                is_gone = self._known.is_forgotten(question, self._uploaded)
                (self._known.before if is_gone else self._known.texts)[question].add(result.text)
        if self._closed_summary(ending) is None:
            return
        for number, row in enumerate(self._output_rows(ending) or []):
            question = self._questions[number]
            if row["_status"] in {"answered", "remembered"} and not self._known.is_forgotten(question, self._uploaded):
                self._known.kept.add(question)

    def forget(self, text: str) -> None:
        """The job may have looked the row up before, or not."""
        self._kept = {question for question in self._kept if text_of(question[1]) != text}

    def _check_foreign(self, claims: object) -> None:
        """Nothing to do: the first job's judge has looked, and its Message Batches are no others'."""

    def _check_green(self, rows: list[dict[str, str]]) -> None:
        """A green job has sent each row that can be sent, or remembers it."""
        known = [row["_status"] == "remembered" for row in self._with_forgotten(rows)]
        asked = {self.row_of(one) for batch in self._books.batches() for one in batch.custom_ids if self._is_ours(one)}
        for number, (row, is_known) in enumerate(zip(rows, known, strict=True)):
            if row["_status"] != "rejected" and not is_known and number not in asked:
                self.verdict.say(f"green, but row {number} was never asked")

    def _check_kept(self, ending: Ending, rows: list[dict[str, str]]) -> None:
        """A collected answer is in the output; a copy from the store is not, if it was forgotten meanwhile."""
        super()._check_kept(ending, self._with_forgotten(rows))

    def _with_forgotten(self, rows: list[dict[str, str]]) -> list[dict[str, str]]:
        """Return the rows. One that failed because its remembered answer was rightly forgotten counts as remembered."""
        return [
            row | {"_status": "remembered"}
            if row["_status"] == "failed"
            and WHY in row["_error"]
            and self._known.is_forgotten(question, self._uploaded)
            else row
            for question, row in zip(self._questions, rows, strict=True)
        ]

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
                question = self._questions[number]
                is_old = self._known.is_forgotten(question, self._uploaded)
                if row["answer"] not in self._known.texts[question] | (
                    self._known.before[question] if is_old else set()
                ):
                    self.verdict.say(f"row {number} remembers an answer that is not its own: {row['answer']!r}")
