"""The bill of a job with the prompt cache or packs, compared with the SDK's obvious Message Batch and a cold cache.

    python -m benchmarks.bill [--quick] [--smoke]

The reference job: all rows share an instruction of 600 tokens, each has 70 tokens of its own and about 8 of answer, on
claude-sonnet-5-5. 20,000 rows go through the real state machine, handlers and use cases on virtual time, with the
fault harness in calm weather. Dollars are the emulator's bill, computed for 1,000,000 rows. CPU is that of the whole
process, the emulator included. `cache: true` before: each request of a cold Message Batch was marked.

The grouped job asks 50 questions about each document of 5,000 tokens, in any order. The obvious code sends the document
with each question.

The typed job asks for a label and a confidence. Escalation sends it to claude-haiku-5-5 first, and 15 % of the rows are
unsure. The obvious code sends the same typed requests to claude-sonnet-5-5.

A fifth of the texts are distinct in the job with duplicates. The jobs that are sent again have `remember`: their bill
is that of the second job, with 5 % of its rows changed, or with none.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
import yaml

from batchdrop.answers.fields import answer_schema
from batchdrop.local.claude_api.batch_body import index_body
from batchdrop.local.claude_api.state import body_path
from benchmarks.findings import Findings, begin
from benchmarks.measure import Figures
from tests.faults.live_schedule import SMALL
from tests.faults.live_world import LiveWorld
from tests.faults.run import claude
from tests.faults.schedule import Schedule, plain
from tests.faults.store import etag_of
from tests.faults.upload import event, inbox_key

MODEL, SMALL_MODEL = "claude-sonnet-5-5", "claude-haiku-5-5"
UNSURE = 0.15  # the share of rows that are escalated
LABEL = {"label": {"enum": ["mostly_positive_text", "mostly_negative_text"]}}
ANSWER = {"label": {"enum": ["mostly_positive_text", "mostly_negative_text"]}, "confidence": "number"}
TYPED_TOKENS = 32  # max_tokens of the typed job
ESCALATED = "batchdrop, haiku first, 15% escalated"
BOTH = "batchdrop, haiku first, 15% escalated, packs of 20"
MILLION = 1_000_000
MAX_TOKENS = 16
INSTRUCTION, LENGTHENED, OWN = 600, 1_030, 70  # tokens; the cache keeps 1,024 and more
CHARS = 4 / 1.3  # of a token
HITS = (1.0, 0.98, 0.9, 0.5, 0.0)
PACKED, PACKS = "batchdrop, pack: ", (10, 20)
DOCUMENT, QUESTIONS, IN_GROUP = 5_000, 50, 50  # tokens of a document; questions about it; the most in a request
GROUPED = "batchdrop, packs of one document"
DISTINCT = 5  # rows of each text, in the job with duplicates
CHANGED = 20  # one row in so many is changed, in the job that is sent again
DUPLICATES, AGAIN, UNCHANGED = "batchdrop, 20% distinct texts", "batchdrop, 5% changed", "batchdrop, sent again"
SHARDS = 10  # as many as a million rows have
QUESTION = "Review of thing number {number}: {text}"
LABELS = "Answer with one of: mostly_positive_text, mostly_negative_text. "


def instruction() -> str:
    """Return the instruction of 600 tokens."""
    rule = "Read the whole review before you decide, and weigh each sentence of it. "
    chars = round(INSTRUCTION * CHARS)
    return (LABELS + rule * (chars // len(rule) + 1))[:chars]


def examples() -> list[dict[str, Any]]:
    """Return an example that lengthens the instruction beyond the model's minimum."""
    story = "The parcel came late, the box was torn, and yet the thing itself works well. "
    chars = round((LENGTHENED - INSTRUCTION) * CHARS)
    return [{"row": {"number": 0, "text": (story * (chars // len(story)))}, "answer": "mostly_positive_text"}]


def own_text(number: int) -> str:
    """Return a row's own text: with the question, 70 tokens."""
    chars = round((OWN - 4) * CHARS) - len(QUESTION.format(number=number, text=""))
    return (f"it is item {number} of the shop, " + "and I would buy it again at once, " * 9)[:chars]


def params(number: int, *, is_long: bool, is_marked: bool = False) -> dict[str, Any]:
    """Return a request as the obvious code builds it."""
    turns: list[dict[str, Any]] = []
    for example in examples() if is_long else []:
        turns += [
            {"role": "user", "content": QUESTION.format(**example["row"])},
            {"role": "assistant", "content": example["answer"]},
        ]
    if is_marked:
        mark = {"type": "ephemeral", "ttl": "1h"}
        turns[-1] = {
            **turns[-1],
            "content": [{"type": "text", "text": turns[-1]["content"], "cache_control": mark}],
        }
    asked = {"role": "user", "content": QUESTION.format(number=number, text=own_text(number))}
    return {"model": MODEL, "max_tokens": MAX_TOKENS, "system": instruction(), "messages": [*turns, asked]}


def typed_params(number: int) -> dict[str, Any]:
    """Return a request for a label and a confidence, as the obvious code builds it."""
    form = {"type": "json_schema", "schema": answer_schema(ANSWER, name="the benchmark")}
    return {**params(number, is_long=False), "max_tokens": TYPED_TOKENS, "output_config": {"format": form}}


def obvious(rows: int, params_of: Callable[[int], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Return work that sends all rows as one Message Batch; its result is the bill."""

    def work() -> dict[str, Any]:
        world = _world(rows)
        requests = [{"custom_id": f"row-{number}", "params": params_of(number)} for number in range(rows)]
        state = world.claude.state
        folder = state.new_folder()
        body_path(folder).write_bytes(msgspec.json.encode({"requests": requests}))
        state.accept(folder, index_body(body_path(folder), max_requests=rows), "2026-10-21")
        world.scheduler.start("wait", lambda: world.scheduler.sleep(7_200))
        world.scheduler.run()
        return state.bill.summary(state.clock.now())

    return work


def batchdrop(rows: int, hits: float | None) -> Callable[[], dict[str, Any]]:
    """Return work that runs a job with `cache: auto` and this hit rate, or with `cache: false` (None)."""
    recipe = {
        "model": MODEL,
        "max_tokens": MAX_TOKENS,
        "system": {"text": instruction(), "cache": "auto" if hits is not None else False},
        "examples": examples(),
        "prompt": QUESTION.format(number="{{ number }}", text="{{ text }}"),
        "lane": "batch",
    }
    return job(rows, recipe, {"warm_hit_rate": 1.0 if hits is None else hits})


def escalated(rows: int, **more: Any) -> Callable[[], dict[str, Any]]:
    """Return work that runs the typed job on the small model, and escalates the rows where it is unsure."""
    recipe = {
        "model": SMALL_MODEL,
        "max_tokens": TYPED_TOKENS,
        "system": instruction(),
        "prompt": QUESTION.format(number="{{ number }}", text="{{ text }}"),
        "answer": ANSWER,
        "escalate": {"to": MODEL, "when": "confidence < 0.8"},
        "lane": "batch",
    }
    return job(rows, recipe | more, {"unsure_rates": {SMALL_MODEL: UNSURE}})


def job(
    rows: int, recipe: dict[str, Any], settings: dict[str, Any], *, table: bytes = b""
) -> Callable[[], dict[str, Any]]:
    """Return work that runs a job with this recipe, on an emulator with these settings; its result is the bill."""
    return jobs(rows, recipe, settings, table or _table(range(rows)))


def jobs(rows: int, recipe: dict[str, Any], settings: dict[str, Any], *tables: bytes) -> Callable[[], dict[str, Any]]:
    """Return work that runs a job for each of these tables, one after the other; its result is the last one's bill."""

    def work() -> dict[str, Any]:
        world = _world(rows)
        world.claude.state.change(settings)
        world.objects["recipes/judge.yaml"] = yaml.safe_dump(recipe).encode()
        bill: dict[str, Any] = {}
        with world.sizes():
            world.scheduler.start("user", lambda: bill.update(_last_bill(world, tables)))
            world.scheduler.run()
        return bill

    return work


def _last_bill(world: LiveWorld, tables: Sequence[bytes]) -> dict[str, Any]:
    before = now = _billed(world)
    for number, table in enumerate(tables, 1):
        before = now
        usd = _run_job(world, replace(world.schedule, seed=number), table)
        now = _billed(world)
        if abs(usd - (Decimal(now["usd"]) - Decimal(before["usd"]))) > Decimal("0.005"):
            raise RuntimeError(f"the summary says ${usd}, the bill ${now['usd']} after ${before['usd']}")
    tokens = Counter({name: total - before["tokens"].get(name, 0) for name, total in now["tokens"].items()})
    requests, usd = now["requests"] - before["requests"], Decimal(now["usd"]) - Decimal(before["usd"])
    return {"requests": requests, "usd": usd, "tokens": tokens}


def _billed(world: LiveWorld) -> dict[str, Any]:
    state = world.claude.state
    return state.bill.summary(state.clock.now())


def _run_job(world: LiveWorld, schedule: Schedule, table: bytes) -> Decimal:
    """Drop a table, and wait for its job; return the cost in its summary."""
    known = {*world.engine.executions}
    given = event(schedule)
    given["Records"][0]["s3"]["object"] |= {"size": len(table), "eTag": etag_of(table)}
    world.objects[inbox_key(schedule)] = table
    world.call_function("split_upload", given).actor.done.wait()
    [name] = {*world.engine.executions} - known
    execution = world.engine.executions[name]
    assert execution.actor is not None
    execution.actor.done.wait()
    if execution.status != "SUCCEEDED":
        raise RuntimeError(f"{execution.status} {execution.error} {execution.cause}")
    [summary] = [body for key, body in world.objects.items() if key.endswith(f"/{name}/summary.json")]
    return Decimal(str(msgspec.json.decode(summary)["cost"]["usd"]))


def duplicates(rows: int) -> Callable[[], dict[str, Any]]:
    """Return work that runs a job in which each text stands in several rows, all over the file."""
    distinct = rows // DISTINCT
    return jobs(rows, _plain() | {"dedupe": True}, {}, _table(number % distinct for number in range(rows)))


def again(rows: int, *, changed: bool) -> Callable[[], dict[str, Any]]:
    """Return work that runs a job with `remember`, and then its file again, with some of its rows changed or none."""
    new = (rows + number if changed and not number % CHANGED else number for number in range(rows))
    return jobs(rows, _plain() | {"remember": "90d"}, {}, _table(range(rows)), _table(new))


def _plain() -> dict[str, Any]:
    return {
        "model": MODEL,
        "max_tokens": MAX_TOKENS,
        "system": {"text": instruction(), "cache": False},
        "prompt": QUESTION.format(number="{{ number }}", text="{{ text }}"),
        "lane": "batch",
    }


def packed(rows: int, size: int) -> Callable[[], dict[str, Any]]:
    """Return work that runs a job with packs of this size: the instruction of 600 tokens, and typed answers."""
    recipe = {
        "model": MODEL,
        "max_tokens": MAX_TOKENS,
        "system": instruction(),
        "prompt": QUESTION.format(number="{{ number }}", text="{{ text }}"),
        "answer": LABEL,
        "pack": size,
        "lane": "batch",
    }
    return job(rows, recipe, {})


def document(number: int) -> str:
    """Return a document of 5,000 tokens."""
    clause = f"The supplier of contract {number} delivers in time, and the buyer pays within thirty days. "
    chars = round(DOCUMENT * CHARS)
    return (clause * (chars // len(clause) + 1))[:chars]


def question_params(number: int) -> dict[str, Any]:
    """Return a question about a document, as the obvious code asks it."""
    blocks = [{"type": "text", "text": text} for text in (document(number // QUESTIONS), own_text(number))]
    form = {"type": "json_schema", "schema": answer_schema(LABEL, name="the benchmark")}
    return {
        "model": MODEL,
        "max_tokens": MAX_TOKENS,
        "system": LABELS,
        "messages": [{"role": "user", "content": blocks}],
        "output_config": {"format": form},
    }


def grouped(rows: int) -> Callable[[], dict[str, Any]]:
    """Return work that asks all questions about a document together, whatever their order in the file."""
    recipe = {
        "model": MODEL,
        "max_tokens": MAX_TOKENS,
        "system": LABELS,
        "prompt": "{{ text }}",
        "answer": LABEL,
        "pack": {"rows": IN_GROUP, "by": "document_id", "shared": "{{ document }}"},
        "lane": "batch",
    }
    order = list(range(rows))
    random.Random(1).shuffle(order)
    lines = [f'{one // QUESTIONS},"{document(one // QUESTIONS)}","{own_text(one)}"\n' for one in order]
    return job(rows, recipe, {}, table=("document_id,document,text\n" + "".join(lines)).encode())


def _table(numbers: Iterable[int]) -> bytes:
    lines = [f'{number},"{own_text(number)}"\n' for number in numbers]
    return ("number,text\n" + "".join(lines)).encode()


def _world(rows: int) -> LiveWorld:
    in_ten = max(1, -(-rows // SHARDS))
    live = replace(SMALL, lane="batch")
    schedule = plain(("",), live=live, shard_rows=in_ten, concurrency=SHARDS, batch_seconds=60.0)
    return LiveWorld(schedule, claude())


def measured(rows: int, requests: int, work: Callable[[], dict[str, Any]], *, off: float = 0.0) -> Figures:
    """Return the bill for a million rows, its tokens in millions, and the CPU for these rows.

    The bill has `requests`, give or take `off`.
    """
    cpu = time.process_time()
    bill = work()
    if abs(bill["requests"] - requests) > off:
        raise RuntimeError(f"{bill['requests']} of {requests} requests were billed")
    tokens, times = bill["tokens"], MILLION / rows
    return {
        "usd_1m": round(float(bill["usd"]) * times, 2),
        "input_m": round(tokens["input_tokens"] * times / MILLION, 1),
        "written_m": round(tokens["cache_creation_input_tokens"] * times / MILLION, 1),
        "read_m": round(tokens["cache_read_input_tokens"] * times / MILLION, 1),
        "output_m": round(tokens["output_tokens"] * times / MILLION, 1),
        "cpu_s": round(time.process_time() - cpu, 2),
    }


def run(found: Findings, rows: int) -> dict[str, Figures]:
    """Run all contenders; return their figures by label."""
    short, long = f"{INSTRUCTION} tokens", "1,024 tokens"
    contenders: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
        "the SDK's obvious batch": (short, obvious(rows, partial(params, is_long=False))),
        "the SDK's, uncached": (long, obvious(rows, partial(params, is_long=True))),
        "batchdrop before, cache: true": (long, obvious(rows, partial(params, is_long=True, is_marked=True))),
        "batchdrop, cache: false": (long, batchdrop(rows, None)),
        "the SDK's obvious batch, typed": (short, obvious(rows, typed_params)),
        ESCALATED: (short, escalated(rows)),
        BOTH: (short, escalated(rows, pack=PACKS[-1])),
        **{f"batchdrop, cache: auto, {hits:.0%} hits": (long, batchdrop(rows, hits)) for hits in HITS},
        **{f"{PACKED}{size}": (short, packed(rows, size)) for size in PACKS},
        DUPLICATES: (short, duplicates(rows)),
        AGAIN: (short, again(rows, changed=True)),
        UNCHANGED: (short, again(rows, changed=False)),
    }
    figures = grouped_figures(found, rows)
    for label, (case, work) in contenders.items():
        off = 0.02 * rows if label in {ESCALATED, BOTH} else 0.0
        figures[label] = measured(rows, requests_of(label, rows), work, off=off)
        found.line(case, label, figures[label])
    return figures


def grouped_figures(found: Findings, rows: int) -> dict[str, Figures]:
    """Return the figures of the grouped job, with fewer rows because they are long."""
    case, some = f"{DOCUMENT:,} tokens", max(4 * QUESTIONS, rows // 5 // QUESTIONS * QUESTIONS)
    figures = {"the SDK's obvious questions": measured(some, some, obvious(some, question_params))}
    packs = some // IN_GROUP
    figures[GROUPED] = measured(some, packs, grouped(some), off=2 * SHARDS)
    for label, one in figures.items():
        found.line(case, label, one)
    return figures


def requests_of(label: str, rows: int) -> int:
    """Return how many requests a contender sends."""
    if label == BOTH:
        return round(rows * (1 + UNSURE) / PACKS[-1])
    if label == ESCALATED:
        return round(rows * (1 + UNSURE))
    if label in {DUPLICATES, AGAIN, UNCHANGED}:
        return {DUPLICATES: rows // DISTINCT, AGAIN: -(-rows // CHANGED), UNCHANGED: 0}[label]
    if not label.startswith(PACKED):
        return rows
    size, in_shard = int(label.removeprefix(PACKED)), -(-rows // SHARDS)
    shards = [min(in_shard, rows - first) for first in range(0, rows, in_shard)]
    return sum(-(-one // size) for one in shards)


def main() -> int:
    """Run all contenders in one process."""
    found = begin("bill", "The bill of a job that shares an instruction, on the emulator", runs=1)
    rows = found.of_scale(full=20_000, quick=5_000, smoke=1_100)
    figures = run(found, rows)
    usd = {label: one["usd_1m"] for label, one in figures.items()}
    best, worst = usd["batchdrop, cache: auto, 100% hits"], usd["batchdrop, cache: auto, 0% hits"]
    obvious_usd, uncached = usd["the SDK's obvious batch"], usd["batchdrop, cache: false"]
    found.bar("primed cache at 100 % hits / the obvious code", best / obvious_usd, 0.25, is_most=True)
    best_pack = usd[f"{PACKED}{PACKS[-1]}"]
    found.bar("packs of 20 / the obvious code", best_pack / obvious_usd, 0.30, is_most=True)
    found.bar("auto at 0 % hits / uncached", worst / uncached, 1.02, is_most=True)
    questions = usd[GROUPED] / usd["the SDK's obvious questions"]
    found.bar("50 questions about each document, in any order / the obvious code", questions, 0.06, is_most=True)
    typed = usd["the SDK's obvious batch, typed"]
    found.bar("haiku first, 15 % escalated / the obvious code on sonnet", usd[ESCALATED] / typed, 0.22, is_most=True)
    both = usd[BOTH] / typed
    found.bar("haiku first in packs, 15 % escalated in packs / the obvious code on sonnet", both, 0.10, is_most=True)
    found.bar("a fifth of the texts distinct / the obvious code", usd[DUPLICATES] / obvious_usd, 0.22, is_most=True)
    found.bar("sent again, 5 % changed / the obvious code", usd[AGAIN] / obvious_usd, 0.06, is_most=True)
    found.bar("sent again, unchanged / the obvious code", usd[UNCHANGED] / obvious_usd, 0.0, is_most=True)
    return found.write()


if __name__ == "__main__":
    sys.exit(main())
