"""All attempts of a job's split look the same answers up."""

from __future__ import annotations

import msgspec
import pytest

from batchdrop.answer_store.bucket_store import BucketAnswerStore
from batchdrop.answer_store.job_view import JobView, fixed_view
from batchdrop.answer_store.key import Keys
from batchdrop.answer_store.ports import View
from batchdrop.errors import AnswerStoreDamaged
from batchdrop.job.layout import JobKeys
from batchdrop.ports import Guard
from tests.answer_store.runs import answer_to
from tests.fakes import FakeObjectStore

RECIPE = "reviews"
KEY = JobKeys("job-a").answer_store
REQUEST = b'{"model":"m","max_tokens":1,"messages":[]}'


def view_of(bucket: FakeObjectStore, *, since: int = 5) -> JobView:
    """Return the job's view, as an attempt of its split gets it."""
    return fixed_view(bucket, KEY, BucketAnswerStore(bucket), recipe=RECIPE, since=since)


def publish(bucket: FakeObjectStore, name: str) -> None:
    """Add a run to the store."""
    store = BucketAnswerStore(bucket)
    store.write_run(RECIPE, name, [answer_to(b"a" * 16, 9)])
    store.publish(RECIPE, [name])


def test_the_first_attempts_view_stays() -> None:
    """Answers that are published since, and a later time, change nothing."""
    bucket = FakeObjectStore()
    publish(bucket, "one")
    first = view_of(bucket)
    publish(bucket, "two")
    assert view_of(bucket, since=8) == first
    assert (first.view.runs, first.since) == (("one",), 5)


def test_of_two_attempts_at_once_one_counts() -> None:
    """The other one wrote its view between this one's look and its write."""
    theirs = JobView(RECIPE, View(("theirs",)), 4, "id")

    class Rival(FakeObjectStore):
        def write(self, key: str, body: bytes, *, guard: Guard | None = None) -> None:
            if key == KEY:
                self.objects.setdefault(KEY, msgspec.json.encode(theirs))
            super().write(key, body, guard=guard)

    bucket = Rival()
    assert view_of(bucket) == theirs == view_of(bucket)


def test_keys_are_those_of_the_views_store() -> None:
    """A store that was deleted meanwhile has another secret, so the attempts would not agree."""
    bucket = FakeObjectStore()
    view, store = view_of(bucket), BucketAnswerStore(bucket)
    assert view.keys(store, b"").of(REQUEST) == Keys(store.secret(RECIPE)).of(REQUEST)
    del bucket.objects[f"answers/{RECIPE}/head.json"]
    with pytest.raises(AnswerStoreDamaged, match="was deleted while the file was split"):
        view.keys(store, b"")
