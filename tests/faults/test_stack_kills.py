"""20 jobs on the embedded stack whose functions are killed while they work; `make faults` only."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from batchdrop.local.stack import EmbeddedStack, StackOptions
from tests.faults.schedule import plain
from tests.faults.stack_kills import SETTLE_SECONDS, SHARD_ROWS, SUBMIT_SECONDS, TARGETS, Wave, table

JOBS = 20
AT_ONCE = 2
KINDS = ("", "", "", "", "[[errored_once:api_error]]", "[[refusal]]", "[[expired_once]]", "bad")

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(1800),
    pytest.mark.skipif("FAULTS_FULL" not in os.environ, reason="takes minutes: make faults"),
]


def targets_of_wave(number: int) -> list[str]:
    """Return the functions to kill in a wave: all come by in turns, submit_shard every other time."""
    names = [*TARGETS]
    return [names[number % len(names)], names[(number * 2 + 1) % len(names)], *(["submit-shard"] if number % 2 else [])]


def test_killed_processes_lose_no_row_and_pay_none_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each job ends green, with each row once and each request billed once, whichever of its functions died."""
    overrides = {
        "SettleSeconds": str(SETTLE_SECONDS),
        "SubmitTimeout": str(SUBMIT_SECONDS),
        "ShardRows": str(SHARD_ROWS),
        "ShardConcurrency": "1",
        "LiveRows": "0",
    }
    started = time.monotonic()
    results, killed = [], []
    with EmbeddedStack(StackOptions(wait_scale=0.02, log_dir=tmp_path, overrides=overrides)) as stack:
        for first in range(0, JOBS, AT_ONCE):
            rng = random.Random(first)
            schedules = [
                plain(tuple(rng.choices(KINDS, k=rng.randint(3, 6))), seed=first + number, shard_rows=SHARD_ROWS)
                for number in range(AT_ONCE)
            ]
            wave = Wave(stack, schedules, seed=first)
            results += wave.run(targets_of_wave(first // AT_ONCE))
            killed += wave.killed
    with capsys.disabled():
        print("\n" + table(results, killed, time.monotonic() - started))  # noqa: T201 - a table for people
    assert not [(job.schedule.seed, verdict.faults) for job, verdict in results if verdict.faults]
    assert len(killed) >= JOBS
