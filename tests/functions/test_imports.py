"""Cold starts: a function imports only what it uses."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.functions.lambdas import declared_variables
from tests.project import FUNCTIONS, ROOT

NEVER = {
    "pandas",
    "numpy",
    "sqlite3",
    "pyarrow",
    "pygal",
    "moto",
    "pytest",
    "hypothesis",
    "local",
    "cli",
    "starlette",
    "rich",
    "typer",
}
BUILD = {
    "split_upload": "bootstrap.object_store(); bootstrap.job_starter(); bootstrap.job_events()",
    "submit_shard": "bootstrap.object_store(); bootstrap.ledger()",
    "settle_submission": "bootstrap.ledger()",
    "poll_batch": "bootstrap.ledger(); bootstrap.progress_board(); bootstrap.object_store(); bootstrap.pages()",
    "collect_results": "bootstrap.object_store(); bootstrap.ledger()",
    "close_job": "bootstrap.object_store(); bootstrap.ledger(); bootstrap.job_events(); bootstrap.pages()",
    "guard_retention": "bootstrap.ledger()",
    "check_pilot": "bootstrap.object_store(); bootstrap.ledger()",
    "show_sample": "bootstrap.object_store(); bootstrap.ledger(); bootstrap.approvals(); bootstrap.job_events()",
    "await_approval": "bootstrap.ledger(); bootstrap.approvals(); bootstrap.task_tokens()",
    "watch_jobs": "bootstrap.open_jobs()",
    "plan_slices": "bootstrap.object_store(); bootstrap.ledger(); bootstrap.progress_board()",
    "answer_requests": "bootstrap.object_store(); bootstrap.ledger(); bootstrap.leases(); bootstrap.permits(); "
    "bootstrap.progress_board(); bootstrap.page_drawer()",
    "show_progress": "bootstrap.progress_board(); bootstrap.object_store(); bootstrap.ledger(); bootstrap.pages()",
}
PROGRAM = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("app", {path!r})
spec.loader.exec_module(importlib.util.module_from_spec(spec))
handler = sorted(sys.modules)
from batchdrop import bootstrap
{build}
print(json.dumps([handler, sorted(sys.modules)]))
"""


def _imported(function: str) -> tuple[set[str], set[str]]:
    """Return the top-level modules after the handler's import, and after its AWS adapters were built."""
    path = str(ROOT / "functions" / function / "app.py")
    handler, built = json.loads(_printed(PROGRAM.format(path=path, build=BUILD[function]), function))
    return {name.split(".")[0] for name in handler}, {name.split(".")[0] for name in built}


def _printed(program: str, function: str) -> str:
    """Run a program with a function's environment; return the last line that it prints."""
    environment = dict.fromkeys(declared_variables(function), "x") | {
        "SHARD_ROWS": "1", "SHARD_CONCURRENCY": "1", "SPLIT_TIME_RESERVE": "1", "SETTLE_SECONDS": "1",
        "LIVE_ROWS": "1", "LIVE_SHARE": "1", "QUEUE_REQUESTS": "1",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "POWERTOOLS_TRACE_DISABLED": "true", "AWS_ENDPOINT_URL": "", "AWS_DEFAULT_REGION": "us-east-1",
        "PYTHONPATH": str(ROOT / "layers" / "core"),
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_imports_only_what_it_uses(function: str) -> None:
    """The handler alone needs no SDK; its AWS adapters bring boto3, never the Anthropic SDK or what no Lambda has."""
    handler, built = _imported(function)
    assert not handler & {"anthropic", "httpx2", "httpx", "boto3"}
    assert not built & {"anthropic", "httpx2", "httpx"}
    assert not built & NEVER
    assert "boto3" in built


def test_no_client_reads_the_models_of_all_of_aws() -> None:
    """Only the parts that the functions use: reading botocore's own takes a third of a cold start's CPU."""
    program = (
        "import sys; opened = []\n"
        "sys.addaudithook(lambda name, given: name == 'open' and opened.append(str(given[0])))\n"
        "from batchdrop import bootstrap\n"
        f"{BUILD['answer_requests']}; bootstrap.task_tokens(); bootstrap.live_queue(); bootstrap._secrets()\n"
        "print([one for one in opened if '/botocore/data/' in one])"
    )
    assert _printed(program, "answer_requests") == "[]"


def test_the_composition_root_imports_no_room() -> None:
    """Rooms' ports are there for types alone, so a function pays for the rooms that it uses."""
    program = "import sys; from batchdrop import bootstrap; print([one for one in sys.modules if '.ports' in one])"
    assert _printed(program, "watch_jobs") == "[]"


def test_a_worker_has_no_templates() -> None:
    """Pages are drawn by another function: the live lane's starts do not pay for them."""
    _, built = _imported("answer_requests")
    assert not built & {"jinja2", "markupsafe", "yaml"}


SMALL = [
    "split_upload",
    "close_job",
    "guard_retention",
    "watch_jobs",
    "plan_slices",
    "check_pilot",
    "show_sample",
    "await_approval",
    "show_progress",
]


@pytest.mark.parametrize("function", SMALL)
def test_a_function_that_asks_nothing_has_no_way_to_the_api(function: str) -> None:
    """Not even in the code that it would import later: what never calls the API never builds its client."""
    text = (ROOT / "functions" / function / "app.py").read_text(encoding="utf-8")
    assert "bootstrap." in text
    assert not any(name in text for name in ("batch_creator", "batch_reader", "message_api"))


def test_only_what_is_billed_pays_for_the_sdk() -> None:
    """Looking at Message Batches, and fetching their results, starts in a fraction of the time that the SDK takes."""
    program = "import json, sys; import batchdrop.adapters.claude.read_batches; print(json.dumps(sorted(sys.modules)))"
    environment = {"PYTHONPATH": str(ROOT / "layers" / "core")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert "httpx2" in loaded
    assert not loaded & {"anthropic", "pydantic", "boto3"}
    creating = {
        path.parent.name
        for path in (ROOT / "functions").glob("*/app.py")
        if "bootstrap.batch_creator" in path.read_text("utf-8")
    }
    assert creating == {"submit_shard"}


def test_a_role_needs_no_sdk_to_read() -> None:
    """With Provider aws, signing brings botocore, which is there already; creating alone pays for the SDK."""
    program = (
        "import os; os.environ['CLAUDE_PROVIDER'] = 'aws'; os.environ['AWS_REGION'] = 'us-east-1'\n"
        "os.environ['AWS_ACCESS_KEY_ID'] = os.environ['AWS_SECRET_ACCESS_KEY'] = 'x'\n"
        "os.environ['ANTHROPIC_BASE_URL'] = 'https://api.test'\n"
        "for name in ('HTTPS_PROXY', 'SSL_CERT_FILE'): del os.environ[name]\n"
        "import json, sys; from batchdrop import bootstrap; bootstrap.batch_reader(); bootstrap.message_api()\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    loaded = set(json.loads(_printed(program, "poll_batch")))
    assert loaded >= {"botocore", "httpx2"}
    assert not loaded & {"anthropic", "pydantic"}


def test_every_function_is_in_these_tests() -> None:
    """A new folder under `functions/` must be tested too."""
    assert BUILD.keys() == set(FUNCTIONS)
    assert {path.stem for path in (ROOT / "events").glob("*.json")} == set(FUNCTIONS)
