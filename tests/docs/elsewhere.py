"""Commands that the walk does not run: another test or CI does, or there is nothing to test. Each with its reason."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from tests.project import ROOT

# What a command begins with -> the test that runs it, as pytest names it.
TESTS = {
    "make deploy": "tests/deploy/test_deploy.py::test_the_first_deploy_answers_two_rows_in_each_lane",
    "make destroy": "tests/deploy/test_deploy.py::test_destroy_takes_the_data_if_told",
    # Minutes on the embedded stack; its model against the definition and the packer:
    "python -m benchmarks.scale.model": (
        "tests/benchmarks/test_scale_model.py::test_a_shard_enters_the_states_that_the_definition_says"
    ),
    "python -m batchdrop.local.claude_api": (
        "tests/claude_api/test_control.py::test_the_process_says_where_it_listens_and_ends_on_a_signal"
    ),
}
# What a command begins with -> why there is nothing to test.
NOT_OURS = {
    "git clone": "git's own, and it needs the address of the repository",
    "git pull": "git's own",
    "cd": "the shell's own",
    "make quick": "some of the tests that `make test` runs",
    "make test-aws": "end-to-end tests of `make test`, with another provider",
    "make proofs": "the tests that `make test` leaves out, because they take longer than all others",
    "make format": "it rewrites the checkout; `make lint`, which CI runs, has the same tool look for what it would do",
}
_TARGET = re.compile(r"^([a-z][a-z-]*):([^=\n]*)\n((?:\t.*\n|ifdef.*\n|else\n|endif\n)*)", re.MULTILINE)


class UntestedCommandError(Exception):
    """A command of the documentation that no test runs; says what to do."""


def check_run_elsewhere(words: Sequence[str]) -> None:
    """Make sure that something else answers for a command; raise UntestedCommandError if nothing does."""
    if words[0] == "make" and len(words) == 2 and words[1] in ci_targets():
        return
    if any(_begins(words, known) for known in NOT_OURS):
        return
    tests = [test for known, test in TESTS.items() if _begins(words, known)]
    if not tests:
        message = (
            f"no test runs `{' '.join(words)}`. Write it with commands that the walk runs (batchdrop, aws, echo), or "
            "write a test that runs it, and name that test in tests/docs/elsewhere.py"
        )
        raise UntestedCommandError(message)
    if not is_a_test(tests[0]):
        message = f"`{' '.join(words)}` is run by {tests[0]}, says tests/docs/elsewhere.py, and there is no such test"
        raise UntestedCommandError(message)


def _begins(words: Sequence[str], known: str) -> bool:
    first = known.split()
    return list(words[: len(first)]) == first


def is_a_test(test: str) -> bool:
    """Whether `path::name` is a function of that file."""
    path, _, name = test.partition("::")
    file = ROOT / path
    if not file.is_file():
        return False
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in ast.walk(tree))


def ci_targets() -> set[str]:
    """Return the make targets that CI runs, with all that they call."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    calls = {
        name: {*needs.split("##")[0].split(), *re.findall(r"\$\(MAKE\) ([a-z-]+)", recipe)}
        for name, needs, recipe in _TARGET.findall(makefile)
    }
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    reached: set[str] = set()
    waiting = re.findall(r"^make ([a-z-]+)", script, re.MULTILINE)
    while waiting:
        name = waiting.pop()
        if name in calls and name not in reached:
            reached.add(name)
            waiting += calls[name]
    return reached
