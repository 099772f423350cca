"""The roles, measured: the AWS calls of all functions in all end-to-end tests, beside what their roles grant."""

from __future__ import annotations

import io

import openpyxl
import pytest

from tests.end_to_end.bench import Bench
from tests.end_to_end.granted import Grant, grants, is_known, needs

pytestmark = pytest.mark.stack

ABORTS = "gives back the parts of an upload that broke off; tests/contract/test_object_store.py"
ONE_OF_TWO = "whether AWS checks a child's token against this name or the one of its Map is unproven"
NOT_FOUND = "without it, S3 answers 403 and not 404 for an object that does not exist"
OF_BUDGETS = "a round that waits for its budget looks for failed shards; tests/admission"
DISOWNS = "gives up a Message Batch that turned out to be another client's; tests/faults, kind foreign"
OLDER = "an upload that an older version recorded without its version id"
LAMBDA_SENDS = "Lambda itself sends an event that failed three times"
SLOW = "every 15 seconds of a slice; few here take so long"
BY_CHANCE = {NOT_FOUND, OLDER, SLOW}  # a run may have such calls, or none
# Grants that no call here uses, each with the reason why it stays.
UNUSED = {
    ("answer_requests", "s3:ListBucket BUCKET"): NOT_FOUND,
    ("answer_requests", "sqs:SendMessage QUEUE"): "hands back a slice that it cannot end in time; tests/live_lane",
    ("answer_requests", "states:SendTaskFailure MACHINE"): ONE_OF_TWO,
    ("answer_requests", "states:SendTaskFailure MAPS"): "fails a slice whose shard has no body; tests/live_lane",
    ("answer_requests", "states:SendTaskHeartbeat MACHINE"): ONE_OF_TWO,
    ("answer_requests", "states:SendTaskHeartbeat MAPS"): SLOW,
    ("answer_requests", "states:SendTaskSuccess MACHINE"): ONE_OF_TWO,
    ("await_approval", "states:SendTaskSuccess MACHINE"): "for an approval that came first; tests/cli/test_approval.py",
    ("close_job", "dynamodb:DeleteItem TABLE"): "lifts the halt of a redriven job, and ministack redrives nothing",
    ("close_job", "s3:AbortMultipartUpload answers/*"): ABORTS,
    ("close_job", "s3:AbortMultipartUpload jobs/*"): ABORTS,
    ("close_job", "s3:GetObject inbox/*"): OLDER,
    ("collect_results", "dynamodb:DeleteItem TABLE"): DISOWNS,
    ("settle_submission", "dynamodb:DeleteItem TABLE"): DISOWNS,
    ("settle_submission", "dynamodb:Query TABLE"): "finds what version 0.1.0 created; tests/batch_lane",
    ("split_upload", "s3:GetObject inbox/*"): OLDER,
    ("close_job", "s3:AbortMultipartUpload results/*"): ABORTS,
    ("collect_results", "s3:AbortMultipartUpload answers/*"): ABORTS,
    ("collect_results", "s3:AbortMultipartUpload jobs/*"): ABORTS,
    ("guard_retention", "sqs:SendMessage QUEUE"): LAMBDA_SENDS,
    ("plan_slices", "dynamodb:Query TABLE"): OF_BUDGETS,
    ("check_pilot", "dynamodb:PutItem TABLE"): "halts a job whose pilot was refused; tests/faults",
    ("show_sample", "dynamodb:PutItem TABLE"): "halts a job whose sample failed; tests/faults",
    ("show_sample", "s3:AbortMultipartUpload jobs/*"): ABORTS,
    ("show_sample", "s3:AbortMultipartUpload results/*"): ABORTS,
    ("split_upload", "s3:AbortMultipartUpload answers/*"): ABORTS,
    ("split_upload", "s3:AbortMultipartUpload jobs/*"): ABORTS,
    ("split_upload", "sqs:SendMessage QUEUE"): LAMBDA_SENDS,
    ("submit_shard", "dynamodb:Query TABLE"): OF_BUDGETS,
    ("watch_jobs", "sqs:SendMessage QUEUE"): LAMBDA_SENDS,
    **{
        (function, "s3:ListBucket BUCKET"): NOT_FOUND
        for function in (
            "check_pilot", "close_job", "collect_results", "plan_slices", "poll_batch", "show_progress", "show_sample",
            "split_upload", "submit_shard",
        )
    },
}  # fmt: skip


