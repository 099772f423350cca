"""split_upload: what is wrong costs nothing and is told; what is right becomes shards, however often time runs out."""

from __future__ import annotations

import json

import msgspec
import pytest

from batchdrop.answers.columns import Column
from batchdrop.errors import JobExpired, NothingToSend, RecipeRejected, SplitTooSlow, UploadRejected
from batchdrop.job.expiry import RESUMABLE
from batchdrop.limits import LEDGER_KEPT
from batchdrop.split.split_upload import ROWS_BETWEEN_TIME_CHECKS
from tests.fakes import START
from tests.jobs import JOB, KEYS, RECIPE, World, dropped, reviews

READY = b'{"custom_id":"mine-1","params":{"model":"m","max_tokens":1,"messages":[]}}\n'


def _shards(world: World) -> dict[str, bytes]:
    return world.store.under(f"jobs/{JOB}/shards/")


def test_rows_become_shards() -> None:
    """Rows are packed in order; the Map's items say how many requests each shard has, and of how many shards."""
    world = dropped(reviews(5), rows=2)
    progress = world.split()
    assert (progress.finished, progress.shards, progress.rows, progress.requests) == (True, 3, 5, 5)
    assert [world.prompts(shard) for shard in range(3)] == [
        ["ask row 0", "ask row 1"],
        ["ask row 2", "ask row 3"],
        ["ask row 4"],
    ]
    assert world.shard_items == [
        {"shard": shard, "shards": 3, "requests": count, "lane": "batch"} for shard, count in enumerate([2, 2, 1])
    ]


def test_custom_ids_name_job_shard_and_row() -> None:
    """They lead back from an answer to its row."""
    world = dropped(reviews(3), rows=2)
    world.split()
    assert [request["custom_id"] for request in world.requests(1)] == [f"{JOB}-00001-000000"]


def test_facts_outlive_the_results() -> None:
    """The ledger's expiry counts from the upload."""
    assert dropped(reviews(1)).split().expires_at == int((START + LEDGER_KEPT).timestamp())


def test_shards_are_cut_by_bytes_too() -> None:
    """No create body is larger than the limit, and the manifest knows each to the byte."""
    world = dropped(reviews(50), max_bytes=1_000)
    world.split()
    assert len(world.manifest.shards) > 2
    for item in world.manifest.shards:
        assert len(world.store.read(KEYS.requests(item.shard))) == item.bytes <= 1_000


def test_shards_are_cut_by_what_their_answers_may_weigh() -> None:
    """Two answers of 1,024 tokens, asked once each, fit 18,000 bytes of disk; where they may be raised, one does."""
    world = dropped(reviews(5), max_answer_bytes=18_000)
    world.split()
    assert [item.requests for item in world.manifest.shards] == [2, 2, 1]
    again = dropped(reviews(3), recipe=f"{RECIPE}retry: {{max_tokens: x2}}\n", max_answer_bytes=27_000)
    again.split()
    assert [item.requests for item in again.manifest.shards] == [1, 1, 1]


def test_ready_made_requests_weigh_what_each_may_answer() -> None:
    """Their `max_tokens` stand in the file; rows that cannot be asked weigh nothing."""
    lines = [READY.replace(b'"max_tokens":1', b'"max_tokens":%d' % tokens) for tokens in (1_000, 1_000, 100, 2_000)]
    world = dropped(b"".join([*lines[:1], b"no request\n", *lines[1:]]), key="inbox/f.jsonl", max_answer_bytes=18_500)
    world.split()
    assert [(item.rows, item.requests) for item in world.manifest.shards] == [(3, 2), (2, 2)]


def test_bad_rows_are_kept_with_their_reason() -> None:
    """A reject has a place in its shard, a reason, and no request."""
    world = dropped(b"x,y\n1,2\n3\n,5\n6,7\n")
    progress = world.split()
    assert (progress.rows, progress.requests) == (4, 3)
    assert world.stored_rows()[1] == {
        "row": 2,
        "raw": "3",
        "error": "row 2 (line 3): it has 1 cell, the header has 2 columns; "
        "`input: {ragged: fill}` takes missing cells for empty ones",
    }
    assert [request["custom_id"][-6:] for request in world.requests()] == ["000000", "000002", "000003"]


def test_an_unaskable_row_is_rejected_alone() -> None:
    """A row with a blank prompt has no request; its neighbours have one."""
    world = dropped(b'x,y\na,1\n"",2\nb,3\n', recipe="model: m\nprompt: '{{ x }}'\n")
    assert world.split().requests == 2
    assert "blank" in world.stored_rows()[1]["error"]


