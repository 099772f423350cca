"""A run answers as a dictionary would, and a damaged file is noticed."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answer_store.answer import Answer, read_answer
from batchdrop.answer_store.entry import ENTRY_BYTES, MOST_OFFSET, Entry
from batchdrop.answer_store.index import FOOTER_BYTES, PAGE_ENTRIES, IndexWriter
from batchdrop.errors import AnswerStoreDamaged
from tests.answer_store.runs import answer_to, index_of, merged, run_of

# Few first bytes, so that many keys share a fence and stand on both sides of a page's end.
KEY = st.builds(lambda fence, rest: bytes([fence] * 8) + rest, st.integers(0, 3), st.binary(min_size=8, max_size=8))
FEW_KEYS = st.sampled_from([bytes([number // 4] * 8) + bytes([number] * 8) for number in range(8)])
ANSWER = st.builds(
    lambda key, at, text, packed: answer_to(key, at, text, packed=packed),
    FEW_KEYS,
    st.integers(0, 9),
    st.text(max_size=9),
    st.booleans(),
)


def dictionary(answers: list[Answer], *, since: int = 0) -> dict[bytes, dict[bool, bytes]]:
    """Return the newest answer of each key and flag; of two at one time the later one."""
    kept: dict[tuple[bytes, bool], Answer] = {}
    for answer in answers:
        earlier = kept.get((answer.digest, answer.packed))
        if earlier is None or answer.at >= earlier.at:
            kept[answer.digest, answer.packed] = answer
    found: dict[bytes, dict[bool, bytes]] = {}
    for (key, packed), answer in kept.items():
        if answer.at >= since:
            found.setdefault(key, {})[packed] = bytes(answer.message)
    return found


@given(st.lists(ANSWER, max_size=30), KEY)
def test_a_look_up_equals_a_dictionarys(answers: list[Answer], unknown: bytes) -> None:
    """Each key has its newest answers, and an unknown key has none."""
    run, wanted = run_of(answers), dictionary(answers)
    for answer in answers:
        assert run.messages(answer.digest) == wanted[answer.digest]
    assert run.messages(unknown) == wanted.get(unknown, {})


@given(st.lists(st.lists(ANSWER, max_size=12), max_size=5), st.integers(0, 9))
def test_a_merge_equals_a_dictionarys(batches: list[list[Answer]], since: int) -> None:
    """The newest answer of all runs stays; expired means absent; a second merge changes nothing."""
    all_answers = [answer for batch in batches for answer in batch]
    run, wanted = merged([run_of(batch) for batch in batches], since=since), dictionary(all_answers, since=since)
    for answer in all_answers:
        assert run.messages(answer.digest) == wanted.get(answer.digest, {})
    assert run.opened().footer.entries == sum(map(len, wanted.values()))
    assert merged([run], since=since).index == run.index


@pytest.mark.parametrize("count", [0, 1, PAGE_ENTRIES - 1, PAGE_ENTRIES, PAGE_ENTRIES + 1, 3 * PAGE_ENTRIES])
@pytest.mark.parametrize("fence", [bytes(8), None])
def test_keys_are_found_at_the_ends_of_pages(count: int, fence: bytes | None) -> None:
    """Also if all of them share the fence's bytes, and each key has an answer alone and one from a pack."""
    keys = [(fence or number.to_bytes(8, "big")) + number.to_bytes(8, "big") for number in range(count)]
    run = run_of(answer_to(key, 1, key.hex(), packed=packed) for packed in (True, False) for key in keys)
    assert [*map(len, map(run.messages, keys))] == [2] * count
    assert all(run.messages(key)[True] == f'"{key.hex()}"'.encode() for key in keys)
    assert run.messages(b"\xff" * 16) == run.messages(bytes(7) + b"\1" + b"\xff" * 8) == {}
    proven = run.opened()
    proven.prove()
    assert [len(proven.find(key)) for key in keys] == [2] * count


def test_large_runs_merge_block_by_block() -> None:
    """The order of the blocks is that of the entries."""
    count = 40_000  # one block has 8,192
    keys = [bytes([number % 251] * 8) + number.to_bytes(8, "big") for number in range(count)]
    runs = [run_of(answer_to(keys[at], at) for at in range(first, count, 2)) for first in range(2)]
    everything = merged(runs)
    entries = [entry for block in everything.opened().blocks() for entry in block]
    assert len(entries) == count
    assert entries == sorted(entries)
    assert everything.messages(keys[1_000]) == {False: b'"yes"'}
    footer = everything.opened().footer
    assert (footer.oldest, footer.newest, footer.answers_bytes) == (0, count - 1, len(everything.answers))


RUN = run_of(answer_to(bytes([number] * 16), number) for number in range(200))


@given(st.integers(0, len(RUN.index) - 1))
def test_a_cut_index_is_noticed_when_it_is_opened(length: int) -> None:
    """Whether its size is known to have changed, or not."""
    for size in (length, len(RUN.index)):
        with pytest.raises((AnswerStoreDamaged, struct.error)):
            index_of(RUN.index[:length], size=size)


@given(st.integers(0, len(RUN.index) - 1), st.integers(1, 255))
def test_a_changed_byte_is_noticed_before_it_is_used(place: int, by: int) -> None:
    """In the tables when the index is opened, in a page when the page is read."""
    changed = bytearray(RUN.index)
    changed[place] = (changed[place] + by) % 256
    with pytest.raises(AnswerStoreDamaged, match=r"runs/a\.index"):
        index_of(bytes(changed)).prove()


def test_pages_and_tables_of_two_runs_do_not_mix() -> None:
    """A file that changed between two reads is noticed."""
    other = run_of(answer_to(bytes([number] * 16), number + 1) for number in range(200))
    mixed = other.index[: 200 * ENTRY_BYTES] + RUN.index[200 * ENTRY_BYTES :]
    with pytest.raises(AnswerStoreDamaged, match="page 0 has changed"):
        index_of(mixed).find(bytes([7] * 16))


def test_an_answer_serves_only_its_own_key() -> None:
    """A line of another key, and half a line, are refused."""
    key = bytes(16)
    line = RUN.answers.split(b"\n")[0]
    assert bytes(read_answer(line, key, name="a").message) == b'"yes"'
    for wrong, asked in ((line, b"\1" * 16), (line[:-5], key), (b"\xff", key), (b"", key)):
        with pytest.raises(AnswerStoreDamaged, match="a: the answer"):
            read_answer(wrong, asked, name="a")


@given(st.binary(min_size=16, max_size=16), st.booleans(), st.integers(0, 2**32 - 1), st.integers(0, MOST_OFFSET))
def test_an_entry_keeps_its_numbers(key: bytes, packed: bool, at: int, offset: int) -> None:  # noqa: FBT001 - drawn
    """All of them, up to the largest."""
    entry = Entry(key, packed, at, offset, 2**32 - 1)
    assert Entry.decoded(entry.encoded()) == entry


def test_an_empty_index_can_be_read() -> None:
    """A shard may have nothing to store."""
    written = bytearray()
    IndexWriter(written.extend).end(0)
    assert len(written) == FOOTER_BYTES
    assert index_of(bytes(written)).find(bytes(16)) == []
