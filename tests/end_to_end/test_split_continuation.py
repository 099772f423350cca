"""A file that takes longer to split than one invocation has is split by several, and comes out the same."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.end_to_end.bench import Bench, EndedJob, csv_of

pytestmark = pytest.mark.stack

FUNCTION = "batchdrop-split-upload"
TEXTS = [f"row {number}" for number in range(24)]  # six shards
# Rendering takes long, so that splitting takes long on any machine, and evenly.
SLOW = "{% for a in range(30) %}{% for b in range(10000) %}{% endfor %}{% endfor %}"
# Without a pilot: the look at the first rows, which decides about one, would render all 24 before the first shard.
RECIPE = f"model: claude-haiku-5-5\npilot: false\nprompt: 'Classify: {SLOW}{{{{ text }}}}'\n"
INVOCATION_SECONDS = 900.0  # the function's Timeout in template.yaml


@pytest.fixture
def keep_of_each_invocation(bench: Bench) -> Iterator[Callable[[float], None]]:
    """Set SplitTimeReserve on the running stack."""
    functions = bench.stack.clients.functions()
    before: Any = functions.get_function_configuration(FunctionName=FUNCTION)["Environment"]["Variables"]

    def keep(seconds: float) -> None:
        changed = {**before, "SPLIT_TIME_RESERVE": f"{seconds:.3f}"}
        functions.update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": changed})

    yield keep
    functions.update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": before})


def _invocations(bench: Bench, job: EndedJob) -> int:
    return sum(
        event.get("stateEnteredEventDetails", {}).get("name") == "Split upload"
        for event in bench.history(job.execution_arn)
    )


def test_split_goes_on_at_its_cursor(bench: Bench, keep_of_each_invocation: Callable[[float], None]) -> None:
    """With a fraction of the needed time each, three or more invocations give what one would have given."""
    bench.recipe("slowly", RECIPE)
    whole = bench.run("inbox/slowly/whole.csv", csv_of(TEXTS))
    assert _invocations(bench, whole) == 1
    time_each = float(whole.summary["timings"]["split_seconds"]) / 4
    bench.reset()

    # The time is measured, so a machine that was busy for a moment may get it wrong; then it is measured again.
    for attempt in range(6):
        keep_of_each_invocation(INVOCATION_SECONDS - time_each)
        pieces = bench.run(f"inbox/slowly/pieces {attempt}.csv", csv_of(TEXTS))
        if pieces.error == "SplitTooSlow":
            time_each *= 2
        elif _invocations(bench, pieces) < 3:
            time_each /= 2
        else:
            break
        bench.reset()

    assert _invocations(bench, pieces) >= 3
    assert pieces.files["output.csv"] == whole.files["output.csv"]
    assert pieces.summary["tally"] == whole.summary["tally"]
    bill = bench.claude.bill_summary()
    assert (bill["requests"], bill["duplicate_custom_ids"], bench.creates()) == (24, 0, 6)


def test_split_that_never_gets_anywhere(bench: Bench, keep_of_each_invocation: Callable[[float], None]) -> None:
    """Where the time is too short for one shard the job ends red and says what to change; nothing is billed."""
    keep_of_each_invocation(INVOCATION_SECONDS)
    job = bench.run("inbox/ask/too slow.csv", csv_of(TEXTS))
    assert (job.status, job.error) == ("FAILED", "SplitTooSlow")
    assert "make shards smaller (ShardRows)" in job.summary["faults"][0]["message"]
    assert bench.claude.bill() == []