def test_an_oversized_request_is_rejected_alone() -> None:
    """A row over the API's limit for one request takes no other with it."""
    world = dropped(
        b"x\n" + b"small\n" + b"y" * 6_000 + b"\n" + b"small\n", recipe=RECIPE.replace("{{ x }}", "{{ x * 6000 }}")
    )
    assert world.split().requests == 2
    assert "the API takes at most 32,000,000" in world.stored_rows()[1]["error"]


def test_on_bad_row_stop_ends_the_job() -> None:
    """Nothing is asked when the user wants every row or none; the message names file, row and line."""
    world = dropped(b"x,y\n1,2\n\n3\n", recipe=RECIPE + "on_bad_row: stop\n")
    with pytest.raises(UploadRejected, match=r"^f\.csv row 2 \(line 4\): it has 1 cell, .*on_bad_row: skip"):
        world.split()
    assert not world.store.exists(KEYS.shards)


def test_empty_rows_do_not_stop_a_job() -> None:
    """Spreadsheets leave rows of delimiters behind their tables. They are not sent, and hide no bad row."""
    recipe = "model: m\nprompt: '{{ x }}'\non_bad_row: stop\n"
    world = dropped(b"x,y\na,1\n,\nb,2\n , \n,,\n", recipe=recipe)
    assert world.run().tally.statuses == {"answered": 2, "rejected": 3}
    with pytest.raises(UploadRejected, match=r"^f\.csv row 3 \(line 4\): .*blank.*on_bad_row: skip"):
        dropped(b"x,y\na,1\n,\n,2\n", recipe=recipe).split()


def test_all_rows_rejected_leaves_nothing_to_ask() -> None:
    """The job ends red, and the message shows the first row's reason."""
    world = dropped(b"x,y\n1\n2\n")
    with pytest.raises(
        NothingToSend, match=r"none of its 2 rows can be sent\. The first: row 1 \(line 2\): it has 1 cell, "
    ):
        world.split()


@pytest.mark.parametrize(
    ("key", "body", "recipe", "told"),
    [
        (
            "inbox/r/f.csv",
            b"x\n1\n",
            None,
            "recipes/r.yaml: the recipe does not exist. Upload it, then drop inbox/r/f.csv again",
        ),
        ("inbox/f.csv", b"x\n1\n", None, "no recipe. Drop the file at inbox/<recipe>/f.csv"),
        ("inbox/f.jsonl", b'{"x":1}\n', None, "no recipe"),
        ("inbox/r/f.csv", b"x\n1\n", "promt: x\nmodel: m\n", "unknown key 'promt'; did you mean 'prompt'?"),
        (
            "inbox/r/f.csv",
            b"x\n1\n",
            "a: [",
            "recipes/r.yaml: line 1, column 5: a closing bracket or a comma is missing",
        ),
        ("inbox/r/f.csv", b"x\n1\n", "model: 2026-13-45\nprompt: p\n", "recipes/r.yaml: it is not YAML"),
        ("inbox/r/f.csv", b"x\n1\n", "", "a recipe must be a mapping of keys (model, prompt, …), but this is empty"),
        ("inbox/r/f.csv", b"x\n1\n", "model: m\nprompt: '{{ a | nope }}'\n", "key 'prompt', line 1"),
        ("inbox/r/f.csv", b"y\n1\n", RECIPE, "uses column 'x', which f.csv does not have (columns: y)"),
        (
            "inbox/r/f.csv",
            b"y#x\n1#2\n",
            RECIPE,
            "another character stands between the cells, set `input: {delimiter: …}`",
        ),
    ],
)
def test_recipes_that_cannot_work(key: str, body: bytes, recipe: str | None, told: str) -> None:
    """A recipe that is missing, broken, or does not fit is told before anything is written for the API."""
    world = dropped(body, key=key, recipe=recipe)
    with pytest.raises(RecipeRejected) as caught:
        world.split()
    assert told in str(caught.value)
    assert not world.store.exists(KEYS.shards)


@pytest.mark.parametrize(
    ("key", "body", "told"),
    [
        ("inbox/r/f.xlsx", b"PK", "the workbook is broken"),
        ("inbox/r/f", b"x\n1\n", "the name has no file type"),
        ("inbox/r/f.csv", b"", "the file is empty"),
        ("inbox/r/f.jsonl", b"", "the file is empty"),
        ("inbox/r/f.csv", b"\n\n", "the file is empty"),
        ("inbox/r/f.csv", b"x\n", "the file has no rows"),
        ("inbox/r/f.jsonl", b"\n\n", "the file has no rows"),
        ("inbox/r/f.csv", b"x\n\xff\n", "f.csv row 1 (line 2): byte 2 (0xff) is not UTF-8"),
        ("inbox/r/f.csv", b'x\n"1\n', "never ends"),
        ("inbox/r/../f.csv", b"x\n1\n", "are not allowed"),
    ],
)
def test_files_that_cannot_work(key: str, body: bytes, told: str) -> None:
    """A file that cannot be read as rows is told what is wrong and what to do."""
    with pytest.raises(UploadRejected) as caught:
        dropped(body, key=key).split()
    assert told in str(caught.value)


