"""The answer store in a bucket: concurrent writers, attempts that die, damaged files."""

from __future__ import annotations

import random

import pytest

from batchdrop.answer_store.answer import Answer
from batchdrop.answer_store.bucket_store import MOST_TRIES, BucketAnswerStore
from batchdrop.answer_store.head import MOST_RUNS, Head, PublishedRun, merged_name
from batchdrop.errors import AnswerStoreDamaged, LedgerContended
from batchdrop.ports import Guard
from tests.answer_store.runs import answer_to
from tests.fakes import FakeObjectStore

RECIPE = "reviews"
KEYS = [bytes([number]) * 16 for number in range(20)]


class _Died(Exception):
    """An attempt ends here."""


class _Rivals(FakeObjectStore):
    """A bucket in which another publisher comes between, `times` times, and in which a write may kill its attempt."""

    times = 0
    dies_at = ""

    def write(self, key: str, body: bytes, *, guard: Guard | None = None) -> None:
        """Let the rival write first, or die before the object appears."""
        if self.dies_at and key.endswith(self.dies_at):
            raise _Died
        if key.endswith("head.json") and self.times:
            self.times -= 1
            times, self.times = self.times, 0
            published(BucketAnswerStore(self), f"rival-{times}", answer_to(KEYS[times % 20], 1, "rival"))
            self.times = times
        super().write(key, body, guard=guard)


def published(store: BucketAnswerStore, name: str, *answers: Answer) -> None:
    """Write and publish a run."""
    store.write_run(RECIPE, name, answers)
    store.publish(RECIPE, [name])


def known(store: BucketAnswerStore, *, rows: int = 1_000) -> set[bytes]:
    """Return the keys that have an answer, each of which was read."""
    with store.opened(RECIPE, store.view(RECIPE), since=0, rows=rows) as look_up:
        places = [place for place in look_up.find(KEYS, packed=False) if place is not None]
        return {answer.digest for _, answer in look_up.answers(places)}


def test_publishers_lose_nothing_to_each_other() -> None:
    """Each of them writes the head only as it has read it, and adds its run to what the other wrote."""
    bucket = _Rivals()
    store = BucketAnswerStore(bucket)
    secret = store.secret(RECIPE)
    bucket.times = 3
    published(store, "own", answer_to(KEYS[9], 1))
    assert known(store) == {KEYS[0], KEYS[1], KEYS[2], KEYS[9]}
    assert store.secret(RECIPE) == secret


def test_two_first_calls_make_one_secret() -> None:
    """The rival made the store meanwhile: its secret counts."""
    bucket = _Rivals()
    bucket.times = 1
    store = BucketAnswerStore(bucket)
    secret = store.secret(RECIPE)
    assert secret == store.secret(RECIPE)
    assert known(store) == {KEYS[0]}


def test_a_publisher_that_never_gets_its_turn_says_so() -> None:
    """The state machine calls it again."""
    bucket = _Rivals()
    bucket.times = MOST_TRIES + 1
    with pytest.raises(LedgerContended, match="reviews/head"):
        published(BucketAnswerStore(bucket), "own", answer_to(KEYS[19], 1))


@pytest.mark.parametrize("dies_at", [".jsonl", ".index", "head.json"])
def test_an_attempt_that_dies_leaves_the_store_as_it_was(dies_at: str) -> None:
    """While it writes a run or merges; the next attempt completes it."""
    bucket = _Rivals()
    store = BucketAnswerStore(bucket)
    for number in range(MOST_RUNS):
        published(store, f"run-{number}", answer_to(KEYS[number], 1))
    bucket.dies_at = dies_at
    with pytest.raises(_Died):
        published(store, "last", answer_to(KEYS[MOST_RUNS], 1))
    assert known(store) == {*KEYS[:MOST_RUNS]}
    bucket.dies_at = ""
    published(store, "last", answer_to(KEYS[MOST_RUNS], 1))
    bucket.dies_at = dies_at
    with pytest.raises(_Died):
        store.compact(RECIPE, since=0)
    assert known(store) == {*KEYS[: MOST_RUNS + 1]}
    bucket.dies_at = ""
    store.compact(RECIPE, since=0)
    assert known(store) == {*KEYS[: MOST_RUNS + 1]}
    assert len(store.view(RECIPE).runs) <= MOST_RUNS


@pytest.mark.parametrize("rows", [0, 1_000])
@pytest.mark.parametrize("file", ["one.index", "one.jsonl"])
@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_damage_is_noticed(rows: int, file: str, damage: str) -> None:
    """No look-up serves an answer from a damaged file; the message names it."""
    bucket = FakeObjectStore()
    store = BucketAnswerStore(bucket)
    published(store, "one", *(answer_to(key, 1) for key in KEYS))
    key = f"answers/{RECIPE}/runs/{file}"
    body = bucket.objects.pop(key)
    if damage != "gone":
        bucket.objects[key] = body[: len(body) // 2] if damage == "cut" else bytes(100) + body[100:]
    with pytest.raises(AnswerStoreDamaged, match=rf"{file}: .*Delete"):
        known(store, rows=rows)


def test_a_small_job_reads_parts_of_the_index() -> None:
    """Two rows do not copy an index of 2 MiB; many rows do."""
    bucket = FakeObjectStore()
    store = BucketAnswerStore(bucket)
    draw = random.Random(1)
    published(store, "one", *(answer_to(draw.randbytes(16), 1) for _ in range(65_536)), answer_to(KEYS[0], 1))
    read: list[str] = []
    bucket.on_read = read.append
    assert known(store, rows=0) == {KEYS[0]}
    assert max(map(len, (bucket.objects[key] for key in read))) > 2**20
    parts = len(read)
    read.clear()
    assert known(store, rows=1_000) == {KEYS[0]}
    assert parts < len(KEYS) + 5 < len(read)


def test_entries_are_merged_about_log_times() -> None:
    """A thousand runs of one size: no entry is copied more often than a balanced merge would."""
    head, copied, runs = Head(bytes(32)), 0, 1_000
    for number in range(runs):
        head = head.with_runs([PublishedRun(f"{number}", 100)])
        if old := head.to_merge():
            copied += (total := sum(run.entries for run in old))
            head = head.merged(old, PublishedRun(merged_name(old, 0), total))
        assert len(head.runs) <= MOST_RUNS
    assert sum(run.entries for run in head.runs) == runs * 100
    assert copied / (runs * 100) < 12


def test_a_merge_of_runs_that_were_merged_meanwhile_changes_nothing() -> None:
    """Two closings merged at once: the first head stays."""
    runs = tuple(PublishedRun(f"{number}", 1) for number in range(3))
    head = Head(bytes(32)).with_runs(runs)
    once = head.merged(runs[:2], PublishedRun("m1", 2))
    assert once.merged(runs[1:], PublishedRun("m2", 2)) == once
    assert once.with_runs(runs) == once
    assert [run.name for run in once.runs] == ["m1", "2"]
