"""The whole Messages API, as the SDK's types name it: each parameter, block, stop reason and error has a fate.

The lists come from the installed SDK. A new SDK with a new name fails here, until its fate is decided.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any, Literal, get_args

import msgspec
import pytest
from anthropic.types import ContentBlock, StopReason
from anthropic.types.beta import BetaContentBlock, BetaStopReason
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from anthropic.types.messages import MessageBatchResult
from anthropic.types.shared.error_details import ErrorDetails
from anthropic.types.shared.error_object import ErrorObject
from anthropic.types.shared.error_type import ErrorType

from batchdrop.adapters.claude.messages import _refusal
from batchdrop.admission.worst_case import WorstCase, fees_of
from batchdrop.answers.account_trouble import ACCOUNT_CODES, is_account_error
from batchdrop.errors import AccountTrouble, RecipeRejected
from batchdrop.live_lane.reply import Answer, Passing, Refused, Reply, Throttled
from batchdrop.local.claude_api.params import NEW_VERSION, check_params, read_params
from batchdrop.recipe.recipe import parse_recipe
from tests.fakes import FakeBatchApi, JsonObject, errored, succeeded
from tests.jobs import World, dropped, reviews
from tests.live_fakes import FakeMessageApi

LANES = pytest.mark.parametrize("lane", ["batch", "live"])
RECIPE = "model: claude-opus-5-5\nmax_tokens: 5000\nprompt: 'ask {{ x }}'\nmax_rounds: 2\n"


def _types(union: Any) -> set[str]:
    """Return the `type` of each member of a union of the SDK."""
    members = get_args(get_args(union)[0])
    return {get_args(member.model_fields["type"].annotation)[0] for member in members}


# ----- parameters ----------------------------------------------------------------------------------------------------

SCHEMA = {"type": "json_schema", "schema": {"type": "object", "properties": {}, "additionalProperties": False}}
TOOL = {"name": "look", "input_schema": {"type": "object"}}
SENT: dict[str, Any] = {
    "cache_control": {"type": "ephemeral"},
    "container": "container_1",
    "diagnostics": {"previous_message_id": None},
    "inference_geo": "us",
    "metadata": {"user_id": "u"},
    "output_config": {"effort": "low", "format": SCHEMA},
    "service_tier": "auto",
    "stop_sequences": ["END"],
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "tool_choice": {"type": "auto"},
    "tools": [TOOL, {"type": "web_search_20260209", "name": "web_search", "max_uses": 2}],
}
OWN_KEYS = {"model", "max_tokens", "system", "messages"}
REFUSED = {
    "stream": "cannot be streamed",
    "speed": "the Message Batches API refuses it",
    "workspace_id": "it is a header",
    "user_profile_id": "as a header, which batchdrop does not send; set 'lane: batch'",
}
PRICED_BEFORE = {"cache_control", "inference_geo", "output_config", "tools"}  # in the estimate and the hold
PRICED_AFTER = {"service_tier"}  # by the usage of each answer: tests/finish/test_fees.py


def test_every_parameter_has_a_fate() -> None:
    """Sent, a key of the recipe's own, or refused with its reason."""
    known = MessageCreateParamsNonStreaming.__required_keys__ | MessageCreateParamsNonStreaming.__optional_keys__
    assert known == SENT.keys() | OWN_KEYS | REFUSED.keys()
    assert SENT.keys() >= PRICED_BEFORE | PRICED_AFTER


def _run(lane: str, params: Any, **keys: Any) -> World:
    fields = "".join(f"{key}: {json.dumps(value)}\n" for key, value in {"params": params, "lane": lane, **keys}.items())
    world = dropped(reviews(1), recipe=RECIPE + fields)
    world.run()
    return world


@LANES
@pytest.mark.parametrize("name", SENT)
def test_a_parameter_is_sent_as_it_is(name: str, lane: Literal["batch", "live"]) -> None:
    """The emulator takes it; `tool_choice` needs tools beside it."""
    given = {name: SENT[name], **({"tools": [TOOL]} if name == "tool_choice" else {})}
    world = _run(lane, given)
    sent = world.requests(0)[0]["params"]
    assert {key: sent[key] for key in given} == given
    params = read_params(json.dumps(sent).encode())
    check_params(params, lane="batch" if lane == "batch" else "standard", version=NEW_VERSION, strict_schemas=True)


