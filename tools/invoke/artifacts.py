"""Find the output of `sam build`, or build again if it is older than the sources."""

from __future__ import annotations

import fcntl
import filecmp
import platform
import shutil
import subprocess
from pathlib import Path

from batchdrop.local.sam_template import read_template

ROOT = Path(__file__).parents[2]
FUNCTIONS = tuple(sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py")))
BUILD = ROOT / ".aws-sam" / "build"
LOCK = ROOT / ".aws-sam.lock"  # two processes must not build at once
BUILD_SECONDS = 600
NOT_SHIPPED = {"cli", "library", "local"}  # layers/core/Makefile leaves them out of the layer
MACHINE = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())  # in AWS's words


class BuildError(Exception):
    """`make build` failed or is incomplete; the message is its output."""


def built() -> Path:
    """Return the folder of `make build`, up to date with the sources. Raises BuildError."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_fresh():
            done = subprocess.run(
                ["make", "build"], cwd=ROOT, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
            )
            if done.returncode or not _is_fresh():
                raise BuildError(f"make build failed:\n{done.stdout[-2_000:]}{done.stderr[-4_000:]}")
    return BUILD


def logical_id(function: str) -> str:
    """Return a function's name in the template: `poll_batch` is `PollBatchFunction`."""
    return "".join(word.title() for word in function.split("_")) + "Function"


def layers_of(function: str) -> list[str]:
    """Return the logical ids of the template's own layers that a function has, in order."""
    described = read_template(ROOT / "template.yaml")
    own = described["Resources"][logical_id(function)]["Properties"].get("Layers", [])
    return [layer["Ref"] for layer in [*described["Globals"]["Function"]["Layers"], *own] if "Ref" in layer]


def layered(function: str, folder: Path) -> Path:
    """Return a folder that serves the function as /opt: its layers' files, linked, not copied."""
    opt = folder / "-".join(layers_of(function))
    if not opt.exists():
        for layer in layers_of(function):
            shutil.copytree(BUILD / layer, opt, copy_function=_link, dirs_exist_ok=True)
    return opt


def _link(source: str, target: str) -> None:
    Path(target).unlink(missing_ok=True)
    try:
        Path(target).hardlink_to(source)
    except OSError:  # another file system
        shutil.copy2(source, target)


def _is_fresh() -> bool:
    """Return whether the code of each function and of the core layer equals the sources, for this machine."""
    described = BUILD / "template.yaml"
    if not described.exists() or f"- {MACHINE}\n" not in described.read_text(encoding="utf-8"):
        return False
    pairs = [(ROOT / "functions" / function, BUILD / logical_id(function)) for function in FUNCTIONS]
    pairs.append((ROOT / "layers/core/batchdrop", BUILD / "CoreLayer/python/batchdrop"))
    return _is_native() and all(_is_copy(source, copy) for source, copy in pairs)


def _is_native() -> bool:
    """Return whether both layers are built for this machine; `make deploy` builds them for the template's."""
    machine = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
    wheels = [("CoreLayer", "msgspec"), ("FormatsLayer", "zstandard")]
    return all(any((BUILD / layer / "python" / name).glob(f"*-{machine}-linux-gnu.so")) for layer, name in wheels)


def _is_copy(source: Path, copy: Path) -> bool:
    files = [path.relative_to(source) for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    shipped = [str(path) for path in files if path.parts[0] not in NOT_SHIPPED]
    return not any(filecmp.cmpfiles(source, copy, shipped, shallow=False)[1:])