def test_a_deleted_upload_is_reported() -> None:
    """The file went away between the event and the split."""
    world = dropped(reviews(1))
    del world.store.objects["inbox/r/f.csv"]
    with pytest.raises(UploadRejected, match="deleted before it was read"):
        world.split()


def test_a_replaced_upload_is_reported() -> None:
    """Another file under the same key has a job of its own."""
    world = dropped(reviews(1))
    world.store.write("inbox/r/f.csv", reviews(2))
    with pytest.raises(UploadRejected, match="replaced before it was read"):
        world.split()


def test_a_file_replaced_between_two_invocations_is_reported() -> None:
    """Two files are never mixed in one job."""
    world = dropped(reviews(4), rows=1)
    assert not world.split(looks=3).finished
    world.store.write("inbox/r/f.csv", reviews(9))
    with pytest.raises(UploadRejected, match="replaced"):
        world.split()


def test_ready_made_requests_need_no_recipe() -> None:
    """Lines that are requests are asked as they are, under our custom_id; theirs stays in the row."""
    world = dropped(READY * 2, key="inbox/f.jsonl", recipe=None)
    assert world.split().requests == 2
    assert world.requests()[0] == {
        "custom_id": f"{JOB}-00000-000000",
        "params": {"model": "m", "max_tokens": 1, "messages": []},
    }
    assert "mine-1" in world.stored_rows()[0]["raw"]


def test_ready_made_requests_in_a_folder_without_recipe() -> None:
    """A folder's name alone does not make a recipe necessary."""
    assert dropped(READY, key="inbox/any/f.jsonl", recipe=None).split().requests == 1


def test_a_line_that_is_not_a_request_is_rejected_alone() -> None:
    """One bad line among ready-made requests is a reject."""
    world = dropped(READY + b'{"custom_id":"b"}\n' + READY, key="inbox/f.jsonl", recipe=None)
    assert world.split().requests == 2
    assert "the line is not a request" in world.stored_rows()[1]["error"]


@pytest.mark.parametrize("key", ["inbox/r/a b+c%41&=?.csv", "inbox/r/日本 é😀.csv", "inbox/r/x%20y.csv"])
def test_keys_of_any_characters(key: str) -> None:
    """Spaces, plus, percent and Unicode in keys are just characters."""
    assert dropped(reviews(2), key=key).split().rows == 2


@pytest.mark.parametrize("extension", ["csv", "jsonl"])
@pytest.mark.parametrize("looks", range(4, 16))
def test_wherever_time_runs_out_the_shards_are_the_same(looks: int, extension: str) -> None:
    """Interrupted after any number of looks at the clock, and called again, every byte of every shard is equal."""
    body = reviews(23) if extension == "csv" else b"".join(b'\n{"x":"row %d"}\n' % number for number in range(23))
    whole = dropped(body, key=f"inbox/r/f.{extension}", rows=3)
    whole.split()
    pieced = dropped(body, key=f"inbox/r/f.{extension}", rows=3)
    calls = 1
    while not pieced.split(looks=looks).finished:
        calls += 1
        assert not pieced.store.exists(KEYS.shards)
    assert _shards(pieced) == _shards(whole)
    assert pieced.store.read(KEYS.shards) == whole.store.read(KEYS.shards)
    assert pieced.manifest.shards == whole.manifest.shards
    assert (calls > 1) == (looks < 8)


@pytest.mark.parametrize("looks", range(1, 12))
def test_time_runs_out_inside_a_large_shard(looks: int) -> None:
    """An unfinished shard is started again from its first row, and no half-written object stays."""
    rows = 3 * ROWS_BETWEEN_TIME_CHECKS
    whole = dropped(reviews(2 * rows), rows=rows)
    whole.split()
    pieced = dropped(reviews(2 * rows), rows=rows)
    try:
        finished = pieced.split(looks=looks).finished
    except SplitTooSlow:
        assert looks < 4
        assert _shards(pieced) == {}
        return
    assert _shards(pieced).items() <= _shards(whole).items()
    assert finished or pieced.split().finished
    assert _shards(pieced) == _shards(whole)


