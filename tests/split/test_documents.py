"""Whole jobs that ask about documents and images, on fakes."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from batchdrop.errors import NothingToSend, RecipeRejected, UploadRejected
from batchdrop.requests.content_block import content_block
from tests.documents import document, zipped
from tests.jobs import World, dropped

ATTACH = "model: claude-haiku-5-5\nprompt: 'What is {{ id }}?'\nattach: {column: scan, as: image}\npilot: false\n"
FILES = "model: claude-haiku-5-5\nprompt: What does it say?\ninput: files\n"
PNG, PDF, GIF = document("disc.png"), document("page.pdf"), document("disc.gif")
ARCHIVE = zipped({"in/a.pdf": PDF, "in/b.bin": b"\0", "c.png": PNG, "d.txt": b"Dear reader"})


def _with_files(table: bytes, recipe: str = ATTACH, **limits: Any) -> World:
    world = dropped(table, recipe=recipe, **limits)
    world.store.write("files/a.png", PNG)
    world.store.write("files/b.gif", GIF)
    world.store.write("files/a.pdf", PDF)
    return world


def _contents(world: World, shard: int = 0) -> list[Any]:
    return [request["params"]["messages"][-1]["content"] for request in world.requests(shard)]


def _asked(block: dict[str, Any], text: str) -> list[dict[str, Any]]:
    return [block, {"type": "text", "text": text}]


def _output(world: World) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(world.result("output.csv").decode(), newline="")))


def test_a_column_of_files_is_attached() -> None:
    """Each row's file stands before its prompt, in the rows' order."""
    world = _with_files(b"id,scan\n1,a.png\n2,files/b.gif\n3,s3://bucket/files/a.png\n4,https://example.com/x.png\n")
    world.split()
    png, gif = content_block(PNG, name="", kind="image"), content_block(GIF, name="", kind="image")
    url = {"type": "image", "source": {"type": "url", "url": "https://example.com/x.png"}}
    assert _contents(world) == [
        _asked(block, f"What is {number}?") for number, block in enumerate([png, gif, png, url], 1)
    ]


def test_rows_whose_files_cannot_be_had_are_rejects() -> None:
    """A missing object, a wrong kind, a blank cell, another place: each takes only its row."""
    table = b"id,scan\n1,a.png\n2,nowhere.png\n3,a.pdf\n4,\n5,../inbox/r/f.csv\n6,b.gif\n"
    world = _with_files(table)
    assert world.split().requests == 2
    errors = [row.get("error", "") for row in world.stored_rows()]
    assert errors[0] == errors[5] == ""
    assert errors[1] == (
        "row 2 (line 3): column 'scan': object files/nowhere.png does not exist; put the file there, or fix the cell"
    )
    assert "row 3 (line 4): column 'scan': files/a.pdf: it is a PDF file" in errors[2]
    assert "row 4 (line 5): column 'scan'" in errors[3]
    assert "row 5 (line 6): column 'scan': '.', '..'" in errors[4]


def test_the_job_answers_what_it_can() -> None:
    """Rows in = answered + rejected, and the output has all of them in order."""
    world = _with_files(b"id,scan\n1,a.png\n2,nowhere.png\n3,b.gif\n", rows=2)
    world.run()
    assert [(row["id"], row["_status"]) for row in _output(world)] == [
        ("1", "answered"),
        ("2", "rejected"),
        ("3", "answered"),
    ]


def test_a_bad_file_can_stop_the_job() -> None:
    """`on_bad_row: stop`; nothing is sent."""
    world = _with_files(b"id,scan\n1,a.png\n2,nowhere.png\n3,b.gif\n", ATTACH + "on_bad_row: stop\n")
    with pytest.raises(UploadRejected, match=r"f\.csv row 2 \(line 3\): column 'scan': object files"):
        world.split()


def test_a_column_that_is_not_there_is_reported() -> None:
    """Before anything is read."""
    with pytest.raises(RecipeRejected, match="scan"):
        _with_files(b"id,photo\n1,a.png\n").split()


def test_many_rows_keep_their_order() -> None:
    """Files are read side by side; requests stand as the rows do, over shards and invocations."""
    table = b"id,scan\n" + b"".join(b"%d,%d.txt\n" % (number, number) for number in range(300))
    world = dropped(table, recipe=ATTACH.replace("image", "document"), rows=70)
    for number in range(300):
        world.store.write(f"files/{number}.txt", b"text %d" % number)
    rounds = 1
    while not world.split(looks=3).finished:
        rounds += 1
    assert rounds > 1
    contents = [content for shard in range(5) for content in _contents(world, shard)]
    assert [(block["source"]["data"], text["text"]) for block, text in contents] == [
        (f"text {number}", f"What is {number}?") for number in range(300)
    ]


def test_a_file_is_a_job_of_one_row() -> None:
    """`input: files`: any name, and a prompt without columns."""
    world = World().drop("inbox/r/letter.PDF", PDF, recipe=FILES)
    world.run()
    assert _contents(world) == [_asked(content_block(PDF, name="", kind=None), "What does it say?")]
    (row,) = _output(world)
    assert (row["file"], row["type"], row["bytes"]) == ("letter.PDF", "application/pdf", str(len(PDF)))
    assert row["_status"] == "answered"


def test_the_prompt_may_name_the_file() -> None:
    """Its columns are file, type and bytes."""
    recipe = FILES.replace("What does it say?", "'{{ file }} ({{ type }}, {{ bytes }})'")
    world = World().drop("inbox/r/disc.png", PNG, recipe=recipe)
    world.split()
    assert _contents(world)[0][1]["text"] == f"disc.png (image/png, {len(PNG)})"
    with pytest.raises(RecipeRejected, match="name"):
        World().drop("inbox/r/disc.png", PNG, recipe=FILES.replace("it say", "{{ name }} say")).split()


def test_an_archive_is_a_job_of_its_files() -> None:
    """A member a row; one that cannot be asked is a reject with its reason, in failed.jsonl too."""
    world = World().drop("inbox/r/post.zip", ARCHIVE, recipe=FILES)
    world.run()
    assert [(row["file"], row["type"], row["_status"]) for row in _output(world)] == [
        ("in/a.pdf", "application/pdf", "answered"),
        ("in/b.bin", "", "rejected"),
        ("c.png", "image/png", "answered"),
        ("d.txt", "text/plain", "answered"),
    ]
    (failed,) = [json.loads(line) for line in world.result("failed.jsonl").splitlines()]
    assert failed["file"] == "in/b.bin"
    assert failed["_error"].startswith("row 2 (in/b.bin): its first bytes")


@pytest.mark.parametrize("looks", [2, 3])
def test_an_archive_is_split_over_invocations(looks: int) -> None:
    """Each goes on at the member where the last one stopped; the requests are those of one go."""
    whole = World(rows=1).drop("inbox/r/post.zip", ARCHIVE, recipe=FILES)
    whole.split()
    parted = World(rows=1).drop("inbox/r/post.zip", ARCHIVE, recipe=FILES)
    rounds = 1
    while not parted.split(looks=looks).finished:
        rounds += 1
    assert rounds > 1
    assert parted.shard_items == whole.shard_items
    for shard in range(4):
        assert parted.requests(shard) == whole.requests(shard)
        assert parted.stored_rows(shard) == whole.stored_rows(shard)


def test_jsonl_output_of_files() -> None:
    """`output.format` goes before the usual CSV."""
    world = World().drop("inbox/r/c.png", PNG, recipe=FILES + "output: {format: jsonl}\n")
    world.run()
    row = json.loads(world.result("output.jsonl"))
    assert (row["file"], row["type"], row["bytes"], row["_status"]) == ("c.png", "image/png", len(PNG), "answered")


def test_a_file_that_cannot_be_sent_fails_its_job() -> None:
    """There is nothing to ask, and the reason is told."""
    world = World().drop("inbox/r/locked.pdf", document("locked.pdf"), recipe=FILES)
    with pytest.raises(NothingToSend, match=r"locked\.pdf: none of its 1 rows .* the PDF is encrypted"):
        world.split()


def test_an_archive_of_nothing_is_refused() -> None:
    """As a table without rows is."""
    with pytest.raises(UploadRejected, match="the file has no rows"):
        World().drop("inbox/r/post.zip", zipped({"x/": b""}), recipe=FILES).split()
