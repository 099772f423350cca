"""Jobs whose pages are looked at: python -m tests.pages.example FOLDER writes a report of each kind, without AWS."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from batchdrop.adapters.pages.html_pages import HtmlPages
from batchdrop.errors import NothingToSend
from batchdrop.job.job_progress import JobProgress, ShardProgress
from batchdrop.job.submission import Halt
from batchdrop.report.summary import Fault
from tests.fakes import START, FakeBatchApi, errored, succeeded
from tests.jobs import JOB, World

RECIPE = """
model: claude-haiku-5-5
max_tokens: 256
system: You read product reviews for a shop's quality team.
prompt: |
  Product: {{ product }}
  Review: {{ review }}
answer:
  label: {enum: [positive, neutral, negative, mixed]}
  urgent: boolean
  confidence: {type: number, description: "how sure the label is, from 0 to 1"}
  stars: integer
  topics: {list: string}
pilot: false
"""
PRODUCTS = ["Kettle 1.7 l", "Desk lamp", "Rain jacket", "Espresso cups", "غلاية ماء", "電気ケトル"]
TOPICS = ["delivery", "quality", "price", "סוללה", "色とサイズ"]


def _answer(chance: random.Random) -> dict[str, Any]:
    label = chance.choices(["positive", "neutral", "negative", "mixed"], [58, 14, 22, 6])[0]
    answer = {
        "label": label,
        "urgent": chance.random() < 0.12,
        "confidence": round(1 - abs(chance.gauss(0, 0.14)), 3),
        "stars": chance.choices([1, 2, 3, 4, 5], [9, 8, 14, 30, 39])[0],
        "topics": chance.sample(TOPICS, chance.choice([0, 1, 1, 2, 3])),
    }
    usage = {
        "input_tokens": round(chance.lognormvariate(5.2, 0.5)),
        "output_tokens": round(chance.lognormvariate(3.6, 0.35)),
        "service_tier": "batch",
    }
    fate = chance.random()
    if fate < 0.006:
        return errored("api_error", "Internal server error")
    if fate < 0.009:
        return errored("invalid_request_error", "messages: text content blocks must be non-empty")
    if fate < 0.014:
        return succeeded('{"label": "positive", "urg', stop_reason="max_tokens", usage=usage)
    if fate < 0.017:
        return succeeded("I can't help with that.", stop_reason="refusal", usage=usage)
    if fate < 0.02:
        return succeeded('{"label": "great"}', usage=usage)
    return succeeded(msgspec.json.encode(answer).decode(), usage=usage)


def reviews(rows: int) -> bytes:
    """Return a file of reviews; some of its rows cannot be asked about."""
    chance = random.Random(3)
    lines = ["id,product,review"]
    for number in range(1, rows + 1):
        product = chance.choice(PRODUCTS)
        lines.append(
            f"{number}" if chance.random() < 0.004 else f"{number},{product},It does what it should no. {number}"
        )
    return ("\n".join(lines) + "\n").encode()


def succeeded_job(rows: int = 3000) -> World:
    """A job of several shards, with rows of every fate."""
    chance = random.Random(7)
    world = World(rows=max(1, rows // 8), pages=HtmlPages()).drop(
        "inbox/reviews/autumn reviews.csv", reviews(rows), recipe=None
    )
    world.store.write("recipes/reviews.yaml", RECIPE.encode())
    answers: dict[str, Any] = {}
    world.api = FakeBatchApi(result_of=lambda request: answers.setdefault(request["custom_id"], _answer(chance)))
    world.poll_seconds = 700
    world.run()
    return world


def live_job() -> World:
    """A small job of the live lane: plain text answers that are labels all the same."""
    world = World(live_rows=200, pages=HtmlPages()).drop(
        "inbox/r/f.csv", b"x\n" + b"".join(b"row %d\n" % n for n in range(60))
    )
    world.run()
    return world


def gold_job() -> World:
    """A job whose file knows some of the answers."""
    chance = random.Random(5)
    labels = ["positive", "neutral", "negative", "mixed"]
    lines = ["product,review,expected,truth_stars"]
    for number in range(600):
        truth = f"{chance.choice(labels)},{chance.randint(1, 5)}" if number % 3 else ","
        lines.append(f"{chance.choice(PRODUCTS)},review {number},{truth}")
    lines.append("Desk lamp,a label that no answer has,odd,three")
    recipe = RECIPE + "gold: {label: expected, stars: truth_stars}\n"
    api = FakeBatchApi(result_of=lambda _: succeeded(msgspec.json.encode(_answer(chance)).decode()))
    world = World(rows=200, pages=HtmlPages(), api=api).drop("inbox/r/f.csv", "\n".join(lines).encode(), recipe=recipe)
    world.run()
    return world


def failed_job() -> World:
    """A job that the account's trouble stopped; rows of one shard were answered."""
    world = succeeded_job(400)
    world.ledger.halt(
        JOB, Halt("AccountTrouble", "HTTP 402: your credit balance is too low. Add credit, then resume the job", START)
    )
    world.clock.advance(60)
    world.close()
    return world


def refused_job() -> World:
    """A job that was refused before anything was asked."""
    world = World(pages=HtmlPages()).drop("inbox/r/f.csv", b"x\n")
    world.close(
        Fault(NothingToSend.__name__, "f.csv: the file has no rows below its header; add rows and drop it again")
    )
    return world


def canceled_job() -> World:
    """A job that its user canceled."""
    world = succeeded_job(400)
    world.ledger.halt(JOB, Halt("JobCanceled", "you canceled the job", START))
    world.clock.advance(60)
    world.close()
    return world


def status_page() -> bytes:
    """Return the page of a running job of 100 shards."""
    world = succeeded_job(400)
    asked = [ShardProgress(n, "asked", n % 2, "batch", START, 50, 50) for n in range(2, 5)]
    done = [ShardProgress(n, "collected", 0, "batch", START, 50, answered=47, unusable=2, failed=1) for n in range(2)]
    progress = JobProgress(START + timedelta(minutes=42), 400, 8, done + asked, [7])
    return HtmlPages().status(world.manifest, progress)


JOBS: dict[str, Callable[[], World]] = {
    "succeeded": succeeded_job,
    "live": live_job,
    "gold": gold_job,
    "failed": failed_job,
    "refused": refused_job,
    "canceled": canceled_job,
}


def main() -> None:
    """Write all pages into the folder that is named."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, job in JOBS.items():
        world = job()
        (folder / f"{name}.html").write_bytes(world.result("report.html"))
        (folder / f"{name}-ended.html").write_bytes(world.result("status.html"))
    (folder / "status.html").write_bytes(status_page())


if __name__ == "__main__":
    main()
