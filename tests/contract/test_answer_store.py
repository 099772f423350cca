"""What every AnswerStore promises: in a bucket (the fake, S3) and in a SQLite file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pytest
from moto import mock_aws

from batchdrop.adapters.sqlite.answers import SqliteAnswerStore
from batchdrop.answer_store.answer import Answer
from batchdrop.answer_store.bucket_store import BucketAnswerStore
from batchdrop.answer_store.forgotten import Tombstone
from batchdrop.answer_store.head import MOST_RUNS
from batchdrop.answer_store.ports import AnswerStore, View
from batchdrop.errors import AnswerStoreDamaged
from tests.answer_store.runs import answer_to
from tests.contract.buckets import fake_bucket, s3_bucket

RECIPE = "team a/reviews"
A, B, C = (letter * 16 for letter in (b"a", b"b", b"c"))


@pytest.fixture(params=["fake", "s3", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnswerStore]:
    """Each store, empty."""
    if request.param == "sqlite":
        yield SqliteAnswerStore(tmp_path / "answers.sqlite")
    elif request.param == "fake":
        yield BucketAnswerStore(fake_bucket().store)
    else:
        with mock_aws():
            yield BucketAnswerStore(s3_bucket().store)


def published(store: AnswerStore, name: str, *answers: Answer) -> None:
    """Write and publish a run."""
    store.write_run(RECIPE, name, answers)
    store.publish(RECIPE, [name])


def found(
    store: AnswerStore,
    keys: Iterable[bytes | None],
    *,
    view: View | None = None,
    since: int = 0,
    packed: bool = False,
    rows: int = 1_000,
    recipe: str = RECIPE,
) -> list[str | None]:
    """Return the message of each key's answer, as a look-up finds it."""
    with store.opened(recipe, view or store.view(recipe), since=since, rows=rows) as look_up:
        places = look_up.find(keys, packed=packed)
        hits = [number for number, place in enumerate(places) if place is not None]
        messages: list[str | None] = [None] * len(places)
        for number, answer in look_up.answers([place for place in places if place is not None]):
            assert messages[hits[number]] is None
            messages[hits[number]] = bytes(answer.message).decode()
    return messages


def test_a_secret_stays(store: AnswerStore) -> None:
    """Each recipe has its own."""
    secret = store.secret(RECIPE)
    assert len(secret) == 32
    published(store, "one", answer_to(A, 1))
    assert store.secret(RECIPE) == secret != store.secret("reviews")


@pytest.mark.parametrize("rows", [0, 1_000])
def test_answers_are_found_once_they_are_published(store: AnswerStore, rows: int) -> None:
    """By parts of the index, or by a copy of it; an unknown key and no key find nothing."""
    assert found(store, [A], rows=rows) == [None]
    store.write_run(RECIPE, "one", [answer_to(B, 1, "b"), answer_to(A, 1, "a")])
    assert found(store, [A], rows=rows) == [None]
    store.publish(RECIPE, ["one"])
    assert found(store, [A, None, C, B, A], rows=rows) == ['"a"', None, None, '"b"', '"a"']
    assert found(store, [A], recipe="reviews") == [None]


def test_the_newest_answer_counts(store: AnswerStore) -> None:
    """Whatever the order in which they were published."""
    published(store, "one", answer_to(A, 2, "old"), answer_to(B, 5, "new"))
    published(store, "two", answer_to(A, 3, "new"), answer_to(B, 4, "old"))
    assert found(store, [A, B]) == ['"new"', '"new"']


def test_an_expired_answer_is_absent(store: AnswerStore) -> None:
    """Also an older one of the same key is."""
    published(store, "one", answer_to(A, 2), answer_to(B, 3))
    assert found(store, [A, B], since=3) == [None, '"yes"']


def test_an_answer_from_a_pack_serves_only_packs(store: AnswerStore) -> None:
    """An answer to a row sent alone serves all, and comes first."""
    published(store, "one", answer_to(A, 9, "pack", packed=True), answer_to(B, 9, "pack", packed=True))
    published(store, "two", answer_to(A, 1, "alone"))
    assert found(store, [A, B]) == ['"alone"', None]
    assert found(store, [A, B], packed=True) == ['"alone"', '"pack"']
    assert found(store, [A, B], packed=True, since=2) == ['"pack"', '"pack"']


