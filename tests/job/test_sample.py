"""What a sample says of the cost of the whole: by hand for small ones, by their properties for all."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.result import Message, Usage
from batchdrop.job.manifest import Manifest, ShardItem, UploadRecord
from batchdrop.job.sample import RowCost, cost_in, first_limits, has_sample, is_under, projected
from batchdrop.recipe.recipe import Recipe, Sample

MODEL = "claude-haiku-5-5"
UPLOAD = UploadRecord("job", "bucket", "inbox/r/f.csv", "etag", 1, datetime(2026, 11, 22, tzinfo=UTC))


def _manifest(*shards: ShardItem, sample: int | Sample | None = 2) -> Manifest:
    recipe = Recipe(model=MODEL, prompt="{{ x }}", sample=sample, max_tokens=1_000)
    return Manifest(upload=UPLOAD, format="csv", recipe=recipe, shards=list(shards))


def _shard(number: int, requests: int, bytes_each: int = 100, tokens_each: int = 0) -> ShardItem:
    return ShardItem(number, requests, requests, requests * bytes_each, requests * tokens_each)


def _cost(usd_in: str, usd_out: str) -> RowCost:
    return RowCost(Decimal(usd_in), Decimal(usd_out))


def test_rows_that_cost_the_same_leave_no_doubt() -> None:
    """The sample's own cost, and the rest's at what each of its rows cost."""
    manifest = _manifest(_shard(0, 2), _shard(1, 98))
    found = projected(Decimal("0.5"), [_cost("0.01", "0.02")] * 2, manifest, "batch")
    assert found is not None
    assert found.low_usd == found.expected_usd == found.high_usd == Decimal("3.44")


def test_rows_that_differ_leave_a_band() -> None:
    """Two rows, 1 and 3 dollars: 2 on average, off by 12.71 standard errors of 1 either way, never below nothing."""
    found = projected(Decimal(4), [_cost("0", "1"), _cost("0", "3")], _manifest(_shard(0, 2), _shard(1, 10)), "batch")
    assert found is not None
    assert (found.low_usd, found.expected_usd) == (Decimal(4), Decimal(24))
    assert found.high_usd == pytest.approx(Decimal(4) + 10 * Decimal("14.71"))


def test_one_row_is_no_sample_of_how_rows_differ() -> None:
    """From no output at all to all that max_tokens allows, at the lane's price."""
    manifest = _manifest(_shard(0, 1), _shard(1, 1_000))
    batch = projected(Decimal(0), [_cost("0.001", "0.0001")], manifest, "batch")
    live = projected(Decimal(0), [_cost("0.001", "0.0001")], manifest, "live")
    assert batch is not None
    assert live is not None
    assert (batch.low_usd, batch.expected_usd, batch.high_usd) == (Decimal(1), Decimal("1.1"), Decimal("1.25"))
    assert live.high_usd == Decimal("1.5")


@pytest.mark.parametrize("tokens", [False, True])
def test_longer_requests_cost_more_input(tokens: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """By their estimated tokens, or by their bytes where nobody has estimated; output stays as it was."""
    rest = _shard(1, 10, bytes_each=300, tokens_each=50) if tokens else _shard(1, 10, bytes_each=500)
    manifest = _manifest(_shard(0, 2, tokens_each=10 if tokens else 0), rest)
    found = projected(Decimal(0), [_cost("1", "1")] * 2, manifest, "batch")
    assert found is not None
    assert found.expected_usd == 10 * (5 + 1)


@given(
    st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), min_size=1, max_size=40),
    st.integers(1, 10_000),
    st.floats(0, 100),
)
def test_the_band_holds_what_is_expected(costs: list[tuple[float, float]], requests: int, spent: float) -> None:
    """What is spent ≤ low ≤ expected ≤ high, for any sample."""
    rows = [RowCost(Decimal(one), Decimal(two)) for one, two in costs]
    found = projected(Decimal(spent), rows, _manifest(_shard(0, len(rows)), _shard(1, requests)), "batch")
    assert found is not None
    assert Decimal(spent) - Decimal("0.000001") <= found.low_usd <= found.expected_usd <= found.high_usd


def test_nothing_is_said_where_nothing_is_known() -> None:
    """No answer, or no price."""
    manifest = _manifest(_shard(0, 1), _shard(1, 1))
    assert projected(Decimal(0), [], manifest, "batch") is None
    assert projected(None, [_cost("1", "1")], manifest, "batch") is None


def test_a_ceiling_is_for_the_high_end() -> None:
    """To the cent; without a ceiling, or without a projection, no job goes on by itself."""
    found = projected(Decimal(0), [_cost("0", "0.1")] * 2, _manifest(_shard(0, 2), _shard(1, 10)), "batch")
    assert is_under(1.0, found)
    assert not is_under(0.99, found)
    assert not is_under(None, found)
    assert not is_under(1.0, None)


def test_a_row_costs_what_its_lane_does() -> None:
    """Half in a Message Batch, whichever lane answered the sample; input and output apart."""
    message = Message(MODEL, [], "end_turn", Usage(input_tokens=1_000, output_tokens=100, service_tier="standard"))
    assert cost_in("live", message) == _cost("0.0001", "0.00005")
    assert cost_in("batch", message) == _cost("0.00005", "0.000025")
    unknown = Message("claude-next", [], "end_turn", Usage(input_tokens=1))
    assert cost_in("live", unknown) is None


@pytest.mark.parametrize(
    ("shards", "sample", "wanted"),
    [
        ([_shard(0, 2), _shard(1, 1)], 2, True),
        ([_shard(0, 2), _shard(1, 1)], Sample(rows=2), True),
        ([_shard(0, 2), _shard(1, 1)], None, False),
        ([_shard(0, 2)], 2, False),
        ([_shard(0, 2), ShardItem(1, 5, 0, 0)], 2, False),
    ],
)
def test_a_sample_needs_a_rest(shards: list[ShardItem], sample: int | Sample | None, wanted: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """Something must be left to decide about."""
    assert has_sample(_manifest(*shards, sample=sample)) == wanted


def test_ready_made_requests_have_no_sample() -> None:
    """Without a recipe nobody asked for one."""
    ready_made = Manifest(upload=UPLOAD, format="jsonl", recipe=None, shards=[_shard(0, 1), _shard(1, 1)])
    assert first_limits(ready_made) == ()
    assert not has_sample(ready_made)
