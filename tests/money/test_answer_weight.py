"""What a request's answers may weigh: all that may be paid for, with room for what JSON makes of a token."""

from __future__ import annotations

import json

import pytest

from batchdrop.limits import MAX_REQUEST_BYTES
from batchdrop.money.answer_weight import BYTES_PER_TOKEN, LINE_BYTES, MOST_TOKENS, weigher
from batchdrop.recipe.recipe import MAX_INVALID, Recipe, Retry
from batchdrop.requests.sharding import MAX_ANSWER_BYTES
from tests.project import template

ONCE = LINE_BYTES + 100 * BYTES_PER_TOKEN


@pytest.mark.parametrize(
    ("retry", "asks"),
    [
        (Retry(), 1),
        (Retry(max_tokens="x2"), 3),  # cut, and once more with twice the room
        (Retry(invalid=2), 3),
        (Retry(max_tokens="x2", invalid=2), 7),
    ],
)
def test_every_answer_that_may_be_paid_for_counts(retry: Retry, asks: int) -> None:
    """The spool keeps the lines of all rounds."""
    weigh = weigher(Recipe(model="m", prompt="p", max_tokens=100, retry=retry))
    assert weigh([b"whatever", None]) == [asks * ONCE, 0]


@pytest.mark.parametrize(
    ("params", "tokens"),
    [
        (b'{"model":"m","max_tokens":100,"messages":[]}', 100),
        (b'{"model":"m","messages":[]}', 0),
        (b'{"max_tokens":"many"}', 0),
        (b'{"max_tokens":-5}', 0),
        (b'{"max_tokens":1e40}', 0),
        (b'{"max_tokens":123456789012345678901234567890}', MOST_TOKENS),
        (b'{"max_tokens":1000000000}', MOST_TOKENS),
        (b'{"max_tokens":5,"x":"\xff"}', 5),
        (b"{", 0),
    ],
)
def test_ready_made_requests_have_their_own(params: bytes, tokens: int) -> None:
    """Whatever is in the file: what the API will refuse weighs a short line, or no more than a model can write."""
    assert weigher(None)([params, None]) == [LINE_BYTES + tokens * BYTES_PER_TOKEN, 0]


def test_any_request_fits_an_empty_shard() -> None:
    """The heaviest recipe there is, and the heaviest line of a file."""
    most = Recipe(model="m", prompt="p", max_tokens=10**9, retry=Retry(max_tokens="x2", invalid=MAX_INVALID))
    assert weigher(most)([b""])[0] < MAX_ANSWER_BYTES / 50
    assert weigher(None)([b'{"max_tokens":1000000000}' + b" " * 10])[0] < MAX_REQUEST_BYTES


@pytest.mark.parametrize("function", ["CollectResultsFunction", "CloseJobFunction", "ShowSampleFunction"])
def test_the_disk_holds_what_a_shard_may_weigh(function: str) -> None:
    """They keep a shard's result lines in /tmp; 5 % are left for lines of rows that failed in many rounds."""
    size = template()["Resources"][function]["Properties"]["EphemeralStorage"]["Size"]
    assert size * 1024 * 1024 > MAX_ANSWER_BYTES * 1.05


def test_the_weight_holds_for_what_tokens_come_to_in_json() -> None:
    """Latin has four characters a token; a CJK character is one, three bytes of UTF-8, or six as JSON may escape it."""
    latin = json.dumps('{"sentiment": "positive", "why": "it says so"}\n' * 10)
    assert len(latin) < len(latin) / 4 * BYTES_PER_TOKEN
    assert len(json.dumps("最高の買い物")) - 2 == 6 * 6 <= 6 * BYTES_PER_TOKEN
