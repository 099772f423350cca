"""`make demo-saver`: the search for a cheaper model, and the job that follows, on this machine.

The emulator's models err on a seeded share of the rows, so nothing is billed, and each run shows the same.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

from batchdrop.local.application import application_folder
from batchdrop.local.claude_api.testing import running_emulator

ROWS = 2_000
ERRS = {"claude-opus-5-5": 0.0, "claude-sonnet-5-5": 0.004, "claude-haiku-5-5": 0.01}
SPEED = 50  # the emulator's clock, and the state machine's waits
RECIPE = """model: claude-opus-5-5
max_tokens: 64
prompt: "Classify the sentiment of this review: {{ review }}"
answer: {label: {enum: [positive, neutral, negative]}}
# The one line that is added: answers must agree on 95 % of the rows.
save: {keep: 0.95, sample: 300, try: [claude-sonnet-5-5, claude-haiku-5-5]}
"""


def main() -> int:
    """Write a table and a recipe, and run `batchdrop save` on them; return its exit code."""
    folder = Path("out") / "demo-saver"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    recipe, table = folder / "reviews.yaml", folder / "reviews.csv"
    recipe.write_text(RECIPE, encoding="utf-8")
    write_table(table)
    with running_emulator(speed=SPEED, error_rates=ERRS) as emulator:
        own = os.environ | {"ANTHROPIC_BASE_URL": emulator.base_url, "ANTHROPIC_API_KEY": "sk-emulator"}
        command = [str(Path(sys.executable).with_name("batchdrop")), "save", str(recipe), str(table), "--yes"]
        more = ["--out", str(folder), "--wait-scale", str(1 / SPEED)]
        ended = subprocess.run([*command, *more], env=own, check=False)  # noqa: S603 -- our own command
        billed = emulator.bill_summary()["requests"]
    print(f"requests that the emulator billed: {billed:,}, for {ROWS:,} rows")
    print(f"the page: {folder / 'save.html'}")
    return ended.returncode


def write_table(path: Path) -> None:
    """Write reviews: those of the examples, again and again, each time of another customer."""
    with (application_folder() / "examples" / "reviews.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["review"] for row in csv.DictReader(file)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "review"])
        writer.writerows((row, f"{texts[row % len(texts)]} (customer {row})") for row in range(ROWS))


if __name__ == "__main__":
    sys.exit(main())
