"""Small files in the live lane, end to end on the embedded stack: seconds to the first answer and to the output.

    python -m benchmarks.small_job [--quick]

The files are one of 200 rows with `lane: auto`, first on cold functions, then again, and one of 2,000 rows with
`lane: live`. Waits take as long as in AWS. The history events per 1,000 rows are printed, too.
"""

from __future__ import annotations

import sys

from benchmarks.findings import begin, scratch
from benchmarks.reviews import RECIPE, write_reviews
from benchmarks.stack_jobs import run, stack

FILES = {
    "200 rows, functions cold": ("auto", "cold.csv", 200),
    "200 rows, functions warm": ("auto", "warm.csv", 200),
    "2,000 rows, lane: live": ("live", "large.csv", 2_000),
}
EVENTS = 25  # per 1,000 rows of the largest file, where events once per job matter little


def main() -> int:
    """Measure each file once: starting the stack takes longer than all of them."""
    found = begin("small_job", "Small files in the live lane, end to end on the embedded stack", runs=1)
    with scratch() as folder, stack(folder / "logs", wait_scale=1.0) as running:
        for lane in ("auto", "live"):
            body = f"{RECIPE}lane: {lane}\n".encode()
            running.clients.s3().put_object(Bucket=running.bucket, Key=f"recipes/{lane}.yaml", Body=body)
        for case, (lane, name, rows) in list(FILES.items())[: found.of_scale(full=9, quick=9, smoke=1)]:
            write_reviews(folder / name, rows)
            done = run(running, lane, name, folder / name)
            if done.status != "SUCCEEDED":
                raise RuntimeError(f"{name}: {done.status}")
            figures = {
                "s to the first answer": done.first_answer_s,
                "s to the output": done.output_s,
                "history events": done.events,
                "events per 1,000 rows": round(done.events * 1_000 / rows, 1),
            }
            found.line(case, "", figures)
    events = found.lines[-1]["events per 1,000 rows"]
    found.bar("history events per 1,000 rows, at 2,000 rows", events, EVENTS, is_most=True)
    return found.write()


if __name__ == "__main__":
    sys.exit(main())