@pytest.mark.parametrize("name", [*REFUSED, "model", "max_tokens", "system", "messages"])
@LANES
def test_a_parameter_that_cannot_be_sent_is_refused(name: str, lane: str) -> None:
    """With its reason; keys of the recipe's own are refused within `params`."""
    if (name, lane) == ("user_profile_id", "batch"):
        assert _run("batch", {name: "up_1"}).requests(0)[0]["params"][name] == "up_1"
        return
    with pytest.raises(RecipeRejected) as caught:
        _run(lane, {name: True})
    assert REFUSED.get(name, "") in str(caught.value)
    assert f"key 'params.{name}'" in str(caught.value)


@pytest.mark.parametrize("name", sorted(PRICED_BEFORE))
def test_a_parameter_with_a_price_is_in_the_worst_case(name: str) -> None:
    """More than the same request without it."""
    both = []
    for params in ({}, {name: SENT[name]}):
        recipe = parse_recipe({"model": "claude-opus-5-5", "prompt": "{{ x }}", "params": params}, name="r")
        body = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **params}
        both.append(WorstCase("claude-opus-5-5").add(json.dumps(body).encode()) + fees_of(recipe, 1))
    assert both[1] > both[0]


# ----- what comes back -----------------------------------------------------------------------------------------------

ANSWER, THINKING, TOOLS, KEPT = "answer", "_thinking", "_tool_use", "only in answers/"
BLOCKS = {
    "text": ANSWER,
    "thinking": THINKING,
    "redacted_thinking": KEPT,
    "tool_use": TOOLS,
    "server_tool_use": TOOLS,
    "mcp_tool_use": TOOLS,
    "web_search_tool_result": TOOLS,
    "web_fetch_tool_result": TOOLS,
    "code_execution_tool_result": TOOLS,
    "bash_code_execution_tool_result": TOOLS,
    "text_editor_code_execution_tool_result": TOOLS,
    "tool_search_tool_result": TOOLS,
    "advisor_tool_result": TOOLS,
    "mcp_tool_result": TOOLS,
    "container_upload": TOOLS,
    "compaction": KEPT,
    "fallback": KEPT,
    "mcp_tool_listing": KEPT,
}


def test_every_content_block_has_a_fate() -> None:
    """Those of the API, and those of its betas."""
    assert _types(ContentBlock) | _types(BetaContentBlock) == BLOCKS.keys()


def _answered(lane: str, content: list[JsonObject], stop: str = "end_turn") -> dict[str, str]:
    result = succeeded("", stop_reason=stop)
    usage = {"input_tokens": 5, "output_tokens": 5}
    result["message"] |= {"content": content, "usage": {**usage, "service_tier": "batch"}}
    live = {**result["message"], "usage": {**usage, "service_tier": "standard"}}
    world = dropped(reviews(1), recipe=f"{RECIPE}lane: {lane}\noutput: {{add: [thinking, tool_use, cost]}}\n")
    world.api = FakeBatchApi(result_of=lambda _request: result)
    world.messages = FakeMessageApi(script=lambda _prompt, _before: Answer(msgspec.json.encode(live)))
    world.run()
    [row] = csv.DictReader(io.StringIO(world.result("output.csv").decode(), newline=""))
    return row


@LANES
@pytest.mark.parametrize("kind", BLOCKS)
def test_a_content_block_is_where_it_belongs(kind: str, lane: str) -> None:
    """And the text after it is the answer; what is paid for is never lost."""
    block = {"type": kind, "id": "x", "thinking": "hm", "text": "yes", "content": "big", "data": "z"}
    row = _answered(lane, [block] if kind == "text" else [block, {"type": "text", "text": "yes"}])
    assert (row["answer"], row["_status"]) == ("yes", "answered")
    assert (row["_thinking"] == "hm") == (BLOCKS[kind] == THINKING)
    assert (kind in row["_tool_use"]) == (BLOCKS[kind] == TOOLS)
    assert float(row["_cost"]) > 0


