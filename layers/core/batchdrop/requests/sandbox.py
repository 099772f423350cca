"""A sandbox for templates: no access to Python, and limits on time and memory for each row."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jinja2
import msgspec
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import _PassArg
from jinja2.visitor import NodeTransformer

from batchdrop.requests.row import Unusable
from batchdrop.requests.template_budget import (
    BUDGET,
    MAX_TEXT,
    Budget,
    budget_of,
    check_indent,
    check_join,
    check_replace,
    check_translate,
    checked_sum,
)

CALL_STEPS = 20  # a call (of a macro, for example) takes as long as so many iterations
MAX_NUMBER_BITS = 4_096  # ours: a number of 1,233 digits
MAX_WIDTH = 10_000  # ours: the width to pad or cut text to

_AS_JSON = (bool, list, dict, tuple)
_COUNTED, _CONCAT = "\0counted", "\0concat"  # filters that no template can name
_SUM_ARGS = 3  # with a third, `sum` was given an attribute
_BEFORE: dict[str, Callable[..., None]] = {"replace": check_replace, "indent": check_indent}
_ENDLESS = ("lipsum", "cycler", "joiner")  # globals that no prompt needs
_WIDE_FILTERS = ("center", "indent", "batch", "slice", "round")
_WIDE_METHODS = {"ljust", "rjust", "center", "zfill", "expandtabs"}
_WIDE_PERCENT = re.compile(r"%[^a-zA-Z%]*?(\d{5}|\*)")
_WIDE_BRACES = re.compile(r"\{[^{}]*:[^{}]*?(\d{5}|\{)")


class Sandbox(SandboxedEnvironment):
    """Jinja's sandbox with StrictUndefined, limits, and the filter `json`."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=jinja2.StrictUndefined, autoescape=False, finalize=_written)
        for name in _ENDLESS:
            del self.globals[name]
        for name in _WIDE_FILTERS:
            self.filters[name] = _narrow(self.filters[name])
        percent = self.filters["format"]
        self.filters["format"] = lambda text, *args, **kwargs: percent(_narrow_percent(text), *args, **kwargs)
        self.filters |= {"json": as_json, "default": _default, "d": _default}
        self.filters = {name: _budgeted(name, plain) for name, plain in self.filters.items()}
        self.filters |= {_COUNTED: _counted, _CONCAT: _concat}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = _Counting().visit(super()._parse(source, name, filename))
        return tree

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute `+ * ** %`. Raises SecurityError if the result would be too large."""
        _check_operands(operator, left, right)
        return budget_of(context).result(super().call_binop(context, operator, left, right))

    def call(self, context: Context, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a function or method, and count its steps."""
        budget, text = budget_of(context), getattr(called, "__self__", None)
        budget.step(CALL_STEPS)
        if isinstance(text, str):
            args = _checked_arguments(budget, called.__name__, text, args, kwargs)
        return budget.result(super().call(context, called, *args, **kwargs))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Wrap `str.format`. Raises SecurityError if it pads its fields too far."""
        wrapped = super().wrap_str_format(value)
        if wrapped is not None and _WIDE_BRACES.search(value.__self__):
            message = "a format's width is too large"
            raise SecurityError(message)
        return wrapped


def variables(cells: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return a template's variables: `own` names, overridden by the cells, and a fresh budget."""
    return {**own, **cells, BUDGET: Budget()}


def spelled(value: Any) -> Any:
    """Return a value as it stands in a prompt: nothing for null, JSON's spelling for all but texts and numbers."""
    kind = type(value)
    if kind is str or isinstance(value, jinja2.Undefined):
        return value
    if value is None:
        return ""
    return str(value) if kind is int or kind is float else as_json(value) if kind in _AS_JSON else str(value)


def _default(value: Any, default_value: Any = "", boolean: Any = False) -> Any:  # noqa: FBT002 - Jinja's signature
    """Return the default for what is missing, null or an empty text: formats differ in which of them they have."""
    is_missing = isinstance(value, jinja2.Undefined) or value is None or value == ""
    return default_value if is_missing or (boolean and not value) else value


def _refused(value: Any) -> Any:
    if isinstance(value, jinja2.Undefined | Unusable):
        str(value)  # raises its error, which names the missing value
    if isinstance(value, int | float):  # a number that carries its own text
        return int(value) if isinstance(value, int) else float(value)
    raise TypeError


