"""Answer two rows in each lane on a deployed stack, and say what was seen: `batchdrop doctor --smoke`."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from decimal import Decimal

from rich.text import Text

from batchdrop.cli.bucket import read_if_there
from batchdrop.cli.console import CommandOutput
from batchdrop.cli.deployment import Deployment
from batchdrop.cli.doctor.findings import Finding, ok, problem
from batchdrop.cli.job.documents import Summary, read_summary
from batchdrop.cli.job.job_view import JobView, Stage
from batchdrop.cli.job.jobs import Job
from batchdrop.cli.job.watching import followed
from batchdrop.cli.run.sending import await_job, newest
from batchdrop.money.cost import shown_usd

LANES = ("live", "batch")  # the live lane first: it answers in seconds, and finds a wrong key before the other waits
ROWS = b"thing\ngrass\nsnow\n"
RECIPE = """\
# Written by `batchdrop doctor --smoke`; you may delete it.
model: claude-haiku-5-5
max_tokens: 64
lane: {lane}
prompt: "What colour is {{{{ thing }}}}? Answer with one word."
"""
Follow = Callable[[Deployment, Job, CommandOutput], JobView]


def smoke(deployment: Deployment, output: CommandOutput, *, follow: Follow | None = None) -> Iterator[Finding]:
    """Run a job of two rows through the live lane, then one through the batch lane; yield what each came to.

    The batch lane is not tried if the live lane fails. Raises NotStartedError if an upload starts no job.
    """
    for lane in LANES:
        job = _dropped(deployment, lane)
        output.console.print(Text(f"smoke test, {lane} lane: job {job.job_id}"), soft_wrap=True)
        view = (follow or _follow)(deployment, job, output)
        found = _finding(deployment, job, lane, view)
        yield found
        if view.stage is not Stage.SUCCEEDED:
            return


def _follow(deployment: Deployment, job: Job, output: CommandOutput) -> JobView:
    return followed(deployment, job, output, is_silent=True)


def _dropped(deployment: Deployment, lane: str) -> Job:
    name = f"batchdrop-smoke-{lane}"
    key = f"inbox/{name}/smoke.csv"
    known = {execution.arn for execution in newest(deployment)}
    put = deployment.s3.put_object
    put(Bucket=deployment.bucket_name, Key=f"recipes/{name}.yaml", Body=RECIPE.format(lane=lane).encode())
    put(Bucket=deployment.bucket_name, Key=key, Body=ROWS)
    return await_job(deployment, key, known)


def _finding(deployment: Deployment, job: Job, lane: str, view: JobView) -> Finding:
    what = f"{lane} lane"
    summary = read_summary(deployment.bucket, job.results)
    if summary is None or view.stage is not Stage.SUCCEEDED:
        says = f"the smoke job {job.job_id} {view.stage.value}: {_reason(summary, view)}"
        return problem(what, says, f"`{deployment.command('show', job.job_id)}` shows its story")
    answers = "; ".join(f"{row['thing']}: {row['answer']}" for row in _rows(deployment, job))
    usd, tally = summary["cost"]["usd"], summary["tally"]
    cost = "an unknown price" if usd is None else shown_usd(Decimal(usd))
    return ok(what, f"{tally['answered']} of {tally['rows']} rows answered for {cost} ({answers})")


def _reason(summary: Summary | None, view: JobView) -> str:
    faults = summary["faults"] if summary else []
    return f"{faults[0]['type']}: {faults[0]['message']}" if faults else view.error or "it has no summary"


def _rows(deployment: Deployment, job: Job) -> list[dict[str, str]]:
    body = read_if_there(deployment.bucket, f"{job.results}output.csv") or b""
    return [*csv.DictReader(io.StringIO(body.decode()))]
