"""A dropped file comes back: every row, in order, to the byte, with its answer; and the bill agrees."""

import json
from decimal import Decimal

import pytest

from tests.end_to_end.bench import Bench, EndedJob, csv_of

pytestmark = pytest.mark.stack

# Nine records as their files have them, and the cells they mean; the seventh is one cell short.
NASTY_HEADER = 'id,"product, full",text'
NASTY = (
    ("007,Kettle,Great", ["007", "Kettle", "Great"]),
    ('1e3,"Kettle, 1.7 l","Broke\nafter two days\n"', ["1e3", "Kettle, 1.7 l", "Broke\nafter two days\n"]),
    ("NA,炊飯器,最高の買い物でした。", ["NA", "炊飯器", "最高の買い物でした。"]),
    ('" 4 ","He said ""no""",My kids love it 🎉', [" 4 ", 'He said "no"', "My kids love it 🎉"]),
    ("5,Yoga mat,", ["5", "Yoga mat", ""]),
    ('"6",née\u2028Dupont,\ttabbed  ', ["6", "née\u2028Dupont", "\ttabbed  "]),
    ("7,ragged", ["7", "ragged", ""]),
    ("8,=1+1,00.10", ["8", "=1+1", "00.10"]),
    ("9,last,{{ no_template }}", ["9", "last", "{{ no_template }}"]),
)
RAGGED = 6
WHY_RAGGED = (
    "row 7 (line 10): it has 2 cells, the header has 3 columns; "
    "`input: {ragged: fill}` takes missing cells for empty ones"
)


@pytest.fixture(scope="module")
def nasty(shared_bench: Bench) -> EndedJob:
    """The job of the nasty file: nine rows in three shards."""
    shared_bench.reset()
    shared_bench.recipe("label", "model: claude-haiku-5-5\nmax_tokens: 64\nprompt: 'Review: {{ text }}'\n")
    body = "\n".join([NASTY_HEADER, *(text for text, _ in NASTY)]) + "\n"
    return shared_bench.run("inbox/label/nasty.csv", body.encode())


def test_every_cell_comes_back(nasty: EndedJob) -> None:
    """The input's cells are those of the output, row by row; three columns follow them."""
    header, *rows = nasty.table
    assert header == ["id", "product, full", "text", "answer", "_status", "_error"]
    assert [row[:3] for row in rows] == [cells for _, cells in NASTY]


def test_every_byte_comes_back(nasty: EndedJob) -> None:
    """What is no reject is never written anew: quotes nobody needed and newlines in cells are where they were."""
    rest = nasty.files["output.csv"].decode()
    for text, _ in [(NASTY_HEADER, []), *NASTY[:RAGGED], *NASTY[RAGGED + 1 :]]:
        before, found, rest = rest.partition(f"{text},")
        assert found
        assert before.count("\n") <= 2, "nothing but the end of the row before, and the reject"


def test_every_row_has_its_fate(nasty: EndedJob) -> None:
    """Asked rows are answered, the ragged one says what is wrong with it."""
    _, *rows = nasty.table
    assert [row[4] for row in rows] == ["answered"] * 6 + ["rejected"] + ["answered"] * 2
    assert all(row[3] and not row[5] for row in rows if row[4] == "answered")
    assert rows[RAGGED][3:] == ["", "rejected", WHY_RAGGED]


def test_failed_rows_are_listed(nasty: EndedJob) -> None:
    """failed.jsonl has the reject, its own text, and the reason."""
    (failed,) = nasty.failed_rows
    assert (failed["id"], failed["_raw"], failed["_status"]) == ("7", "7,ragged", "rejected")
    assert failed["_error"] == WHY_RAGGED


