"""Answers that are forgotten: not served from the tombstone on, and gone from the files after the purge."""

from __future__ import annotations

import random
from collections.abc import Iterable

import msgspec
import pytest

from batchdrop.answer_store.answer import Answer
from batchdrop.answer_store.bucket_store import BucketAnswerStore, answers_key, index_key
from batchdrop.answer_store.forgotten import Forgotten, Tombstone, subject_id
from batchdrop.answer_store.head import MOST_RUNS
from batchdrop.answer_store.ports import View
from batchdrop.cli.forget.cuts import Cut, rewritten
from batchdrop.cli.forget.purge import Purge, Purged
from tests.answer_store.runs import answer_to
from tests.eraser import FakeEraser
from tests.fakes import FakeObjectStore

RECIPE = "team/reviews"
KEYS = [bytes([number]) * 16 for number in range(20)]
SUBJECT = "5" * 32


class Store:
    """A store in a bucket, and its purge."""

    def __init__(self) -> None:
        self.bucket = FakeObjectStore(block=100)
        self.answers = BucketAnswerStore(self.bucket)
        self.is_busy = False

    def publish(self, name: str, *answers: Answer) -> None:
        """Write and publish a run."""
        self.answers.write_run(RECIPE, name, answers)
        self.answers.publish(RECIPE, [name])

    def found(self, view: View | None = None) -> set[int]:
        """Return the numbers of the keys whose answers are served; each is read."""
        with self.answers.opened(RECIPE, view or self.answers.view(RECIPE), since=0, rows=100) as look_up:
            places = look_up.find(KEYS, packed=False)
            hits = [place for place in places if place is not None]
            assert len([*look_up.answers(hits)]) == len(hits)
        return {number for number, place in enumerate(places) if place is not None}

    def purge(self) -> Purged:
        """Purge the store."""
        return Purge(self.bucket, FakeEraser(self.bucket), RECIPE, is_busy=lambda: self.is_busy).run()

    @property
    def texts(self) -> bytes:
        """Return all bytes of all answers."""
        return b"".join(body for key, body in self.bucket.objects.items() if key.endswith(".jsonl"))


def of_subject(key: bytes, at: int, text: str, subject: str = SUBJECT) -> Answer:
    """Return an answer of a subject."""
    return msgspec.structs.replace(answer_to(key, at, text), subject=subject)


@pytest.mark.parametrize(
    "tombstone",
    [
        Tombstone(5, keys=(KEYS[1], KEYS[2])),
        Tombstone(5, subjects=(SUBJECT,)),
        Tombstone(5, uploads=(2,)),
    ],
)
def test_a_tombstone_works_at_once(tombstone: Tombstone) -> None:
    """No later view serves the answer; the others stay. After the purge its text is nowhere."""
    store = Store()
    store.publish("one", answer_to(KEYS[0], 1), of_subject(KEYS[1], 2, "secret"), answer_to(KEYS[3], 3))
    store.publish("two", of_subject(KEYS[2], 2, "secret too"))
    store.answers.forget(RECIPE, tombstone)
    assert store.found() == {0, 3}
    assert b"secret" in store.texts
    assert store.purge().answers == 2
    assert store.found() == {0, 3}
    assert b"secret" not in store.texts
    assert not store.answers.view(RECIPE).tombstones  # look-ups are as fast as before


@pytest.mark.parametrize("tombstone", [Tombstone(5, keys=(KEYS[1],)), Tombstone(5, subjects=(SUBJECT,))])
def test_a_job_that_ran_meanwhile_cannot_bring_it_back(tombstone: Tombstone) -> None:
    """It publishes a run of answers from before the tombstone. One from after it is served: it was asked for anew."""
    store = Store()
    store.publish("one", of_subject(KEYS[1], 2, "secret"))
    store.answers.forget(RECIPE, tombstone)
    store.purge()
    store.publish("late", of_subject(KEYS[1], 5, "secret"), answer_to(KEYS[2], 5))
    store.publish("one", of_subject(KEYS[1], 2, "secret"))
    assert store.found() == {2}
    store.purge()
    assert (store.found(), b"secret" in store.texts) == ({2}, False)
    store.publish("new", of_subject(KEYS[1], 6, "asked again"))
    assert store.found() == {1, 2}


