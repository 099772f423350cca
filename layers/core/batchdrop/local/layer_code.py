"""A copy of a layer's code, which the functions' processes import while the stack runs.

ministack's custom runtimes have no /opt, so the code has to come another way. In each function's archive it would be
packed, uploaded and unpacked once per function, which was half of a stack's start. A copy, because an edit in the
checkout must not change half of a running stack.
"""

import shutil
from pathlib import Path

_NOT_CODE = {"Makefile", "requirements.txt"}
_NOT_SHIPPED = {"cli", "library", "local"}  # of the package; layers/core/Makefile leaves out the same folders


def copy_layer(layer: Path, target: Path) -> None:
    """Copy a layer's code to `target`, with the bytecode beside it; times are kept, so that it stays valid."""

    def left_out(folder: str, names: list[str]) -> set[str]:
        place = Path(folder)
        hidden = {name for name in names if name.startswith(".")}
        return hidden | (_NOT_CODE if place == layer else _NOT_SHIPPED if place.parent == layer else set())

    shutil.copytree(layer, target, ignore=left_out, dirs_exist_ok=True)
