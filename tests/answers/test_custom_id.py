"""custom_id: it fits the API, and leads back to its row."""

import re

from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.custom_id import MAX_CUSTOM_ID_CHARS, CustomId, after, indexes_after, parse, prefix
from batchdrop.limits import MAX_BATCH_REQUESTS
from tests.strategies import job_ids

API_FORM = re.compile(rf"[a-zA-Z0-9_-]{{1,{MAX_CUSTOM_ID_CHARS}}}")
shards = st.integers(0, 999_999)
indexes = st.integers(0, MAX_BATCH_REQUESTS - 1)


@given(job_ids(), shards, indexes)
def test_round_trip(job: str, shard: int, index: int) -> None:
    """What was written is what is read."""
    written = CustomId(job, shard, index)
    assert parse(str(written)) == written


@given(job_ids(), shards, indexes)
def test_fits_the_api(job: str, shard: int, index: int) -> None:
    """At most 64 characters, of those that the API allows."""
    assert API_FORM.fullmatch(str(CustomId(job, shard, index)))


@given(job_ids(), shards, indexes)
def test_starts_with_its_shards_prefix(job: str, shard: int, index: int) -> None:
    """The prefix proves whose Message Batch it is, and another shard's prefix does not fit."""
    text = str(CustomId(job, shard, index))
    assert text.startswith(prefix(job, shard))
    assert not text.startswith(prefix(job, shard + 1))


@given(job_ids(), st.lists(st.tuples(shards, indexes), unique=True, max_size=20))
def test_no_two_rows_share_one(job: str, places: list[tuple[int, int]]) -> None:
    """Each row of a job has a custom_id of its own."""
    assert len({str(CustomId(job, shard, index)) for shard, index in places}) == len(places)


@given(st.text(max_size=64))
def test_any_text_is_read_or_refused(text: str) -> None:
    """A foreign custom_id is None or an address, never an error."""
    found = parse(text)
    assert found is None or (found.shard >= 0 and found.index >= 0 and found.job)


def test_foreign_ids_are_refused() -> None:
    """What batchdrop did not write is not taken for ours, digits of other scripts included."""
    for text in (
        "",
        "-",
        "job",
        "job-1",
        "-1-2",
        "job-x-1",
        "job-1-x",
        "job-1-²",
        "job-\u0661-\u0661",
        "nobody-asked-0",
    ):
        assert parse(text) is None, text


@given(job_ids(), shards, st.lists(st.one_of(indexes, st.text(max_size=20))))
def test_indexes_of_one_shard_are_read_together(job: str, shard: int, parts: list[int | str]) -> None:
    """What has the shard's prefix and a number behind it is a row of it; everything else is None."""
    own = prefix(job, shard)
    texts = [after(own, part) if isinstance(part, int) else part for part in parts]
    assert indexes_after(own, texts) == [part if isinstance(part, int) else None for part in parts]
    assert indexes_after(own, [own, f"{own}x", f"{own}²", f"{own}\u0661", f"{own}-1", f"{own} 1"]) == [None] * 6
