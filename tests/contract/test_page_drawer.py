"""Lambda, as the PageDrawer asks it: an event in its queue, and no answer to wait for."""

import json
from datetime import datetime

from botocore.stub import ANY, Stubber

from batchdrop.adapters.aws.lambda_pages import LambdaPageDrawer
from tests.aws import client
from tests.project import event


def test_lambda_is_asked_for_a_page() -> None:
    """The event is the one that the function takes."""
    functions, wanted = client("lambda"), event("show_progress")
    with Stubber(functions) as stubbed:
        expected = {"FunctionName": "show-progress", "InvocationType": "Event", "Payload": ANY}
        stubbed.add_response("invoke", {"StatusCode": 202}, expected)
        sent: list[bytes] = []
        functions.meta.events.register(
            "provide-client-params.lambda.Invoke", lambda params, **_: sent.append(params["Payload"])
        )
        LambdaPageDrawer(functions, "show-progress").request(wanted["job_id"], datetime.fromisoformat(wanted["at"]))
        stubbed.assert_no_pending_responses()
    assert json.loads(sent[0]) == wanted
