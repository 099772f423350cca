"""Start the job of the whole file, after the user has seen what it costs."""

from __future__ import annotations

from batchdrop.cli.deployment import Deployment
from batchdrop.cli.run.dropping import Drop
from batchdrop.cli.run.sending import await_job, newest, replaced_keys
from batchdrop.cli.ui.session import Session
from batchdrop.cli.ui.trying.desk import Desk, Order
from batchdrop.cli.ui.trying.drafts import draft_of


def replaced_by(desk: Desk, text: str, deployment: Deployment) -> list[str]:
    """Return the keys of the bucket's recipes that the job's upload will change."""
    with draft_of(text, desk.recipe) as draft:
        return replaced_keys(deployment, Drop(desk.file, draft, desk.session.files))


def payer_of(session: Session, deployment: Deployment) -> str:
    """Return who pays for a job's answers: only a stack of the console's own uses the API of its tries."""
    if session.stack.is_own:
        return "nobody: the emulator answers" if session.service.base_url is None else "you, with your own access"
    given = {one["ParameterKey"]: one.get("ParameterValue", "") for one in deployment.described.get("Parameters", [])}
    service = given.get("AnthropicBaseUrl") or "the Claude API"
    return f"the owner of the stack's access to {service}"


def start_job(desk: Desk, order: Order, deployment: Deployment) -> str:
    """Upload the recipe and the file as they were priced, and return the id of the job that they start.

    Raises NotDroppableError and NotStartedError.
    """
    with draft_of(order.recipe, desk.recipe) as draft:
        one = Drop(desk.file, draft, desk.session.files)
        one.check()
        known = {execution.arn for execution in newest(deployment)}
        one.upload(deployment.s3, deployment.bucket_name)
        return await_job(deployment, one.key, known).job_id
