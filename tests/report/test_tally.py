"""Tallies: every row has exactly one fate, and sums do not depend on how they were cut."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.outcome import Outcome, failed, rejected
from batchdrop.answers.result import Message, Usage
from batchdrop.errors import InvariantBroken
from batchdrop.report.tally import Tally


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    """Return any outcome; answers of two models, below and above the price step."""
    kind = draw(st.sampled_from(["answered", "max_tokens", "failed", "rejected"]))
    if kind == "failed":
        return failed("why")
    if kind == "rejected":
        return rejected("why")
    usage = Usage(draw(st.sampled_from([10, 200_000])), draw(st.integers(0, 9)))
    message = Message(draw(st.sampled_from(["m1", "m2"])), [], "end_turn", usage)
    return Outcome("answered" if kind == "answered" else "unusable", kind, message=message)


def _tally(rows: list[Outcome]) -> Tally:
    tally = Tally()
    tally.add(rows)
    return tally


@given(st.lists(outcomes()))
def test_each_row_has_one_fate(rows: list[Outcome]) -> None:
    """Each row is counted once by fate and once by status."""
    tally = _tally(rows)
    fates = tally.answered + tally.unusable + tally.failed + tally.rejected
    assert tally.rows == len(rows) == fates == sum(tally.statuses.values())
    assert (tally.answered, tally.unusable) == (tally.statuses.get("answered", 0), tally.statuses.get("max_tokens", 0))
    tally.check(rows=len(rows), where="here")


@given(st.lists(outcomes()))
def test_tokens_are_counted_by_model_and_price_step(rows: list[Outcome]) -> None:
    """Every answer's usage stands under its model and tier, once."""
    tally = _tally(rows)
    messages = [row.message for row in rows if row.message]
    assert sum(tokens.answers for tokens in tally.tokens) == len(messages)
    assert sum(tokens.input for tokens in tally.tokens) == sum(message.usage.input_tokens for message in messages)
    assert sum(tokens.output for tokens in tally.tokens) == sum(message.usage.output_tokens for message in messages)
    assert len({(tokens.model, tokens.long_prompt) for tokens in tally.tokens}) == len(tally.tokens)


@given(st.lists(st.lists(outcomes(), max_size=6), max_size=6))
def test_merging_shards_is_counting_all(shards: list[list[Outcome]]) -> None:
    """The job's tally is the same whether its rows were in one shard or in many."""
    merged = Tally()
    for shard in shards:
        merged.merge(_tally(shard))
    whole = _tally([row for shard in shards for row in shard])
    assert sorted(merged.tokens, key=repr) == sorted(whole.tokens, key=repr)
    assert msgspec.structs.replace(merged, tokens=[]) == msgspec.structs.replace(whole, tokens=[])


def test_merging_leaves_the_merged_alone() -> None:
    """A shard's tally is not changed by being added to the job's."""
    one = _tally([Outcome("answered", "answered", message=Message("m", [], None, Usage(1, 1)))])
    total = Tally()
    total.merge(one)
    total.merge(one)
    assert one.tokens[0].answers == 1


@given(st.lists(outcomes()))
def test_a_tally_survives_its_file(rows: list[Outcome]) -> None:
    """What a shard writes is what closing the job reads."""
    tally = _tally(rows)
    assert msgspec.json.decode(msgspec.json.encode(tally), type=Tally) == tally


@given(st.lists(outcomes(), max_size=5), st.integers(-3, 3).filter(bool))
def test_a_missing_or_doubled_row_breaks_the_invariant(rows: list[Outcome], off: int) -> None:
    """One row too few or too many is an error that says where and how many."""
    with pytest.raises(InvariantBroken, match="shard 7: "):
        _tally(rows).check(rows=len(rows) + off, where="shard 7")


@pytest.mark.parametrize("name", ["rows", "answered", "unusable", "failed", "rejected"])
def test_a_count_that_is_off_breaks_the_invariant(name: str) -> None:
    """A single wrong count is noticed, whichever it is."""
    tally = _tally([failed("x"), rejected("y")])
    setattr(tally, name, getattr(tally, name) + 1)
    with pytest.raises(InvariantBroken):
        tally.check(rows=2, where="here")
