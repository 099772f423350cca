"""One stack for all end-to-end tests of a worker: its functions' first start takes longer than most of them."""

from collections.abc import Iterator

import pytest

from batchdrop.local.stack import EmbeddedStack, StackOptions
from batchdrop.settings import AWS
from tests.callers import WORKSPACE
from tests.end_to_end.bench import Bench

WAIT_SCALE = 1 / 20_000  # a wait of five minutes takes 15 ms; the emulator's clock runs as much faster
SHARD_ROWS = 4
ASK = "model: claude-haiku-5-5\nmax_tokens: 64\nprompt: 'Classify: {{ text }}'\n"


@pytest.fixture(scope="session")
def shared_bench(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Bench]:
    """The project's own template on the embedded stack, with the recipes `ask` and, for one round only, `once`.

    `--provider aws` runs it on Claude Platform on AWS.
    """
    log_dir = tmp_path_factory.mktemp("end_to_end")
    options = StackOptions(
        wait_scale=WAIT_SCALE,
        log_dir=log_dir,
        workspace=WORKSPACE if pytestconfig.getoption("--provider") == AWS else "",
        aws_calls=log_dir / "aws_calls.jsonl",
        overrides={
            "ShardRows": str(SHARD_ROWS),
            "ShardConcurrency": "2",
            "SettleSeconds": "0.5",
            "SubmitTimeout": "60",
            "LiveRows": "0",  # `lane: auto` is the batch lane here, however few the rows
        },
    )
    with EmbeddedStack(options) as stack:
        bench = Bench(stack)
        bench.recipe("ask", ASK)
        bench.recipe("once", f"{ASK}max_rounds: 1\n")
        yield bench


@pytest.fixture
def bench(shared_bench: Bench) -> Bench:
    """The stack, its emulator as good as new: nothing billed, nothing broken, no call counted."""
    shared_bench.reset()
    return shared_bench
