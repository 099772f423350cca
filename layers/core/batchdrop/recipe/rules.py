"""Rules for a recipe's values, beyond their types."""

from __future__ import annotations

import codecs
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from batchdrop.recipe.duration import duration_named
from batchdrop.recipe.file_keys import Input
from batchdrop.recipe.gold_rules import gold_faults
from batchdrop.recipe.keys import MAX_REMEMBERED, Recipe, System, is_template
from batchdrop.recipe.lane import too_long_for_live
from batchdrop.recipe.pack_rules import pack_faults
from batchdrop.recipe.save_rules import save_faults
from batchdrop.recipe.when import WhenInvalid, parse_when

FORBIDDEN_PARAMS = {
    "stream": "answers of a Message Batch cannot be streamed",
    "speed": "the Message Batches API refuses it",
    "workspace_id": "it is a header; set WorkspaceId of the stack, or ANTHROPIC_WORKSPACE_ID",
    "temperature": "API version 2026-10-21 refuses sampling parameters",
    "top_p": "API version 2026-10-21 refuses sampling parameters",
    "top_k": "API version 2026-10-21 refuses sampling parameters",
    "model": "set it as a key of the recipe itself",
    "max_tokens": "set it as a key of the recipe itself",
    "system": "set it as a key of the recipe itself",
    "messages": "the recipe's prompt becomes the message",
}
RECIPE_KEYS = {"model", "max_tokens", "system", "messages"}  # parameters that a recipe sets by keys of its own
USUAL_ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1", "shift_jis", "gb18030", "euc-kr", "big5")
DELIMITERS = {"tab": "\t", "\\t": "\t"}  # names for characters that are hard to write in YAML

