"""Collect and join 100,000 shuffled results with their rows, compared with the SDK's results() and a dict.

    python -m benchmarks.collect [--quick] [--runs 3]

The results have 700 bytes or 3 KB and come from a server in a separate process. Both contenders write the CSV with the
answers.
"""

from __future__ import annotations

import csv
import json
import random
import sys
from pathlib import Path
from typing import Any

from benchmarks.batches_server import batches_server
from benchmarks.findings import begin, scratch
from benchmarks.measure import Contender, Work, apart
from benchmarks.split import JOB, lay

MODULE = "benchmarks.collect"
LABELS = {
    "ours": "batchdrop: collect_results",
    "sdk": "SDK: results() into a dict, csv.DictReader and DictWriter",
}
KEY = "sk-bench"
PART = f"jobs/{JOB}/parts/00000.r0.csv"
OUTPUT = "output.csv"


def ours(folder: str, url: str) -> Work:
    """Return the real use case for a job that is split, on a bucket in a folder."""
    from batchdrop.adapters.aws.clock import InvocationClock
    from batchdrop.adapters.claude.create_batch import AnthropicBatchCreator
    from batchdrop.adapters.formats.choice import FileFormats
    from batchdrop.finish.collect_results import collect_results
    from batchdrop.job.shard_state import ShardState
    from benchmarks.folder_store import FolderStore
    from benchmarks.quiet_ledger import QuietLedger

    api = AnthropicBatchCreator(api_key=KEY, base_url=url)
    count = api.retrieve("msgbatch_bench").request_counts.total
    state = ShardState(JOB, 0, 1, count, 0, batch_id="msgbatch_bench")
    store, quiet = FolderStore(Path(folder)), QuietLedger()
    (Path(folder) / f"jobs/{JOB}/answers/00000.r0.jsonl").unlink(missing_ok=True)  # of the run before

    def work() -> dict[str, Any]:
        done = collect_results(
            state,
            store=store,
            ledger=quiet,
            states=quiet,
            api=lambda: api,
            clock=InvocationClock(lambda: 900_000),
            formats=FileFormats(),
        )
        return {"rows": done.tally.answered if done.tally else 0}

    return work


def sdk(folder: str, url: str) -> Work:
    """Return the code of the SDK's documentation, plus a CSV rewritten with the answers."""
    import anthropic

    client = anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0)
    client.messages.batches.retrieve("msgbatch_bench")

    def work() -> dict[str, Any]:
        answers = {}
        for result in client.messages.batches.results("msgbatch_bench"):
            if result.result.type == "succeeded":
                block = result.result.message.content[0]
                answers[result.custom_id] = block.text if block.type == "text" else ""
        return {"rows": rewrite(Path(folder), answers)}

    return work


def rewrite(folder: Path, answers: dict[str, str]) -> int:
    """Write the CSV again, with each row's answer."""
    count = 0
    with (
        (folder / "inbox/r/f.csv").open(encoding="utf-8", newline="") as file,
        (folder / OUTPUT).open("w", encoding="utf-8", newline="") as target,
    ):
        rows = csv.DictReader(file)
        output = csv.DictWriter(target, [*(rows.fieldnames or ()), "answer"])
        output.writeheader()
        for count, row in enumerate(rows, start=1):
            output.writerow({**row, "answer": answers[f"{JOB}-00000-{count - 1:06d}"]})
    return count


CONTENDERS: dict[str, Contender] = {"ours": ours, "sdk": sdk}


def lay_results(path: Path, count: int, size: int) -> None:
    """Write shuffled result lines of `size` bytes, as the API gives them."""
    usage = {
        "input_tokens": 110, "output_tokens": 90, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}, "service_tier": "batch",
    }  # fmt: skip
    message = {
        "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF", "type": "message", "role": "assistant", "model": "claude-haiku-5-5",
        "content": [{"type": "text", "text": "TEXT"}], "stop_reason": "end_turn", "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    line = json.dumps({"custom_id": "ID", "result": {"type": "succeeded", "message": message}}, separators=(",", ":"))
    length = size - len(line) - len(JOB) - 13
    numbers = list(range(count))
    random.Random(1).shuffle(numbers)
    with path.open("w", encoding="utf-8") as file:
        for number in numbers:
            text = (f"row {number} is positive, " * (length // 20 + 1))[:length]
            file.write(line.replace("ID", f"{JOB}-00000-{number:06d}", 1).replace("TEXT", text, 1) + "\n")


def answers_in(path: Path) -> list[tuple[str, str]]:
    """Return id and answer of each row of an output, or of a part, which has no header."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if row[0] != "id"]
    return [(row[0], row[3]) for row in rows]


def main() -> int:
    """Measure both sizes."""
    found = begin("collect", "Collect and join 100,000 shuffled results")
    rows = found.of_scale(full=100_000, quick=20_000, smoke=200)
    for size, times in found.cases(((700, 12), (3_000, 6))):
        case = f"{rows:,} results of {size:,} B"
        with scratch() as folder:
            lay(folder, "csv", rows)
            apart("benchmarks.split", "ours", folder=str(folder), kind="csv")
            lay_results(folder / "results.jsonl", rows, size)
            with batches_server(folder / "results.jsonl") as url:
                figures = found.compare(case, MODULE, LABELS, folder=str(folder), url=url)
        found.bar(f"{case}: CPU of the SDK / ours", figures["sdk"]["cpu_s"] / figures["ours"]["cpu_s"], times)
        found.bar(f"{case}: growth of RSS, MB", figures["ours"]["grown_mb"], 32, is_most=True)
    return found.write()


if __name__ == "__main__":
    sys.exit(main())
