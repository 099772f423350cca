"""Uploads: what an inbox key means, and which job a delivery belongs to."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.errors import UploadRejected
from batchdrop.job.upload import InboxKey, Upload, is_in_inbox, parse_inbox_key
from tests.fakes import START

UPLOAD = Upload("bucket", "inbox/r/a.csv", "etag", 12, START, "0055")


def test_a_job_id_tells_its_time() -> None:
    """People find their job by when they dropped the file."""
    assert UPLOAD.job_id.startswith("20261122T120000-")


def test_a_second_delivery_is_the_same_job() -> None:
    """All deliveries of one write have one job id, whatever else the event says."""
    assert replace(UPLOAD, size=99).job_id == UPLOAD.job_id


@pytest.mark.parametrize(
    "other",
    [
        replace(UPLOAD, key="inbox/r/b.csv"),
        replace(UPLOAD, etag="other"),
        replace(UPLOAD, sequencer="0056"),
        replace(UPLOAD, bucket="other"),
        replace(UPLOAD, uploaded_at=START + timedelta(seconds=1)),
    ],
)
def test_another_write_is_another_job(other: Upload) -> None:
    """The same file dropped again, or another file, is a job of its own."""
    assert other.job_id != UPLOAD.job_id


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("inbox/sentiment/reviews.csv", InboxKey("sentiment", "reviews", "csv")),
        ("inbox/a/b/c d+é.JSONL", InboxKey("a/b", "c d+é", "jsonl")),
        ("inbox/requests.jsonl", InboxKey("", "requests", "jsonl")),
        ("inbox/r/no_type", InboxKey("r", "no_type", "")),
        ("inbox/r/two.dots.csv", InboxKey("r", "two.dots", "csv")),
        ("inbox/r/a.csv.gz", InboxKey("r", "a", "csv", "gz")),
        ("inbox/r/a.b.JSONL.ZST", InboxKey("r", "a.b", "jsonl", "zst")),
        ("inbox/r/no_type.bz2", InboxKey("r", "no_type", "", "bz2")),
        ("inbox/r/.gz", InboxKey("r", ".gz", "")),
    ],
)
def test_keys_are_taken_apart(key: str, parts: InboxKey) -> None:
    """Recipe, name and file type come from the key."""
    assert parse_inbox_key(key) == parts


def test_names_are_shown_as_they_were_written() -> None:
    """The file type is known in any case, and the user's own spelling stays."""
    key = parse_inbox_key("inbox/r/Letter.PDF.GZ")
    assert (key.extension, key.compression, key.filename) == ("pdf", "gz", "Letter.PDF.GZ")


@pytest.mark.parametrize(
    "key",
    ["inbox/../x.csv", "inbox/r/./x.csv", "inbox//x.csv", "inbox/r/..", "inbox/../../etc/p.csv", "inbox/r/...csv.gz"],
)
def test_keys_that_lead_out_are_refused(key: str) -> None:
    """No key can name a result outside its own prefix."""
    with pytest.raises(UploadRejected, match="drop the file at inbox/<recipe>/<file>"):
        parse_inbox_key(key)


@given(st.lists(st.text(max_size=8), min_size=1, max_size=4))
def test_results_stay_under_results(parts: list[str]) -> None:
    """Whatever the key, its results are under `results/`, in a folder of the job's own, or it is refused."""
    try:
        prefix = parse_inbox_key("inbox/" + "/".join(parts)).results_prefix("job-1")
    except UploadRejected:
        return
    assert prefix.startswith("results/")
    assert prefix.endswith("/job-1/")
    assert not {"", ".", ".."} & set(prefix.rstrip("/").split("/"))


@pytest.mark.parametrize(
    ("key", "inside"),
    [
        ("inbox/r/a.csv", True),
        ("inbox/r/", False),
        ("inbox/", False),
        ("recipes/r.yaml", False),
        ("results/inbox/a.csv", False),
        ("inbox", False),
    ],
)
def test_only_files_in_the_inbox_count(key: str, inside: bool) -> None:  # noqa: FBT001 - a table's column
    """Other prefixes and folder markers start nothing."""
    assert is_in_inbox(key) is inside


def test_the_recipe_is_named_by_the_folder() -> None:
    """The folder's name is the recipe's."""
    assert parse_inbox_key("inbox/a/b/x.csv").recipe_key == "recipes/a/b.yaml"