def test_a_job_reads_the_files_that_its_rows_attach(bench: Bench) -> None:
    """From `files/`, and from nowhere else."""
    bench.drop("files/note.txt", b"a note")
    recipe = "model: claude-haiku-5-5\nmax_tokens: 64\nprompt: Sum it up.\nattach: {column: path, as: document}\n"
    bench.recipe("attached", recipe)
    ended = bench.run("inbox/attached/one.csv", b"path\nnote.txt\n")
    assert ended.summary["tally"]["answered"] == 1


def test_a_file_that_is_sent_again_is_remembered(bench: Bench) -> None:
    """Its second job looks its rows up in `answers/`, and sends none."""
    bench.recipe("kept", "model: claude-haiku-5-5\nmax_tokens: 64\nprompt: Judge {{ text }}\nremember: 90d\n")
    first = bench.run("inbox/kept/one.csv", b"text\nfine\nbad\n")
    again = bench.run("inbox/kept/two.csv", b"text\nfine\nbad\n")
    assert first.summary["tally"]["statuses"] == {"answered": 2}
    assert again.summary["tally"]["statuses"] == {"remembered": 2}
    assert again.summary["cost"]["usd"] == 0


def test_a_workbook_is_read_again_for_its_output(bench: Bench) -> None:
    """Its output is the upload with new columns in it."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["text"], ["great"]):
        sheet.append(row)
    body = io.BytesIO()
    book.save(body)
    ended = bench.run("inbox/ask/book.xlsx", body.getvalue())
    assert ended.summary["tally"]["answered"] == 1


@pytest.mark.parametrize("name", ["guard-retention", "watch-jobs"])
def test_a_scheduled_function_runs(bench: Bench, name: str) -> None:
    """No schedule strikes here, so the test does."""
    ran = bench.stack.clients.functions().invoke(FunctionName=f"batchdrop-{name}", Payload=b"{}")
    assert "FunctionError" not in ran, ran["Payload"].read()


@pytest.mark.last
def test_every_call_is_granted_and_every_grant_is_called(bench: Bench) -> None:
    """A call without a grant would be AccessDenied on AWS. A grant without a call is more than least privilege."""
    stack = bench.stack
    assert stack.options.aws_calls is not None
    calls = stack.options.aws_calls.read_bytes().splitlines()
    needed = {need for line in calls for need in needs(line, stack)}
    assert len({need.function for need in needed}) > 10, "too few functions were recorded to say anything"
    assert {need.action for need in needed if not is_known(need.action)} == set()

    given = grants(stack)
    assert sorted(need for need in needed if not any(grant.covers(need) for grant in given)) == []
    unused = {(grant.function, _words(grant)) for grant in given if not any(map(grant.covers, needed))}
    assert not unused - UNUSED.keys(), "\n".join(map(str, sorted(unused - UNUSED.keys())))
    used = sorted(one for one in UNUSED.keys() - unused if UNUSED[one] not in BY_CHANCE)
    assert not used, "\n".join(map(str, used))


def _words(grant: Grant) -> str:
    """Return a grant as this file writes it, without the names of one stack."""
    pattern = grant.pattern
    short = {":table/": "TABLE", ":sqs:": "QUEUE", ":stateMachine:batchdrop-job/": "MAPS", ":stateMachine:": "MACHINE"}
    named = next((word for part, word in short.items() if part in pattern), "")
    return f"{grant.action} {named or pattern.partition('/')[2] or 'BUCKET'}"