_JSON = msgspec.json.Encoder(decimal_format="number", enc_hook=_refused)


def as_json(value: Any) -> str:
    """Return compact JSON. Unlike `tojson`, it keeps all characters unescaped."""
    return _JSON.encode(value).decode()


class _Counting(NodeTransformer):
    """Makes loops, joined texts and macros count what they do."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - Jinja's name
        written = sum(len(data.data) for data in node.find_all(nodes.TemplateData))
        self.generic_visit(node)
        node.iter = _filtered(node.iter, _COUNTED, nodes.Const(written))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), _CONCAT)


def _filtered(node: nodes.Node, name: str, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)


@jinja2.pass_context
def _counted(context: Context, items: Iterable[Any], chars: int) -> Iterator[Any]:
    return budget_of(context).counted(items, chars)


@jinja2.pass_context
def _concat(context: Context, parts: list[Any]) -> str:
    texts = [str(spelled(part)) for part in parts]
    budget_of(context).write(sum(map(len, texts)))
    return "".join(texts)


@jinja2.pass_context
def _written(context: Context, value: Any) -> Any:
    """Return a value as it stands in the prompt, and count it."""
    text = spelled(value)
    if isinstance(text, str):
        budget_of(context).write(len(text))
    return text


def _budgeted(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that counts what it is given to do, and its result."""
    kind = _PassArg.from_obj(plain)

    @jinja2.pass_context
    @functools.wraps(plain)
    def counting(context: Context, *args: Any, **kwargs: Any) -> Any:
        budget = budget_of(context)
        budget.step()
        if name == "sum" and not {"attribute"} & kwargs.keys() and len(args) < _SUM_ARGS:
            return checked_sum(budget, *args, **kwargs)
        if name in _BEFORE:
            _BEFORE[name](budget, *args, **kwargs)
        if name == "join" and args:
            args = (check_join(budget, args[1] if len(args) > 1 else kwargs.get("d", ""), args[0]), *args[1:])
        match kind:
            case _PassArg.context:
                args = (context, *args)
            case _PassArg.eval_context:
                args = (context.eval_ctx, *args)
            case _PassArg.environment:
                args = (context.environment, *args)
            case _:
                pass
        return budget.result(plain(*args, **kwargs))

    return counting


def _checked_arguments(
    budget: Budget, name: str, text: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Any, ...]:
    """Count what a text's method will do; return its arguments."""
    match name:
        case "replace":
            check_replace(budget, text, *args)
        case "translate":
            check_translate(budget, text, *args)
        case "join" if args:
            return check_join(budget, text, args[0]), *args[1:]
        case _ if name in _WIDE_METHODS:
            _check_widths((*args, *kwargs.values()))
    return args


def _check_operands(operator: str, left: Any, right: Any) -> None:
    if operator == "%" and isinstance(left, str):
        _narrow_percent(left)
    elif _size(operator, left, right) > MAX_TEXT:
        message = f"the result of {operator} is too large"
        raise SecurityError(message)


def _size(operator: str, left: Any, right: Any) -> int:
    """Return the size of the result. A number's size is scaled so that the largest allowed one has MAX_TEXT."""
    if isinstance(left, int) and isinstance(right, int):
        bits = {"*": left.bit_length() + right.bit_length(), "**": left.bit_length() * abs(right)}.get(operator, 0)
        return bits * MAX_TEXT // MAX_NUMBER_BITS
    if operator == "*":
        text, count = (right, left) if isinstance(left, int) else (left, right)
        return len(text) * count if isinstance(text, (str, list, tuple)) and isinstance(count, int) else 0
    sized = (str, list, tuple)
    return len(left) + len(right) if operator == "+" and isinstance(left, sized) and isinstance(right, sized) else 0


def _narrow(wide: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(wide)
    def narrowed(*args: Any, **kwargs: Any) -> Any:
        _check_widths((*args[1:], *kwargs.values()))
        return wide(*args, **kwargs)

    return narrowed


def _check_widths(values: Iterable[Any]) -> None:
    if any(isinstance(value, int) and abs(value) > MAX_WIDTH for value in values):
        message = f"a width is over {MAX_WIDTH:,}"
        raise SecurityError(message)


def _narrow_percent(text: Any) -> Any:
    if _WIDE_PERCENT.search(str(text).replace("%%", "")):
        message = "a format's width is too large"
        raise SecurityError(message)
    return text
