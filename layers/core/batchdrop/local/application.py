"""Where the SAM application lies: template, state machine, functions and examples."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_CHECKOUT = _PACKAGE.parents[2]


def application_folder() -> Path:
    """Return the folder of template.yaml: the checkout's root, or in an installed wheel its copy of the application."""
    is_checkout = _PACKAGE.parent == _CHECKOUT / "layers" / "core" and (_CHECKOUT / "template.yaml").is_file()
    return _CHECKOUT if is_checkout else _PACKAGE / "application"


def examples_folder() -> Path:
    """Return the folder of the examples, as a command shows it: relative if it is in the current folder."""
    folder = application_folder() / "examples"
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
