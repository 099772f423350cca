"""Remove guards one at a time, and see whether a test notices: `python -m tools.guards [--count 40] [--seed 1]`.

A guard is an `if` without `else` whose body only raises, returns, continues or breaks. All tests that need no stack run
once, in a copy of HEAD, and coverage notes which of them come past which line. Then a guard's condition becomes False,
and only the tests that come past it run, those of its room first. A guard that none of them misses wants a test. Prints
one line per guard, and ends with 1 if more than a tenth survive.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coverage import CoverageData

ROOT = Path(__file__).resolve().parents[1]
LAYER = Path("layers/core/batchdrop")
ROOMS = {"recipe", "answers", "requests", "money", "report", "job", "admission", "split", "batch_lane", "live_lane"}
ROOMS |= {"finish", "answer_store"}
EVERYTHING = ("tests", "-m", "not stack", "-n", "2", "--cov", str(LAYER), "--cov-context", "test", "--cov-report", "")
MOST_SURVIVORS = 0.1


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard: its file, its line, and the columns of its condition."""

    path: Path
    line: int
    end_line: int
    start: int
    end: int

    @property
    def room(self) -> str:
        """Return the guard's room, which names the folder of its tests too."""
        return self.path.relative_to(LAYER).parts[0]

    def removed_from(self, source: bytes) -> bytes:
        """Return the module's source with the condition replaced by False."""
        lines = source.splitlines(keepends=True)
        before, after = lines[self.line - 1][: self.start], lines[self.end_line - 1][self.end :]
        return b"".join([*lines[: self.line - 1], before + b"False" + after, *lines[self.end_line :]])


def guards() -> Iterator[Guard]:
    """Yield every guard of the rooms."""
    for room in sorted(ROOMS):
        for path in sorted((ROOT / LAYER / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.If) and not node.orelse and _only_leaves(node.body):
                    test = node.test
                    assert test.end_lineno is not None
                    assert test.end_col_offset is not None
                    place = path.relative_to(ROOT)
                    yield Guard(place, test.lineno, test.end_lineno, test.col_offset, test.end_col_offset)


def _only_leaves(body: list[ast.stmt]) -> bool:
    leaves = isinstance(body[-1], ast.Raise | ast.Return | ast.Continue | ast.Break)
    return leaves and all(isinstance(one, ast.Assign) for one in body[:-1])


def is_caught(guard: Guard, copy: Path, tests: Sequence[str]) -> bool:
    """Remove a guard in the copy; tell whether one of the tests fails, and put it back."""
    module = copy / guard.path
    source = module.read_bytes()
    module.write_bytes(guard.removed_from(source))
    try:
        return any(_fails(copy, *named(copy, part)) for part in rooms_own_first(guard, tests))
    finally:
        module.write_bytes(source)


def rooms_own_first(guard: Guard, tests: Sequence[str]) -> list[list[str]]:
    """Return the tests of the guard's room, then the others; without an empty part."""
    own = [test for test in tests if test.startswith(f"tests/{guard.room}/")]
    return [part for part in (own, [test for test in tests if test not in set(own)]) if part]


def named(copy: Path, tests: Sequence[str]) -> tuple[str, ...]:
    """Write the tests to a file for pytest: their names can be longer than a command line."""
    names = copy / "guard-tests.txt"
    names.write_text("\n".join(tests))
    return (f"@{names}",)


def tests_past(coverage: CoverageData, copy: Path, guard: Guard) -> list[str]:
    """Return the node ids of the tests that evaluate a guard's condition."""
    contexts = coverage.contexts_by_lineno(str((copy / guard.path).resolve())).get(guard.line, [])
    return sorted({context.rpartition("|")[0] for context in contexts} - {""})


def _fails(copy: Path, *what: str) -> bool:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--timeout", "120", *what]
    environment = {**os.environ, "PYTHONPATH": f"{copy / 'layers/core'}:{copy}"}
    return subprocess.run(command, cwd=copy, capture_output=True, check=False, env=environment).returncode != 0


@contextmanager
def checkout() -> Iterator[Path]:
    """Yield a copy of HEAD with this checkout's tools, in which all tests pass; `.coverage` has who came past what."""
    with tempfile.TemporaryDirectory(prefix="guards-") as folder:
        copy = Path(folder) / "copy"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", copy, "HEAD"], cwd=ROOT, check=True)
        try:
            for name in (".venv", ".tools"):
                (copy / name).symlink_to(ROOT / name)
            for path in (copy / "pyproject.toml", copy / "requirements.lock", *copy.glob("tools/*/requirements.lock")):
                os.utime(path, (0, 0))  # else a test that calls make would install the copy into this checkout's .venv
            if _fails(copy, *EVERYTHING):
                message = "tests fail before any guard is removed; run: make test"
                raise SystemExit(message)
            yield copy
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", copy], cwd=ROOT, check=True)


def main() -> int:
    """Try a sample of the guards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sample = random.Random(options.seed).sample(sorted(guards(), key=str), options.count)
    survivors = 0
    with checkout() as copy:
        coverage = CoverageData(copy / ".coverage")
        coverage.read()
        for guard in sample:
            caught = is_caught(guard, copy, tests_past(coverage, copy, guard))
            survivors += not caught
            print(f"{'caught  ' if caught else 'SURVIVED'} {guard.path}:{guard.line}", flush=True)
    print(f"{options.count - survivors} of {options.count} guards caught")
    return int(survivors > MOST_SURVIVORS * options.count)


if __name__ == "__main__":
    sys.exit(main())
