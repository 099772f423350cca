"""The list of jobs, and a job's page: what can be done with it, and what it left."""

from __future__ import annotations

import msgspec
import pytest

from batchdrop.job.retry import read_order
from tests.cli.deployed import BUCKET, Deployed
from tests.jobs import JOB
from tests.ui.consoles import OWN
from tests.ui.jobs.ended import console, ended_job

VERSION = f"{JOB}-v2"


def test_the_list_has_each_job(deployed: Deployed) -> None:
    """Its file, status, fates and cost; a filter that fits no job says so."""
    with console(deployed) as at:
        assert "No jobs yet" in at.client.get("/jobs").text
        ended_job(deployed)
        shown = at.client.get("/jobs").text
        for words in ("注文.csv", "succeeded", "5 answered", "1 unusable", f"/jobs/{JOB}"):
            assert words in shown
        assert "No job is running" in at.client.get("/jobs?status=running").text
        assert at.client.get("/jobs?status=odd").status_code == 409


def test_a_jobs_page_has_its_figures_files_and_timeline(deployed: Deployed) -> None:
    """Everything that `show` prints, with links to the rows behind it."""
    ended_job(deployed)
    with console(deployed) as at:
        shown = at.client.get(f"/jobs/{JOB}").text
        for words in ("Browse the results", "results?status=invalid", "report.html", "round 1 submitted", "closed"):
            assert words in shown
        report = at.client.get(f"/jobs/{JOB}/files/report.html")
        assert report.headers["content-disposition"].startswith("attachment")
        assert report.headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_rows_are_sent_again(deployed: Deployed) -> None:
    """Chosen rows become the job's next version; a row that is answered is refused."""
    ended_job(deployed)
    with console(deployed) as at:
        headers, path = {"origin": OWN}, f"/jobs/{JOB}/retry"
        assert at.client.post(path, data={"row-1": "on"}, headers=headers).status_code == 409
        assert at.client.post(path, data={"rows": "x"}, headers=headers).status_code == 409
        assert at.client.post(path, data={"rows": ""}, headers=headers).status_code == 400
        sent = at.client.post(path, data={"row-5": "on"}, headers=headers)
        assert (sent.status_code, sent.headers["hx-redirect"]) == (204, f"/jobs/{VERSION}")
        order = read_order(deployed.found().store, VERSION)
        assert order is not None
        assert order.rows == 1
        assert "See its next version" in at.client.get(f"/jobs/{JOB}").text


def test_a_running_job_is_canceled_and_resumed(deployed: Deployed) -> None:
    """The controls are those of the commands: a cancel halts the ledger; a resume starts an execution."""
    world = deployed.job(b"text\nfine\n", key="inbox/r/f.csv", recipe="model: claude-haiku-5-5\nprompt: '{{ text }}'\n")
    upload = msgspec.structs.replace(world.upload, bucket=BUCKET)
    arn = deployed.start(upload)
    with console(deployed) as at:
        assert "Cancel this job" in at.client.get(f"/jobs/{JOB}").text
        assert at.client.post(f"/jobs/{JOB}/approve", headers={"origin": OWN}, data={"sure": ""}).status_code == 409
        assert at.client.post(f"/jobs/{JOB}/cancel", headers={"origin": OWN}, data={"sure": ""}).status_code == 204
        assert deployed.ledger.halted(JOB) is not None
        deployed.end(arn, "FAILED", error="JobCanceled", cause="canceled")
        shown = at.client.get(f"/jobs/{JOB}").text
        assert "Resume" in shown
        assert "Cancel this job" not in shown
        assert at.client.post(f"/jobs/{JOB}/resume", headers={"origin": OWN}, data={"sure": ""}).status_code == 204
        assert "Cancel this job" in at.client.get(f"/jobs/{JOB}").text


@pytest.mark.parametrize(
    "name", ["..", "..%2f..%2fjobs", f"{JOB}%2f..", "2026", "", f"{JOB}-r1", "20261122T120000-012345678g"]
)
def test_a_name_that_is_no_job_leads_nowhere(deployed: Deployed, name: str) -> None:
    """A path escapes from the jobs' folder by an address."""
    ended_job(deployed)
    with console(deployed) as at:
        for rest in ("", "/results", "/results/rows/1", "/files/summary.json", "/events"):
            response = at.client.get(f"/jobs/{name}{rest}" if name else f"/jobs/{rest}")
            assert response.status_code in {303, 307, 404, 405}, (name, rest)
            assert "注文" not in response.text
            assert at.client.post(f"/jobs/{name}/cancel", headers={"origin": OWN}).status_code in {404, 405, 415}
    assert deployed.ledger.halted(JOB) is None


@pytest.mark.parametrize(
    "name", ["../../../manifest.json", "..%2fmanifest.json", "manifest.json", "x/summary.json", ""]
)
def test_only_a_jobs_own_outputs_are_downloaded(deployed: Deployed, name: str) -> None:
    """A path escapes from the results' folder by a file's name."""
    ended_job(deployed)
    with console(deployed) as at:
        response = at.client.get(f"/jobs/{JOB}/files/{name}")
        assert response.status_code == 404
        assert "content-disposition" not in response.headers
