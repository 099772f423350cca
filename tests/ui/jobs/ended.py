"""A job of reviews that has ended, as a console's stack has it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from moto.stepfunctions.models import stepfunctions_backends

from batchdrop.cli.deployment import Deployment
from batchdrop.cli.ui.jobs.page import JOBS
from batchdrop.cli.ui.session import Session
from batchdrop.cli.ui.stack_in_use import StackInUse
from tests.aws import REGION
from tests.cli.deployed import ACCOUNT, BUCKET, Deployed
from tests.fakes import START, FakeBatchApi, succeeded
from tests.jobs import JOB
from tests.local.polling import eventually
from tests.ui.consoles import Visit, session_of, visit

KEY = "inbox/r/注文.csv"
RECIPE = (
    "model: claude-haiku-5-5\nprompt: 'Judge {{ text }}'\nlane: batch\n"
    "answer: {label: {enum: [positive, neutral, negative]}, sure: number}\n"
)
ATTACK = "<img src=x onerror=alert(1)><script>alert(2)</script>"
TEXTS = ("とても良い商品でした", "okay, nothing more", "それは壊れていた", ATTACK, "unreadable answer", "=1+1")


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Answer by the text; one answer does not fit its schema."""
    text = request["params"]["messages"][0]["content"]
    if "unreadable" in text:
        return succeeded(ATTACK)
    label = "positive" if "良い" in text else "negative" if "壊" in text else "neutral"
    return succeeded(f'{{"label": "{label}", "sure": {len(text) / 100}}}')


def ended_job(deployed: Deployed, texts: tuple[str, ...] = TEXTS, *, recipe: str = RECIPE) -> str:
    """Run a job to its end; return its id."""
    body = "id,text\n" + "".join(f"r-{number},{_cell(text)}\n" for number, text in enumerate(texts, 1))
    recipe_key = "recipes/r.yaml"
    deployed.put(recipe_key, recipe.encode())
    world = deployed.job(body.encode(), key=KEY, recipe=recipe, api=FakeBatchApi(result_of=answer))
    arn = deployed.start(msgspec.structs.replace(world.upload, bucket=BUCKET), "SUCCEEDED")
    stepfunctions_backends[ACCOUNT][REGION].describe_execution(arn).start_date = START.replace(tzinfo=None)
    return JOB


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if re.search('[",\n]', text) else text


def on(deployment: Deployment) -> Session:
    """A session on a deployment that is ready."""

    @contextmanager
    def opened() -> Iterator[tuple[Deployment, Callable[[], None]]]:
        yield deployment, lambda: None

    stack = StackInUse(opened)
    stack.start()
    stack.deployment()
    return session_of(stack=stack)


@contextmanager
def console(deployed: Deployed) -> Iterator[Visit]:
    """A browser at a console on the stack."""
    session = on(deployed.found())
    try:
        yield visit(JOBS, session=session)
    finally:
        session.stack.close()


def results(at: Visit, job: str = JOB, query: str = "") -> str:
    """Open a job's results, as soon as they are prepared; the page's text."""

    def prepared() -> str:
        page = at.client.get(f"/jobs/{job}/results?{query}")
        assert page.status_code == 200, page.text
        return "" if "Preparing" in page.text else page.text

    return eventually(prepared)