_NO_TEXT = {"utf-7", "hz", "idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "charmap"}

SDK_ARGUMENTS = {
    "betas": "betas are a header, not a parameter; write them as 'betas: […]' in the recipe itself",
    "extra_headers": "headers are not parameters; write betas as 'betas: […]' in the recipe itself, and remove it",
    "extra_body": "it is an argument of the SDK; write its keys into 'params' directly",
}
LEAST_BUDGET = 1_024  # Messages API: `thinking.budget_tokens` is at least this
INTERLEAVED = "interleaved-thinking-"  # with this beta, a budget may span several turns of an answer

_BETA = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")

_Fault = tuple[str, str]  # the key's path, and what is wrong with it


def broken_rules(recipe: Recipe) -> Iterator[str]:
    """Yield what is wrong with each key that breaks a rule."""
    rules = (
        _basics, _lane, _question, _system, _messages, _params, _betas, _input, _output, _attach, _escalate,
        pack_faults, gold_faults, save_faults,
    )  # fmt: skip
    for rule in rules:
        for key, reason in rule(recipe):
            yield f"key '{key}': {reason}" if key else reason


def _basics(recipe: Recipe) -> Iterator[_Fault]:
    if not recipe.model.strip():
        yield "model", "it is empty; name a model, such as claude-haiku-5-5"
    if isinstance(recipe.max_tokens, str) and not is_template(recipe.max_tokens):
        reason = "it is text; write a whole number, 1 or more, or a template, such as '{{ max_tokens }}'"
        yield "max_tokens", reason
    if recipe.finish_within is not None:
        try:
            duration_named(recipe.finish_within)
        except ValueError as error:
            yield "finish_within", str(error)
    if recipe.remember is not None:
        try:
            is_too_long = duration_named(recipe.remember) > MAX_REMEMBERED
        except ValueError as error:
            yield "remember", str(error).replace("90s, 30m, 6h or 1d", "90d or 12h")
        else:
            if is_too_long:
                yield "remember", f"it is longer than answers are kept; write {MAX_REMEMBERED.days}d or less"
    if recipe.max_cost_usd is not None and not math.isfinite(recipe.max_cost_usd):
        yield "max_cost_usd", "it must be a number of dollars, such as 5; change it or remove the key"


def _lane(recipe: Recipe) -> Iterator[_Fault]:
    """Refuse the keys that send long answers live. `lane: auto` sends them as Message Batches."""
    reason = too_long_for_live(recipe.own_tokens)
    if reason and recipe.lane == "live":
        yield "max_tokens", reason
    elsewhere = f"it sends rows through the live lane, and {reason.partition('; ')[0]}; remove the key"
    for key in keys_of_the_live_lane(recipe) if reason else ():
        yield key, elsewhere
    if recipe.pilot and recipe.sampled is not None:
        yield "pilot", "the sample already comes before all other rows; use either 'pilot: true' or 'sample'"


def keys_of_the_live_lane(recipe: Recipe) -> Iterator[str]:
    """Yield the keys, beside `lane: live`, that send rows through the live lane."""
    if recipe.finish_within is not None:
        yield "finish_within"
    if recipe.on_leftovers == "live":
        yield "on_leftovers"
    if recipe.sampled is not None and recipe.sampled.lane == "live":
        yield "sample.lane"
    if recipe.pilot:
        yield "pilot"


def _question(recipe: Recipe) -> Iterator[_Fault]:
    if recipe.prompt is None and recipe.messages is None:
        yield "", "missing required key `prompt` (or `messages`): write the question for each row"
    if recipe.prompt is not None and recipe.messages is not None:
        yield "messages", "use either 'prompt' or 'messages', not both"
    if recipe.prompt is not None and not recipe.prompt.strip():
        yield "prompt", "it is empty; write the question for each row"


def _system(recipe: Recipe) -> Iterator[_Fault]:
    text = recipe.system.text if isinstance(recipe.system, System) else recipe.system or ""
    if isinstance(recipe.system, System) and not text.strip():
        yield "system.text", "it is empty; write the system prompt, or remove the key"
    if "{{" in text or "{%" in text:
        reason = "it is plain text, the same for all rows"
        yield "system", f"{reason}; move {{{{ … }}}} and {{% … %}} to the prompt"


def _messages(recipe: Recipe) -> Iterator[_Fault]:
    if recipe.messages is None:
        return
    if not recipe.messages:
        yield "messages", "it is empty; write at least one message with role user"
    for place, turn in enumerate(recipe.messages):
        if turn.role != ("user", "assistant")[place % 2]:
            yield f"messages[{place}].role", "roles must alternate, starting with user"
        if not turn.content.strip():
            yield f"messages[{place}].content", "it is empty; the API refuses empty messages"
    if recipe.messages and recipe.messages[-1].role == "assistant":
        reason = "prefilled assistant turns are not supported: recent models refuse them"
        yield f"messages[{len(recipe.messages) - 1}]", f"{reason}; end with a message with role user"


def _params(recipe: Recipe) -> Iterator[_Fault]:
    for param in recipe.params:
        if param in FORBIDDEN_PARAMS:
            yield f"params.{param}", f"{FORBIDDEN_PARAMS[param]}; remove it"
        if param in SDK_ARGUMENTS:
            yield f"params.{param}", SDK_ARGUMENTS[param]
    if not isinstance(recipe.params.get("output_config", {}), dict):
        yield "params.output_config", "it must be a mapping, such as {effort: low}"
    limit = recipe.own_tokens
    reason = "" if limit is None else budget_fault(recipe.params.get("thinking"), limit, recipe.betas)
    if reason:
        yield "params.thinking.budget_tokens", reason

    may_go_live = recipe.lane != "batch" or recipe.finish_within is not None or recipe.on_leftovers == "live"
    if "user_profile_id" in recipe.params and may_go_live:
        reason = "the live lane's API takes it as a header, which batchdrop does not send"
        yield "params.user_profile_id", f"{reason}; set 'lane: batch' without finish_within and on_leftovers"
    yield from _bound(recipe)


def _bound(recipe: Recipe) -> Iterator[_Fault]:
    """A cap holds the highest fee of each request, so web searches need a bound."""
    tools = recipe.params.get("tools")
    for tool in tools if isinstance(tools, list) and recipe.max_cost_usd is not None else []:
        if isinstance(tool, dict) and str(tool.get("type", "")).startswith("web_search_") and not tool.get("max_uses"):
            reason = "the tool web_search has no max_uses, so its fees have no bound and no cap can hold"
            yield "max_cost_usd", f"{reason}; add max_uses to the tool, or remove max_cost_usd"


def budget_fault(thinking: Any, max_tokens: int, betas: list[str]) -> str:
    """Return why the API refuses a budget of thinking tokens; empty if it does not."""
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    if not isinstance(budget, int) or isinstance(budget, bool):
        return ""
    if budget < LEAST_BUDGET:
        return f"it is {budget:,}; the API takes {LEAST_BUDGET:,} or more"
    if budget >= max_tokens and not any(beta.startswith(INTERLEAVED) for beta in betas):
        return f"it is {budget:,}, but must be less than max_tokens ({max_tokens:,}); raise max_tokens or lower it"
    return ""


def _betas(recipe: Recipe) -> Iterator[_Fault]:
    for place, beta in enumerate(recipe.betas):
        if not _BETA.fullmatch(beta):
            reason = f"{beta!r} is not the name of a beta; write one such as output-300k-2026-03-24"
            yield f"betas[{place}]", reason


def _input(recipe: Recipe) -> Iterator[_Fault]:
    if recipe.input == "files":
        return
    if recipe.input.encoding is not None and not is_text_encoding(recipe.input.encoding):
        yield "input.encoding", _unknown_encoding(recipe.input.encoding)
    delimiter = recipe.input.delimiter
    if delimiter is not None and (len(real := delimiter_of(delimiter)) != 1 or real in '"\r\n\0'):
        reason = "a delimiter is one character, but not a quote or a line end"
        yield "input.delimiter", f"{delimiter!r} cannot be used: {reason}; write ',', ';', '|' or tab"
    yield from _header(recipe.input)


def _header(options: Input) -> Iterator[_Fault]:
    if isinstance(options.header, list):
        if not options.header or not all(name.strip() for name in options.header):
            yield "input.header", "it must name each column; write a list such as [id, review], or false"
        twice = [name for name, count in Counter(options.header).items() if count > 1]
        if twice:
            yield "input.header", f"it names '{twice[0]}' twice; give each column a name of its own"
    escape = options.escape
    if escape is not None and (len(escape) != 1 or escape in '"\r\n\0'):
        reason = "an escape is one character, but not a quote or a line end"
        yield "input.escape", f"{escape!r} cannot be used: {reason}; write '\\'"


def _output(recipe: Recipe) -> Iterator[_Fault]:
    output = recipe.output
    if output.encoding is not None and not is_text_encoding(output.encoding):
        yield "output.encoding", _unknown_encoding(output.encoding)
    if output.column is not None and not output.column.strip():
        yield "output.column", "it is empty; name the answer's column, or remove the key"
    if output.column is not None and output.column != output.column.strip():
        yield "output.column", "it starts or ends with a space; remove the space"
    for key, text in (("column", output.column or ""), ("prefix", output.prefix)):
        if not text.isprintable():
            yield f"output.{key}", "it has a line end or another unprintable character; remove it"
    twice = [name for name, count in Counter(output.add).items() if count > 1]
    if twice:
        yield "output.add", f"it names '{twice[0]}' twice; remove one"
    if output.prefix and not output.prefix.strip():
        yield "output.prefix", "it is blank; write the prefix of the new columns' names, or remove the key"


def _attach(recipe: Recipe) -> Iterator[_Fault]:
    for place, attach in enumerate(recipe.attached):
        if not attach.column.strip():
            key = f"attach[{place}].column" if isinstance(recipe.attach, list) else "attach.column"
            yield key, "it is empty; name the column that holds the files' names"


def _escalate(recipe: Recipe) -> Iterator[_Fault]:
    escalate = recipe.escalate
    if escalate is None:
        return
    if recipe.own_model is None:
        yield "escalate", "each row has its own model, which may be the other one; name one model for all rows"
    if not escalate.to.strip() or is_template(escalate.to):
        yield "escalate.to", "it is one model for all rows, such as claude-sonnet-5-5"
    if escalate.to == recipe.model:
        yield "escalate.to", f"it is the recipe's own model, {recipe.model}; name another model"
    try:
        parse_when(escalate.when)
    except WhenInvalid as error:
        yield "escalate.when", str(error)


def delimiter_of(word: str) -> str:
    """Return the character that `input.delimiter` names; `tab` names a tab."""
    return DELIMITERS.get(word, word)


def is_text_encoding(name: str) -> bool:
    """Return whether text in this encoding can be cut into lines and cells before it is decoded.

    The encoding must have ASCII's characters as in ASCII, or in two or four bytes each, with no state between lines.
    This excludes EBCDIC, UTF-7, the ISO-2022 family and encodings of bytes (base64, rot13).
    """
    probe = 'a,"\t;|\r\n0'
    try:
        codec = codecs.lookup(name)
        encoded = probe.encode(name)
    except (LookupError, ValueError, TypeError):
        return False
    if codec.name.replace("_", "-") in _NO_TEXT:
        return False
    if codec.name.startswith(("iso2022", "utf-16", "utf-32")):
        return codec.name.startswith("utf")
    return encoded.removeprefix(codecs.BOM_UTF8) == probe.encode("ascii")


def _unknown_encoding(encoding: str) -> str:
    return f"'{encoding}' is not a supported text encoding; write another, such as {', '.join(USUAL_ENCODINGS)}"