def test_time_is_checked_inside_a_shard() -> None:
    """One look at its start is not enough: a shard may take longer than the rest of the invocation."""
    rows = 2 * ROWS_BETWEEN_TIME_CHECKS
    recipe = RECIPE + "pilot: false\n"
    with pytest.raises(SplitTooSlow):
        dropped(reviews(rows), rows=rows, recipe=recipe).split(looks=1)
    world = dropped(reviews(2 * rows), rows=rows, recipe=recipe)
    looks_of_first = 1 + rows // ROWS_BETWEEN_TIME_CHECKS
    assert not world.split(looks=looks_of_first + 1).finished
    assert [item.shard for item in world.manifest.shards] == [0]


def test_a_split_that_never_gets_anywhere_says_so() -> None:
    """No endless loop: an invocation without one whole shard is an error that says what to change."""
    with pytest.raises(SplitTooSlow, match="ShardRows"):
        dropped(reviews(3)).split(looks=0)


def test_a_finished_split_is_not_done_again() -> None:
    """A repeated task answers the same and reads nothing of the upload."""
    world = dropped(reviews(3))
    first = world.split()
    del world.store.objects["inbox/r/f.csv"]
    assert world.split() == first


def test_the_manifest_holds_the_job() -> None:
    """Upload, recipe, header, shards and times are in one place."""
    world = dropped(reviews(3), rows=2)
    world.split()
    manifest = world.manifest
    assert manifest.recipe is not None
    assert (manifest.recipe.model, manifest.columns, manifest.header) == (
        "claude-haiku-5-5",
        [Column("x")],
        '{"text":"x\\n","line_end":"\\n","cells":1}',
    )
    assert (manifest.rows, manifest.requests, manifest.cursor) == (3, 3, None)
    assert manifest.upload == world.upload
    assert json.loads(world.store.read(KEYS.manifest))["upload"]["job_id"] == JOB


def test_a_recipe_changed_in_the_middle_changes_nothing() -> None:
    """All rows of a job are asked by the recipe that it began with."""
    world = dropped(reviews(4), rows=1)
    assert not world.split(looks=3).finished
    world.store.write("recipes/r.yaml", RECIPE.replace("ask", "shout").encode())
    world.split()
    assert world.prompts(3) == ["ask row 3"]


@pytest.mark.parametrize("header", ["a,answer", "_status,x", "_error"])
def test_a_column_where_the_output_goes_is_refused(header: str) -> None:
    """The job is refused before anything is sent, and the message names two ways to fix it."""
    world = dropped(f"{header}\n1,2\n".encode(), recipe="model: m\nprompt: x\n")
    with pytest.raises(UploadRejected, match=r"f\.csv: the header has a column '\w+', which is the.*prefix"):
        world.split()


@pytest.mark.parametrize("resumes", [0, 1])
def test_an_expired_job_is_not_split_again(resumes: int) -> None:
    """An execution that somebody starts by hand meets no manifest any more: nothing is split, so nothing is sent."""
    world = World().drop("inbox/r/f.csv", b"x\ngood\n")
    world.upload = msgspec.structs.replace(world.upload, resumes=resumes, uploaded_at=START - RESUMABLE)
    with pytest.raises(JobExpired, match="Nothing was sent"):
        world.split()


def test_a_key_that_is_dropped_twice_is_read_by_its_version() -> None:
    """The first job reads the first file, although the second one has replaced it."""
    world = World().drop("inbox/r/f.csv", b"x\nfirst\n")
    world.store.versions["v1"] = b"x\nfirst\n"
    world.upload = msgspec.structs.replace(world.upload, version="v1")
    world.store.write("inbox/r/f.csv", b"x\nsecond\nthird\n")
    assert world.split().rows == 1


def test_a_split_that_an_older_version_began_goes_on() -> None:
    """Its shards have no digests, so their requests are not shared; the others are."""
    recipe = f"{RECIPE}dedupe: true\n"
    world = dropped(b"x\na\nb\nc\na\nc\nc\n", recipe=recipe, rows=2)
    assert not world.split(looks=2).finished
    assert [item.requests for item in world.manifest.shards] == [2, 1]
    for shard in (0, 1):
        del world.store.objects[KEYS.digests(shard)]
    while not world.split(looks=2).finished:
        pass
    assert [item.requests for item in world.manifest.shards] == [2, 1, 1]


def test_a_recipe_with_save_is_refused_with_the_command_to_use() -> None:
    """A job does not search, and would pay the full price of the reference without a word."""
    recipe = "model: claude-opus-5-5\nprompt: 'ask {{ x }}'\nsave: {try: [claude-haiku-5-5]}\n"
    with pytest.raises(RecipeRejected, match=r"key 'save': a job does not search .* Run `batchdrop save`"):
        dropped(b"x\n1\n", recipe=recipe).split()