def test_answers_that_were_replaced_are_removed_too() -> None:
    """A merge leaves them in its file, where no index has them."""
    store = Store()
    store.publish("old", of_subject(KEYS[0], 1, "secret"))
    for number in range(MOST_RUNS):
        store.publish(f"run-{number}", answer_to(KEYS[number], 10, "new"))
    store.answers.compact(RECIPE, since=0)
    store.answers.forget(RECIPE, Tombstone(5, subjects=(SUBJECT,)))
    assert store.found() == {*range(MOST_RUNS)}
    assert store.purge().answers == 1
    assert (store.found(), b"secret" in store.texts) == ({*range(MOST_RUNS)}, False)


def test_runs_that_a_job_may_read_wait_for_its_end() -> None:
    """Its view has them. The next purge erases them; what an ended job did not publish stays, if it may."""
    store = Store()
    store.publish("one", of_subject(KEYS[0], 1, "secret"), answer_to(KEYS[1], 1))
    store.answers.write_run(RECIPE, "red", [answer_to(KEYS[2], 1)])
    store.answers.write_run(RECIPE, "red-too", [of_subject(KEYS[3], 1, "secret")])
    view = store.answers.view(RECIPE)
    store.answers.forget(RECIPE, Tombstone(5, subjects=(SUBJECT,)))
    store.is_busy = True
    assert store.purge().runs_left == 2
    assert store.found(view) == {0, 1}
    store.is_busy = False
    assert store.purge() == Purged(0, 0, 0)
    assert b"secret" not in store.texts
    assert index_key(RECIPE, "red") in store.bucket.objects
    assert answers_key(RECIPE, "red-too") not in store.bucket.objects


def test_a_purge_that_dies_goes_on() -> None:
    """At each object that it reads; the answers that stay are served all the time."""
    for dies_at in range(1, 40):
        store = Store()
        for number in range(4):
            store.publish(f"run-{number}", of_subject(KEYS[number], 1, "secret"), answer_to(KEYS[10 + number], 1))
        store.answers.forget(RECIPE, Tombstone(5, subjects=(SUBJECT,)))
        left = [dies_at]

        def die(_key: str, left: list[int] = left) -> None:
            left[0] -= 1
            if not left[0]:
                raise ConnectionError

        store.bucket.on_read = die
        try:
            store.purge()
        except ConnectionError:
            store.bucket.on_read = lambda _key: None
            assert store.found() == {10, 11, 12, 13}
            store.purge()
        store.bucket.on_read = lambda _key: None
        assert (store.found(), b"secret" in store.texts) == ({10, 11, 12, 13}, False)


def test_unnamed_answers_are_counted() -> None:
    """They were stored before the recipe had `subject`, so a person may have some of them."""
    store = Store()
    store.publish("one", of_subject(KEYS[0], 1, "secret"), answer_to(KEYS[1], 1))
    store.answers.forget(RECIPE, Tombstone(5, subjects=(SUBJECT,)))
    assert (purged := store.purge()).unnamed == 1
    assert purged.answers == 1


def test_bytes_are_cut_out_of_any_blocks() -> None:
    """Whatever the blocks and the spans."""
    draw = random.Random(1)
    for _ in range(300):
        whole = draw.randbytes(60)
        ends = sorted(draw.sample(range(61), draw.choice((0, 2, 4, 6))))
        spans = [*zip(ends[::2], ends[1::2], strict=True)]
        at_cuts = sorted(draw.sample(range(60), draw.choice((0, 1, 5, 20))))
        blocks: Iterable[bytes] = [whole[a:b] for a, b in zip([0, *at_cuts], [*at_cuts, 60], strict=True)]
        put = [draw.choice((b"", b"new")) for _ in spans]
        changed, at = b"", 0
        for (start, end), new in zip(spans, put, strict=True):
            changed, at = changed + whole[at:start] + new, end
        cuts = [Cut(*span, new) for span, new in zip(spans, put, strict=True)]
        assert b"".join(rewritten(blocks, cuts)) == changed + whole[at:]


def test_the_id_of_a_subject() -> None:
    """It depends on the store's secret and the cell; spaces around it do not count, and an empty cell has none."""
    one = subject_id(bytes(32), "Zoë")
    assert one == subject_id(bytes(32), " Zoë\n") != subject_id(bytes(31) + b"1", "Zoë")
    assert (len(one), subject_id(bytes(32), "  ")) == (32, "")
    assert not Forgotten((Tombstone(5, subjects=(one,)),)).has(KEYS[0], 5, "")
