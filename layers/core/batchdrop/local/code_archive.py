"""Make ZIP archives of functions and layers; the same files give the same bytes."""

import hashlib
import importlib.util
import io
import marshal
import shlex
import sys
import zipfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_WATCHDOG_FILE = Path(__file__).with_name("parent_watchdog.py")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_PLAIN, _EXECUTABLE = 0o100644, 0o100755
_NOT_CODE = ("Makefile", "requirements.txt")
_NOT_SHIPPED = ("batchdrop/cli/", "batchdrop/local/")  # layers/core/Makefile leaves out the same folders


@dataclass
class CodeArchive:
    """The files of one archive, by their names in it."""

    files: dict[str, bytes] = field(default_factory=dict)
    executables: set[str] = field(default_factory=set)

    def add_directory(self, directory: Path) -> None:
        """Add all files below `directory`, by relative path, with each module's bytecode beside it."""
        for path in sorted(directory.rglob("*")):
            name = path.relative_to(directory)
            if path.is_file() and not _is_left_out(name):
                self._add_file(path, name.as_posix())

    def _add_file(self, path: Path, name: str) -> None:
        self.files[name] = content = path.read_bytes()
        if path.suffix == ".py":
            self.files[importlib.util.cache_from_source(name)] = _compiled(content, name)

    def add_bootstrap(self) -> None:
        """Add the `bootstrap` that runs the handler in AWS's own runtime client, with this Python.

        The archive's root comes first on the path; third-party packages come from this environment.
        """
        runtime = shlex.join([sys.executable, "-P", str(_WATCHDOG_FILE), "awslambdaric"])
        script = f'#!/bin/sh\nexport PYTHONPATH="$LAMBDA_TASK_ROOT"\nexec {runtime} "$_HANDLER"\n'
        self.files["bootstrap"] = script.encode()
        self.executables.add("bootstrap")

    def to_zip(self) -> bytes:
        """Return the archive, uncompressed: it only travels over the loopback."""
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for name, content in sorted(self.files.items()):
                entry = zipfile.ZipInfo(name, _EPOCH)
                entry.create_system = 3  # Unix, for the mode below
                entry.external_attr = (_EXECUTABLE if name in self.executables else _PLAIN) << 16
                archive.writestr(entry, content)
        return out.getvalue()


def content_key(content: bytes, suffix: str) -> str:
    """Return the object key of an artifact: its hash, so the same content has the same key."""
    return f"{hashlib.sha256(content).hexdigest()[:32]}{suffix}"


def _is_left_out(name: Path) -> bool:
    hidden = any(part.startswith(".") or part == "__pycache__" for part in name.parts)
    not_shipped = name.as_posix() in _NOT_CODE or name.as_posix().startswith(_NOT_SHIPPED)
    return hidden or name.suffix == ".pyc" or not_shipped


@cache  # every function's archive holds the same layers
def _compiled(source: bytes, name: str) -> bytes:
    """Return the module's bytecode, valid without a check of the source, like in the real layer (PEP 552)."""
    code = compile(source, name, "exec", dont_inherit=True)
    unchecked_hash = (0b01).to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + unchecked_hash + importlib.util.source_hash(source) + marshal.dumps(code)
