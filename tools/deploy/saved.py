"""`deploy.toml`: what a deploy was told, kept for the next one. It is the SAM CLI's configuration file."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

CONFIG = Path("deploy.toml")
DEFAULTS = Path("samconfig.toml")
DEFAULT_STACK = "batchdrop"


def stack_name() -> str:
    """Return the name of the deployed stack."""
    return _known().get("stack_name", DEFAULT_STACK)


def region() -> str | None:
    """Return the stack's region; None for the region of the user's AWS configuration."""
    return _known().get("region")


def save(stack: str, region: str, parameters: Mapping[str, str]) -> None:
    """Begin the file, with these template parameters; the rest is as in samconfig.toml."""
    text = DEFAULTS.read_text(encoding="utf-8")
    text = re.sub(
        r"^stack_name = .*$", f"stack_name = {_text(stack)}\nregion = {_text(region)}", text, flags=re.MULTILINE
    )
    given = ", ".join(_text(f"{name}={value}") for name, value in parameters.items())
    CONFIG.write_text(f"{text}parameter_overrides = [{given}]\n", encoding="utf-8")


def parameters() -> dict[str, str]:
    """Return the template parameters that the file gives."""
    if not CONFIG.exists():
        return {}
    deploys = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["default"]["deploy"]["parameters"]
    given = deploys.get("parameter_overrides", [])
    pairs = given if isinstance(given, list) else re.findall(r'\S+?="[^"]*"|\S+', given)
    return {name: value.strip('"') for name, _, value in (pair.partition("=") for pair in pairs)}


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)  # a JSON string is a TOML string


def _known() -> dict[str, str]:
    if not CONFIG.exists():
        return {}
    known: dict[str, str] = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["default"]["global"]["parameters"]
    return known
