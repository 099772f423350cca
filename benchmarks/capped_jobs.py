"""What a cap costs: 2,000 rows under `max_cost_usd`, beside the same job without it, on the emulator's bill.

    python -m benchmarks.capped_jobs [--quick]

The real use cases run against the emulator on virtual time. A Message Batch takes half an hour. A sixth of the rows
repeat an earlier text, so a shard that is cut small shares fewer answers.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from decimal import Decimal

from benchmarks.findings import begin
from tests.emulated_job import emulated_job

ROWS = 2_000
DISTINCT = 1_650
WORDS = ("light", "river", "paper", "stone", "green", "quiet", "early", "north", "simple", "copper", "window")
RECIPE = (
    "model: claude-haiku-5-5\nmax_tokens: 10000\ndedupe: true\n"
    "system: |\n  {system}\nprompt: 'Label this: {{{{ x }}}}'\n"
)


@dataclass(frozen=True)
class CappedJob:
    """A job: its cap, and the length of its instruction in words. The true cost is that of the uncapped job."""

    name: str
    cap: str
    words: int
    most_batches: int


JOBS = (
    CappedJob("true cost $0.20", "1", 1_130, 3),
    CappedJob("true cost $0.10", "0.12", 560, 5),
)


def table(rows: int) -> bytes:
    """Return a CSV file in which a sixth of the rows repeat an earlier text, far away."""
    rng = random.Random(19)
    distinct = max(1, rows * DISTINCT // ROWS)
    texts = [f"{number} {' '.join(rng.choices(WORDS, k=8))}" for number in range(distinct)]
    texts += rng.choices(texts, k=rows - distinct)
    rng.shuffle(texts)
    return "".join(f"{text}\n" for text in ["x", *texts]).encode()


def recipe(job: CappedJob, *, is_capped: bool, max_tokens: int = 10_000) -> str:
    """Return the job's recipe."""
    system = "Answer with one of: positive, negative, neutral. " + " ".join(
        random.Random(job.words).choices(WORDS, k=job.words)
    )
    text = RECIPE.format(system=system).replace("10000", str(max_tokens))
    return text + (f"max_cost_usd: {job.cap}\n" if is_capped else "")


@dataclass(frozen=True)
class Outcome:
    """How a job ended: its Message Batches, its bill in dollars, and the requests of the bill beyond one a text."""

    status: str
    answered: int
    message_batches: int
    bill: Decimal
    repeated: int
    cut: int


def ran(job: CappedJob, rows: int, *, is_capped: bool) -> Outcome:
    """Run a job to its end. Raises AssertionError if the summary is not the bill, or the cap is passed."""
    with emulated_job(table(rows), recipe=recipe(job, is_capped=is_capped)) as world:
        summary = world.run()
        assert not is_capped or world.bill <= Decimal(job.cap)
        entries = [*world.entries()]
        return Outcome(
            status=summary.status,
            answered=summary.tally.answered,
            message_batches=world.message_batches,
            bill=world.bill,
            repeated=len(entries) - len({entry.prompt_digest for entry in entries}),
            cut=len(entries) - len({entry.custom_id for entry in entries}),
        )


def main() -> int:
    """Run both jobs with their cap and without it."""
    found = begin("capped_jobs", "Jobs of 2,000 rows under max_cost_usd, and without it", runs=1)
    rows = found.of_scale(full=ROWS, quick=ROWS, smoke=60)
    for job in JOBS:
        free, capped = (ran(job, rows, is_capped=is_capped) for is_capped in (False, True))
        for label, one in (("no cap", free), (f"max_cost_usd: {job.cap}", capped)):
            found.line(
                job.name,
                label,
                {
                    "message_batches": one.message_batches,
                    "bill_usd": float(one.bill),
                    "answered": one.answered,
                    "texts paid again": one.repeated - one.cut,
                    "cut, sent again": one.cut,
                },
            )
        found.bar(f"{job.name}: Message Batches", capped.message_batches, job.most_batches, is_most=True)
        found.bar(f"{job.name}: bill / bill without the cap", float(capped.bill / free.bill), 1.02, is_most=True)
    return found.write()


if __name__ == "__main__":
    sys.exit(main())