def test_summary_tells_how_it_went(nasty: EndedJob) -> None:
    """The tally accounts for every row; each shard has its Message Batch."""
    summary = nasty.summary
    assert (nasty.status, summary["status"], summary["faults"]) == ("SUCCEEDED", "succeeded", [])
    counts = {"rows": 9, "answered": 8, "unusable": 0, "failed": 0, "rejected": 1, "shared": 0}
    tally = {**counts, "statuses": {"answered": 8, "rejected": 1}}
    assert summary["tally"] == tally
    assert [(one["shard"], one["round"], one["requests"]) for one in summary["message_batches"]] == [
        (0, 0, 4),
        (1, 0, 3),
        (2, 0, 1),
    ]
    assert len({one["id"] for one in summary["message_batches"]}) == 3


def test_summary_agrees_with_the_bill(nasty: EndedJob, shared_bench: Bench) -> None:
    """Dollars, tokens and answers are those the emulator charged for this job's Message Batches."""
    ours = {one["id"] for one in nasty.summary["message_batches"]}
    charged = [entry for entry in shared_bench.claude.bill() if entry["batch_id"] in ours]
    (tokens,) = nasty.summary["tokens"]
    assert len({entry["custom_id"] for entry in charged}) == len(charged) == tokens["answers"] == 8
    assert tokens["input"] == sum(entry["usage"]["input_tokens"] for entry in charged)
    assert tokens["output"] == sum(entry["usage"]["output_tokens"] for entry in charged)
    assert nasty.summary["cost"]["usd"] == sum(Decimal(entry["usd"]) for entry in charged) > 0


def test_layout_is_the_designs(nasty: EndedJob, shared_bench: Bench) -> None:
    """A job writes where the design says, and nowhere else."""
    job, jobs = nasty.job_id, f"jobs/{nasty.job_id}"
    results = f"results/label/nasty/{job}"
    shards = range(3)
    expected = [
        *(f"{jobs}/{name}" for name in ("manifest.json", "shards.json", "closing.json")),
        *(f"{jobs}/shards/{shard:05d}.{kind}" for shard in shards for kind in ("requests.json", "rows.jsonl")),
        *(f"{jobs}/answers/{shard:05d}.r0.jsonl" for shard in shards),
        *(
            f"{jobs}/parts/{shard:05d}.{kind}"
            for shard in shards
            for kind in ("r0.csv", "r0.failed.jsonl", "r0.tally.json")
        ),
        *(f"{results}/{name}" for name in ("output.csv", "failed.jsonl", "report.html", "status.html", "summary.json")),
    ]
    written = [key for key in shared_bench.keys("") if job in key]
    assert sorted(written) == sorted(expected)
    assert nasty.summary["outputs"] == {
        "output": f"{results}/output.csv",
        "failed": f"{results}/failed.jsonl",
        "report": f"{results}/report.html",
        "perhaps_paid": None,
        "answers": None,
    }


def test_manifest_is_the_job(nasty: EndedJob, shared_bench: Bench) -> None:
    """It says what was dropped, how it is asked and how it was cut."""
    manifest = json.loads(shared_bench.read(f"jobs/{nasty.job_id}/manifest.json"))
    assert manifest["upload"]["key"] == "inbox/label/nasty.csv"
    assert [column["name"] for column in manifest["columns"]] == ["id", "product, full", "text"]
    assert manifest["recipe"]["prompt"] == "Review: {{ text }}"
    assert manifest["cursor"] is None
    assert [(one["rows"], one["requests"]) for one in manifest["shards"]] == [(4, 4), (4, 3), (1, 1)]


def test_requests_are_what_was_sent(nasty: EndedJob, shared_bench: Bench) -> None:
    """The stored create body holds each asked row's rendered prompt under its custom_id."""
    body = json.loads(shared_bench.read(f"jobs/{nasty.job_id}/shards/00000.requests.json"))
    assert [one["custom_id"] for one in body["requests"]] == [f"{nasty.job_id}-00000-{row:06d}" for row in range(4)]
    prompts = [one["params"]["messages"][0]["content"] for one in body["requests"]]
    assert prompts == [f"Review: {cells[2]}" for _, cells in NASTY[:4]]


