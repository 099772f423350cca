"""A whole job of 100,000 rows on the embedded stack, compared with the script of tutorials, on the same emulator.

    python -m benchmarks.whole_job [--quick] [--runs 1]

The script reads the CSV, creates one Message Batch with the SDK, polls it, keeps the results in a dict and writes the
CSV again. CPU is that of whole processes, with starts and imports: the script's, and the sum of all functions' as the
supervisor measured it.
"""

from __future__ import annotations

import csv
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from batchdrop.local.stack import EmbeddedStack
from benchmarks.collect import rewrite
from benchmarks.findings import begin, scratch
from benchmarks.measure import Contender, Figures, Work, apart
from benchmarks.reviews import PROMPT, RECIPE, write_reviews
from benchmarks.split import JOB
from benchmarks.stack_jobs import run, stack

MODULE = "benchmarks.whole_job"
WAIT_SCALE = 0.02
POLL = 0.6  # 30 s, on the emulator's clock
MEMORY_MB = 256


def script(folder: str, url: str) -> Work:
    """Return the tutorials' script."""
    import anthropic

    client = anthropic.Anthropic(api_key="sk-bench", base_url=url)

    def work() -> dict[str, Any]:
        with (Path(folder) / "inbox/r/f.csv").open(encoding="utf-8", newline="") as file:
            prompts = [PROMPT.format(row["text"]) for row in csv.DictReader(file)]
        requests: Any = [
            {
                "custom_id": f"{JOB}-00000-{number:06d}",
                "params": {
                    "model": "claude-haiku-5-5",
                    "max_tokens": 64,
                    "messages": [{"role": "user", "content": prompt}],
                },
            }
            for number, prompt in enumerate(prompts)
        ]
        batch = client.messages.batches.create(requests=requests)
        while client.messages.batches.retrieve(batch.id).processing_status != "ended":
            time.sleep(POLL)
        answers = {}
        for result in client.messages.batches.results(batch.id):
            if result.result.type == "succeeded":
                block = result.result.message.content[0]
                answers[result.custom_id] = block.text if block.type == "text" else ""
            else:
                answers[result.custom_id] = f"ERROR: {result.result.type}"
        return {"rows": rewrite(Path(folder), answers)}

    return work


CONTENDERS: dict[str, Contender] = {"script": script}


def ours(running: EmbeddedStack, file: Path, name: str) -> tuple[Figures, float]:
    """Run a job; return the functions' figures, and the peak memory of the largest."""
    before = sum(one.cpu_seconds for one in running.function_stats())
    began = time.monotonic()
    done = run(running, "r", name, file)
    if done.status != "SUCCEEDED":
        raise RuntimeError(f"{name}: {done.status}")
    wall = time.monotonic() - began
    time.sleep(2)  # the supervisor samples about once a second
    stats = running.function_stats()
    most = max(one.peak_rss_mb for one in stats)
    for one in stats:
        print(f"  {one.function}: {one.cpu_seconds} s, {one.peak_rss_mb} MB", flush=True)
    cpu = sum(one.cpu_seconds for one in stats) - before
    return {"cpu_s": round(cpu, 2), "wall_s": round(wall, 1), "peak_rss_mb": most}, most


def main() -> int:
    """Run both on one stack, batchdrop first, with cold functions."""
    found = begin("whole_job", "A whole job of 100,000 rows on the embedded stack", runs=1)
    rows = found.of_scale(full=100_000, quick=5_000, smoke=300)
    mine: list[Figures] = []
    theirs: list[Figures] = []
    with scratch() as folder:
        file = folder / "inbox/r/f.csv"
        file.parent.mkdir(parents=True)
        write_reviews(file, rows)
        for _ in range(found.runs):
            with stack(folder / "logs", wait_scale=WAIT_SCALE) as running:
                recipe = f"{RECIPE}lane: batch\n".encode()
                running.clients.s3().put_object(Bucket=running.bucket, Key="recipes/r.yaml", Body=recipe)
                mine.append(ours(running, file, "f.csv")[0])
                script = apart(MODULE, "script", folder=str(folder), url=running.claude_base_url)
                theirs.append({**script, "cpu_s": script["process_cpu_s"]})
    names = ("cpu_s", "wall_s", "peak_rss_mb")
    for label, taken in {"batchdrop: all functions": mine, "script: SDK, dict, csv": theirs}.items():
        found.line(f"{rows:,} rows", label, {name: statistics.median(one[name] for one in taken) for name in names})
    ratio = found.lines[0]["cpu_s"] / found.lines[1]["cpu_s"]
    found.bar("CPU of all functions / the script's", ratio, 0.5, is_most=True)
    found.bar("most memory of a function, MB", found.lines[0]["peak_rss_mb"], MEMORY_MB, is_most=True)
    return found.write()


if __name__ == "__main__":
    sys.exit(main())
