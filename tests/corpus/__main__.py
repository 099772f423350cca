"""Run each file of a folder through a whole job: split, emulated answers, close.

`python -m tests.corpus FOLDER`. Other programs read upload and output, and judge: no row is lost, doubled, moved or
changed. A refused file must say why. Exit code 1: a fault.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from batchdrop.errors import BatchdropError
from tests.corpus.judge import Job, faults
from tests.corpus.readers import Unread
from tests.jobs import dropped

RECIPE = "model: claude-haiku-5-5\nprompt: 'Read this row.'\ndedupe: false\n"
NO_TABLES = {".txt", ".md", ".py", ".png", ".jpg", ".pdf", ".html"}
SLOW = 30  # seconds


def main() -> int:
    """Judge all files, and print the faults and a table."""
    arguments = argparse.ArgumentParser(prog="python -m tests.corpus")
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--verbose", action="store_true", help="print each file")
    chosen = arguments.parse_args()
    files = sorted(path for path in chosen.folder.rglob("*") if path.is_file() and path.suffix not in NO_TABLES)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="corpus-") as scratch:
        for path in files:
            started = time.monotonic()
            verdict, words = verdict_on(path, Path(scratch))
            seconds = time.monotonic() - started
            if seconds > SLOW:
                verdict, words = "fault", [*words, f"it took {seconds:.0f} s"]
            counts[verdict] += 1
            if verdict == "fault" or chosen.verbose or words:
                print(f"{verdict:8} {path.relative_to(chosen.folder)}: {'; '.join(words)}", flush=True)
    print(f"{len(files)} files: {', '.join(f'{count} {verdict}' for verdict, count in sorted(counts.items()))}")
    return 1 if counts["fault"] or not files else 0


def verdict_on(path: Path, scratch: Path) -> tuple[str, list[str]]:
    """Return good, refused, unread (by other programs) or fault, with the words for it."""
    body = path.read_bytes()
    try:
        world = dropped(body, key=f"inbox/r/{path.name}", recipe=RECIPE, rows=7)
        summary = world.run()
    except BatchdropError as refusal:
        return ("refused" if path.name in str(refusal) else "fault"), [str(refusal)]
    except Exception as error:  # noqa: BLE001 - it is the finding
        return "fault", [f"{type(error).__name__}: {error}"]
    [(key, output)] = [(key, body) for key, body in world.store.under("results/").items() if "/output." in key]
    job = Job(path.name, body, key.rpartition("/")[2], output, summary.tally.rows, tuple(summary.notes))
    try:
        found = faults(job, scratch)
    except Unread:
        return "unread", ["no other program reads it"]
    return ("fault", found) if found else ("good", [])


if __name__ == "__main__":
    sys.exit(main())