def test_a_view_stays_as_it_was(store: AnswerStore) -> None:
    """Later runs, and a merge of all of them, change nothing in it."""
    published(store, "one", answer_to(A, 1, "first"))
    view = store.view(RECIPE)
    for number in range(MOST_RUNS + 2):
        published(store, f"later-{number}", answer_to(A, 2 + number, f"{number}"), answer_to(C, 1))
    store.compact(RECIPE, since=1)
    assert found(store, [A, C], view=view) == ['"first"', None]
    assert found(store, [A, C]) == [f'"{MOST_RUNS + 1}"', '"yes"']


def test_a_written_run_can_be_written_again_until_it_is_published(store: AnswerStore) -> None:
    """A repeated attempt writes and publishes the same run; it is there once, and later writes change nothing."""
    store.write_run(RECIPE, "one", [answer_to(A, 1)])
    published(store, "one", answer_to(A, 1, "a"), answer_to(B, 1, "b"))
    view = store.view(RECIPE)
    published(store, "one", answer_to(A, 9, "changed"))
    assert store.view(RECIPE) == view
    assert found(store, [A, B]) == ['"a"', '"b"']


def test_a_run_of_nothing_can_be_published(store: AnswerStore) -> None:
    """A shard may have no answers."""
    published(store, "one")
    store.compact(RECIPE, since=0)
    assert found(store, [A]) == [None]


def test_a_run_that_was_not_written_is_refused(store: AnswerStore) -> None:
    """And nothing of the same call is published in its place."""
    with pytest.raises(AnswerStoreDamaged, match="is gone"):
        store.publish(RECIPE, ["nothing"])
    assert found(store, [A]) == [None]


def test_compacting_keeps_what_has_not_expired(store: AnswerStore) -> None:
    """Each key of many runs is found afterwards, and expired ones are not."""
    keys = [bytes([number]) * 16 for number in range(3 * MOST_RUNS)]
    for number, key in enumerate(keys):
        published(store, f"run-{number}", answer_to(key, number, f"{number}"))
        store.compact(RECIPE, since=5)
    wanted = [None if number < 5 else f'"{number}"' for number in range(len(keys))]
    assert found(store, keys, since=5) == wanted
    assert len(store.view(RECIPE).runs) <= MOST_RUNS


def test_far_answers_come_in_pieces(store: AnswerStore) -> None:
    """Near answers are read together, far ones are not; each comes once, with its own text."""
    keys = [bytes([number]) * 16 for number in range(40)]
    published(store, "one", *(answer_to(key, 1, f"{number}" * 30_000) for number, key in enumerate(keys)))
    wanted = [keys[39], keys[0], keys[20], keys[1]]
    assert found(store, wanted) == [f'"{f"{number}" * 30_000}"' for number in (39, 0, 20, 1)]


@pytest.mark.parametrize(
    "tombstone",
    [Tombstone(5, keys=(A,)), Tombstone(5, subjects=("1" * 32,)), Tombstone(5, uploads=(4,))],
    ids=["key", "subject", "upload"],
)
def test_forgotten_answers_are_not_found(store: AnswerStore, tombstone: Tombstone) -> None:
    """At once, also those that are published later; the same answer is found again if it was given later."""
    own = msgspec.structs.replace(answer_to(A, 4), subject="1" * 32)
    published(store, "one", own, answer_to(B, 3))
    store.forget(RECIPE, tombstone)
    assert found(store, [A, B]) == [None, '"yes"']
    published(store, "late", own)
    assert found(store, [A, B], rows=0) == [None, '"yes"']
    assert store.forgotten(RECIPE).has_answer(own)
    published(store, "new", msgspec.structs.replace(own, at=6))
    assert found(store, [A, B]) == ['"yes"', '"yes"']


def test_all_can_be_forgotten(store: AnswerStore) -> None:
    """Also of a recipe that has no answer yet."""
    store.forget(RECIPE, Tombstone(5, everything=True))
    published(store, "one", answer_to(A, 5), answer_to(B, 6))
    assert found(store, [A, B]) == [None, '"yes"']
    assert not store.forgotten("another")