def test_json_lines(bench: Bench) -> None:
    """JSONL comes back as JSONL: fields and number spellings as they were; a line that is no JSON is a reject."""
    lines = ['{"text":"good","n":1.0,"deep":{"a":[1,null]}}', "{broken", '{"text": "良い", "n": 10000000000000000001}']
    job = bench.run("inbox/ask/lines.jsonl", "\n".join(lines).encode())
    assert job.status == "SUCCEEDED"
    first, broken, last = job.files["output.jsonl"].decode().splitlines()
    assert first.startswith(lines[0][:-1] + ',"answer":')
    assert last.startswith(lines[2][:-1] + ',"answer":')
    assert json.loads(broken)["_raw"] == "{broken"
    assert json.loads(broken)["_status"] == "rejected"
    assert "not JSON" in job.failed_rows[0]["_error"]
    assert [one["_status"] for one in job.answers] == ["answered", "rejected", "answered"]


def test_ready_requests_need_no_recipe(bench: Bench) -> None:
    """Lines that are requests already go out with their own params, and come back under their own custom_id."""
    requests = [
        {
            "custom_id": f"mine {number}",
            "params": {
                "model": "claude-haiku-5-5",
                "max_tokens": 64 + number,
                "messages": [{"role": "user", "content": f"Say {number}"}],
            },
        }
        for number in range(5)
    ]
    job = bench.run("inbox/ready.jsonl", "".join(json.dumps(one) + "\n" for one in requests).encode())
    assert (job.status, job.summary["tally"]["answered"]) == ("SUCCEEDED", 5)
    assert job.summary["results"] == f"results/requests/ready/{job.job_id}/"
    assert [{name: one[name] for name in ("custom_id", "params")} for one in job.answers] == requests
    assert all(one["answer"] for one in job.answers)
    assert bench.claude.bill_summary()["requests"] == 5


@pytest.mark.parametrize("name", ["my file (1)", "a+b", "100%25 %41", "r&d=ü 日本語 🎉", "dots.in.name", "O'Neil"])
def test_keys_of_every_kind(bench: Bench, name: str) -> None:
    """Spaces, `+`, `%` and Unicode in a key name the same folder under `results/`."""
    job = bench.run(f"inbox/ask/{name}.csv", csv_of([f"row of {name}"]))
    assert job.status == "SUCCEEDED"
    assert job.summary["results"] == f"results/ask/{name}/{job.job_id}/"
    assert f"results/ask/{name}/{job.job_id}/output.csv" in bench.keys("results/ask/")


def test_recipe_in_a_folder_with_odd_name(bench: Bench) -> None:
    """The recipe's name may be of any kind too."""
    bench.recipe("très bien + 1", "model: claude-haiku-5-5\nprompt: '{{ text }}'\n")
    job = bench.run("inbox/très bien + 1/x.csv", csv_of(["one"]))
    assert (job.status, job.summary["tally"]["answered"]) == ("SUCCEEDED", 1)


def test_oversized_request_is_rejected_alone(bench: Bench) -> None:
    """A row whose request is over the API's limit is not asked; its neighbours are."""
    rows = [{"text": "before"}, {"text": "x" * 32_000_001}, {"text": "after"}]
    job = bench.run("inbox/ask/huge.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    assert job.status == "SUCCEEDED"
    assert [one["_status"] for one in job.answers] == ["answered", "rejected", "answered"]
    assert "the API takes at most 32,000,000; shorten the row" in job.answers[1]["_error"]
    assert bench.claude.bill_summary()["requests"] == 2


def test_failed_rows_can_be_dropped_again(bench: Bench) -> None:
    """failed.jsonl is a file to drop: after the cause is gone its rows are answered. Without an answer a job is red."""
    bench.claude.settings(expired_rate=1.0)
    first = bench.run("inbox/ask/first.csv", csv_of(["one", "two"]))
    assert (first.status, first.summary["tally"]["failed"]) == ("FAILED", 2)
    assert [fault["type"] for fault in first.summary["faults"]] == ["NothingAnswered"]
    bench.claude.settings(expired_rate=0.0)
    again = bench.run("inbox/ask/again.jsonl", first.files["failed.jsonl"])
    assert [(one["text"], one["_status"]) for one in again.answers] == [("one", "answered"), ("two", "answered")]
