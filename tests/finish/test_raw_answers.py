"""The API's own result lines live as long as the results, if the stack says so."""

from __future__ import annotations

import json

import pytest

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.finish.close_job import close_job
from batchdrop.report.summary import Summary
from tests.expanded import expanded_template
from tests.fakes import FakeBatchApi, echo, errored
from tests.jobs import JOB, KEYS, World, dropped, reviews


def _closed(world: World) -> Summary:
    return close_job(
        world.upload,
        None,
        store=world.store,
        ledger=world.ledger,
        clock=world.clock,
        formats=FileFormats(),
        pages=world.pages,
        keeps_answers=True,
    )


@pytest.mark.parametrize("ending", [b"\n", b""])
def test_every_round_of_every_shard_is_kept(ending: bytes) -> None:
    """As the API gave it; a round whose last line has no end is not glued to the next one."""
    world = dropped(reviews(5), rows=2)
    world.api = FakeBatchApi(in_turn=lambda request, before: echo(request) if before else errored("overloaded_error"))
    world.run()
    rounds = [key for key in world.store.objects if key.startswith(KEYS.all_answers)]
    for key in rounds:
        world.store.objects[key] = world.store.objects[key].rstrip(b"\n") + ending
    summary = _closed(world)
    lines = [json.loads(line) for line in world.result("answers.jsonl").splitlines()]
    assert len(rounds) == 6
    assert sorted(line["result"]["type"] for line in lines) == ["errored"] * 5 + ["succeeded"] * 5
    assert {line["custom_id"][: len(JOB)] for line in lines} == {JOB}
    assert summary.outputs.answers == f"{summary.results}answers.jsonl"


def test_without_the_parameter_nothing_is_kept() -> None:
    """`jobs/` has the answers for its own time."""
    world = dropped(reviews(2))
    assert world.run().outputs.answers is None
    assert not any(key.endswith("answers.jsonl") for key in world.store.objects)


def test_a_job_without_answers_keeps_none() -> None:
    """No empty file."""
    world = dropped(reviews(2))
    world.split()
    assert _closed(world).outputs.answers is None


def test_the_stacks_parameter_reaches_the_function() -> None:
    """Its default is the code's."""
    parameter = expanded_template()["Parameters"]["KeepRawAnswers"]
    assert (parameter["Default"], parameter["AllowedValues"]) == ("false", ["true", "false"])