STOPS = {
    "end_turn": "answered",
    "stop_sequence": "answered",
    **{name: name for name in ("max_tokens", "tool_use", "pause_turn", "refusal", "compaction")},
    "model_context_window_exceeded": "model_context_window_exceeded",
}


def test_every_stop_reason_has_a_fate() -> None:
    """Those of the API, and those of its betas."""
    assert {*get_args(StopReason), *get_args(BetaStopReason)} == STOPS.keys()


@LANES
@pytest.mark.parametrize("stop", STOPS)
def test_a_stop_reason_is_the_status(stop: str, lane: str) -> None:
    """A whole answer is answered; every other is paid, kept and flagged."""
    row = _answered(lane, [{"type": "text", "text": "yes"}], stop)
    assert (row["answer"], row["_status"]) == ("yes", STOPS[stop])


def test_every_result_type_is_known() -> None:
    """Of a Message Batch."""
    assert _types(MessageBatchResult) == {"succeeded", "errored", "canceled", "expired"}


# ----- errors --------------------------------------------------------------------------------------------------------

# The HTTP status of each type; its fate in a Message Batch; its reply in the live lane.
ERRORS: dict[str, tuple[int, Literal["account", "once", "again"], type[Reply | AccountTrouble]]] = {
    "invalid_request_error": (400, "once", Refused),
    "authentication_error": (401, "account", AccountTrouble),
    "billing_error": (402, "account", AccountTrouble),
    "permission_error": (403, "account", AccountTrouble),
    "not_found_error": (404, "once", Refused),
    "rate_limit_error": (429, "again", Throttled),
    "timeout_error": (504, "again", Passing),
    "api_error": (500, "again", Passing),
    "overloaded_error": (529, "again", Throttled),
    "conflict_error": (409, "again", Passing),
    "memory_precondition_failed_error": (409, "again", Passing),  # of other endpoints: unpaid, so it is sent again
    "memory_path_conflict_error": (409, "again", Passing),
}


def test_every_error_type_has_a_fate() -> None:
    """Those of responses, and those of results."""
    assert {*get_args(ErrorType)} | _types(ErrorObject) == ERRORS.keys()


@pytest.mark.parametrize("kind", ERRORS)
def test_an_errored_result_has_its_fate(kind: str) -> None:
    """It is unpaid: sent again while rounds are left, failed at once, or the job stops."""
    world = dropped(reviews(1), recipe=RECIPE)
    world.api = FakeBatchApi(result_of=lambda _request: errored(kind))
    summary = world.run()
    fate = ERRORS[kind][1]
    assert len(world.api.created) == (2 if fate == "again" else 1)
    assert summary.tally.failed == 1
    assert not summary.cost.usd
    assert [fault.type for fault in summary.faults if fault.type == "AccountTrouble"] == (
        ["AccountTrouble"] if fate == "account" else []
    )


@pytest.mark.parametrize("kind", ERRORS)
def test_a_live_error_has_its_reply(kind: str) -> None:
    """By its status and its type, as the API sends both."""
    status, _, wanted = ERRORS[kind]
    body = json.dumps({"type": "error", "error": {"type": kind, "message": "no"}, "request_id": "req_1"}).encode()
    if wanted is AccountTrouble:
        with pytest.raises(AccountTrouble):
            _refusal(status, {}, body)
    else:
        assert type(_refusal(status, {}, body)) is wanted


CODES = {get_args(member.model_fields["error_code"].annotation)[0] for member in get_args(get_args(ErrorDetails)[0])}
NOT_OURS = {  # of users' profiles, which the error's type decides, and of the Admin API
    "spend_limits_admin_api_writes_not_enabled", "user_profile_billing_not_authorized", "user_profile_not_billable",
}  # fmt: skip


def test_every_code_of_the_account_is_known() -> None:
    """A code of money or of a key that is new must be decided; one that is gone is removed."""
    suspects = {code for code in CODES if any(word in code for word in ("spend", "bill", "hold", "cmek_key_disabled"))}
    assert suspects == ACCOUNT_CODES | NOT_OURS
    assert all(is_account_error("invalid_request_error", "", code) == (code in ACCOUNT_CODES) for code in CODES)
