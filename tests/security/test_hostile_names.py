"""Keys and names that try to leave their prefix, and texts that try to be more than text."""

from __future__ import annotations

import json
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.adapters.aws.s3_event import uploads_in
from batchdrop.errors import JobFault, UploadRejected
from batchdrop.job.upload import MAX_KEY_BYTES, parse_inbox_key
from tests.functions.lambdas import BUCKET, UPLOAD, Functions
from tests.project import event

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
JOB: str = UPLOAD["job_id"]
NUL, ESCAPE, LINE_SEPARATOR = "\x00", "\x1b[2J", "\u2028"

LEADS_OUT = [
    "inbox/../jobs/x.csv",
    "inbox/r/../../jobs/x.csv",
    "inbox/r/./x.csv",
    "inbox//x.csv",
    "inbox/r/..",
    "inbox/..\\..\\jobs\\x.csv",
    "inbox/r/..\\x.csv",
    "inbox/r/C:\\x.csv",
    f"inbox/r/x{NUL}.csv",
    f"inbox/r{NUL}/x.csv",
    f"inbox/r/{ESCAPE}x.csv",
    "inbox/r/x\r\nX-Header: 1.csv",
    "inbox/r/x\x7f.csv",
    "inbox/r/x\x85.csv",
    f"inbox/r/x{LINE_SEPARATOR}.csv",
    f"inbox/r/{'x' * MAX_KEY_BYTES}.csv",
    f"inbox/{'é' * (MAX_KEY_BYTES // 2)}/x.csv",
]


@pytest.mark.parametrize("key", LEADS_OUT)
def test_a_key_that_leads_out_is_refused(key: str) -> None:
    """Also one that only a Windows disk would follow, or a terminal, or that leaves no room for the results' names."""
    with pytest.raises(UploadRejected, match=r"drop (it|the file)"):
        parse_inbox_key(key)


@pytest.mark.parametrize("key", [LEADS_OUT[0], LEADS_OUT[5], f"inbox/r/x{NUL}.csv", f"inbox/r/{'x' * MAX_KEY_BYTES}"])
def test_a_refused_key_still_ends_its_job_in_its_place(functions: Functions, key: str) -> None:
    """The summary is under results/_unnamed/, nothing else is written, and no log line is broken by the name."""
    upload = {**UPLOAD, "key": key}
    with pytest.raises(JobFault):
        functions.invoke("split_upload", {"upload": upload})
    answer = functions.invoke("close_job", {"upload": upload, "fault": {"Error": "UploadRejected", "Cause": key}})
    assert answer["results"] == f"results/_unnamed/{JOB}/"
    listed = functions.cloud.s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert {one["Key"] for one in listed} == {
        f"jobs/{JOB}/closing.json",
        *(f"results/_unnamed/{JOB}/{name}" for name in ("summary.json", "report.html", "status.html")),
    }


@pytest.mark.parametrize(
    "name",
    [
        "%2e%2e%2fjobs%2fx.csv",
        "..%2fx.csv",
        "%252e%252e/x.csv",
        "\uff0e\uff0e\uff0fx.csv",
        "..\uff0e/x.csv",
        "x%00.csv",
        "+.csv",
    ],
)
def test_what_is_encoded_stays_a_name(name: str) -> None:
    """An event is decoded once: what a key spells with percent signs, or with look-alikes, is part of a name."""
    told = event("split_upload")
    told["Records"][0]["s3"]["object"]["key"] = quote_plus(f"inbox/r/{name}", safe="/")
    [upload] = uploads_in(told)
    assert upload.key == f"inbox/r/{name}"
    prefix = parse_inbox_key(upload.key).results_prefix(JOB)
    assert prefix.startswith("results/r/")
    assert ".." not in prefix.split("/")


@pytest.mark.parametrize("form", [quote, quote_plus], ids=["percent", "form"])
@pytest.mark.parametrize("key", ["inbox/../x.csv", f"inbox/r/{NUL}.csv", "inbox/r/..\\x.csv"])
def test_encoding_hides_nothing(form: Any, key: str) -> None:
    """The same key, however S3 spells it in its event, is refused."""
    told = event("split_upload")
    told["Records"][0]["s3"]["object"]["key"] = form(key, safe="")
    [upload] = uploads_in(told)
    with pytest.raises(UploadRejected):
        parse_inbox_key(upload.key)


@given(st.text(max_size=60))
def test_no_key_names_anything_outside(text: str) -> None:
    """Recipe and results stay where they belong, on S3 and when they are copied to a disk of either kind."""
    try:
        key = parse_inbox_key(f"inbox/{text}")
    except UploadRejected:
        return
    names = [key.results_prefix(JOB), *([key.recipe_key] if key.recipe else [])]
    for name in names:
        for path in (PurePosixPath("/home") / name, PureWindowsPath("C:/home") / name):
            assert ".." not in path.parts
            assert path.is_relative_to(type(path)("/home" if path.root and not path.drive else "C:/home"))
        assert name.startswith(("results/", "recipes/"))
        assert name.isprintable() or all(ord(char) >= ord(" ") for char in name)


FORGED = json.dumps({"level": "INFO", "message": "job closed", "status": "succeeded"})


def test_no_log_line_can_be_forged(functions: Functions) -> None:
    """A name with a line end, or that looks like a log line, stays inside one: each line is one JSON object of ours."""
    told = event("split_upload")
    told["Records"][0]["s3"]["object"]["key"] = quote_plus(f"inbox/r/x\n{FORGED}\n.csv", safe="/")
    functions.invoke("split_upload", told)
    assert [line["message"] for line in functions.log] == ["upload seen"]


def test_an_error_of_the_api_is_logged_as_text(functions: Functions) -> None:
    """Whatever a foreign service says, each line of the log is one of ours, with our own fields."""
    upload = {**UPLOAD, "key": f"inbox/r/{quote(FORGED)}.csv"}
    cause = json.dumps({"errorMessage": f"x\n{FORGED}\n"})
    functions.invoke("close_job", {"upload": upload, "fault": {"Error": "UploadRejected", "Cause": cause}})
    closed = [line for line in functions.log if line["message"] == "job closed"]
    assert [line["status"] for line in closed] == ["failed"]
    assert {line["job_id"] for line in functions.log} == {JOB}
