"""Result lines of the live lane are what Message Batches give."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.result import Errored, Succeeded
from batchdrop.answers.result_line import FlushedHead, ResultHead, ResultLine, errored_line, succeeded_line, usage_of
from batchdrop.answers.verdict import Verdict
from tests.fakes import message

texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(texts, st.sampled_from([None, 1, 4]))
def test_an_answer_is_read_as_one_of_a_message_batch(text: str, indent: int | None) -> None:
    """One line, however the API has laid out its JSON; the text is the same to the character."""
    body = msgspec.json.encode(message(text))
    body = msgspec.json.format(body, indent=indent) if indent else body
    line = succeeded_line("job-00000-000001", body, 1.25)
    assert line.count(b"\n") == 1
    read = msgspec.json.decode(line, type=ResultLine)
    assert isinstance(read.result, Succeeded)
    assert (read.custom_id, read.result.message.text) == ("job-00000-000001", text)
    assert msgspec.json.decode(line, type=FlushedHead).verdict == Verdict.ANSWERED
    assert usage_of(body) == read.result.message.usage


@given(texts, texts)
def test_an_error_is_read_as_one_of_a_message_batch(kind: str, words: str) -> None:
    """Nested twice, with the API's own type and words."""
    line = errored_line("job-00000-000001", kind, words)
    assert line.count(b"\n") == 1
    read = msgspec.json.decode(line, type=ResultLine)
    assert isinstance(read.result, Errored)
    assert (read.result.error.error.type, read.result.error.error.message) == (kind, words)
    assert msgspec.json.decode(line, type=FlushedHead).verdict < Verdict.CUT


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("api_error", Verdict.LEFTOVER),
        ("timeout_error", Verdict.LEFTOVER),
        ("rate_limit_error", Verdict.LEFTOVER),
        ("overloaded_error", Verdict.LEFTOVER),
        ("invalid_request_error", Verdict.NEVER),
        ("request_too_large", Verdict.NEVER),
        ("not_found_error", Verdict.NEVER),
    ],
)
def test_the_join_makes_leftovers_of_what_may_pass(kind: str, verdict: Verdict) -> None:
    """What the worker gave up is asked in the next round; what the API refused for good is not."""
    assert msgspec.json.decode(errored_line("j-0-0", kind, ""), type=ResultHead).verdict == verdict


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b"null", b'{"type":"message"', b'{"model":"m","content":[],"usage":{}}', b"\xff"]
)
def test_what_is_no_message_has_no_usage(body: bytes) -> None:
    """Cut short, no JSON, or of another shape."""
    assert usage_of(body) is None
