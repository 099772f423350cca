"""What Hypothesis draws from: values as this product meets them."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from batchdrop.job.upload import Upload

# Text that breaks naive code, one piece each.
NASTY = [
    "", " ", "007", "NA", "-1e5", "true", '"', '""', ",", "\n", "\r\n", "a\nb", 'say "hi"', "x,y",
    "😀👩‍👩‍👧", "日本語、改行\nあり",
    "\u2028", "\x00", "\ufeff", "{{ x }}", "é\u0301", "=1+1", "\t", "'", "\\", "\\n", "</script>",
]  # fmt: skip


def cells(*, lone_cr: bool = False) -> st.SearchStrategy[str]:
    """Return cells of a table: nasty ones, and any text that UTF-8 can carry."""
    banned = [] if lone_cr else ["\r"]
    free = st.text(st.characters(codec="utf-8", exclude_characters=banned), max_size=12)
    return st.sampled_from(NASTY) | free


@st.composite
def job_ids(draw: st.DrawFn) -> str:
    """Return ids as `Upload` makes them."""
    uploaded = draw(st.datetimes(datetime(2026, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - the zone follows
    return Upload("bucket", draw(st.text(max_size=9)), "etag", 1, uploaded, draw(st.text("0123456789ABCDEF"))).job_id
