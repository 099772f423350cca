"""Read .xls, .xlsb and .ods through a child process, as the rows of a sheet."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import BinaryIO, Literal, NoReturn, Self

import msgspec

from batchdrop.adapters.formats.calamine.child import END, Problem, Sheets
from batchdrop.adapters.formats.xlsx.book import Book
from batchdrop.adapters.formats.xlsx.limits import MAX_XLSX_DIRECTORY_BYTES
from batchdrop.adapters.formats.xlsx.sheet import SheetRow
from batchdrop.errors import UploadRejected

Kind = Literal["xls", "xlsb", "ods"]

MAX_BOOK_BYTES = 500_000_000  # ours: a larger file does not fit into the child's memory, whatever it holds
_KILLED = {-signal.SIGABRT, -signal.SIGKILL, -signal.SIGXCPU, -signal.SIGSEGV}  # what memory and time limits end with
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_SAVE_AS = "Save it as an Excel workbook (.xlsx) and drop it again"
_REASONS: dict[Problem, str] = {
    "locked": "the workbook is locked with a password. Save it without one and drop it again",
    "broken": f"the workbook is broken (%s). {_SAVE_AS}",
    "large": f"the workbook is too large for its format: reading it takes more memory or time than we have. {_SAVE_AS}",
}


class OtherBook:
    """An open workbook of one of these kinds. Raises UploadRejected for a broken, locked or too large one."""

    def __init__(self, stream: BinaryIO, kind: Kind, filename: str) -> None:
        self._filename = filename
        with ExitStack() as opened:
            file = opened.enter_context(tempfile.NamedTemporaryFile(prefix="workbook-", suffix=f".{kind}"))
            if stream.seek(0, 2) > MAX_BOOK_BYTES:
                self._refuse("large")
            stream.seek(0)
            shutil.copyfileobj(stream, file)
            file.flush()
            self._child = opened.enter_context(_child(file.name))
            opened.callback(self._child.kill)  # its end is not awaited: nobody needs the rest
            self._sheets = msgspec.json.decode(self._line(), type=Sheets)
            if self._sheets.problem:
                self._refuse(self._sheets.problem, self._sheets.reason)
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def sheet(self, wanted: str | None) -> str:
        """Return the wanted sheet's name, or the first visible one. Raises UploadRejected."""
        if not self._sheets.names:
            self._refuse("broken", "it has no sheets")
        book = Book(sheets=dict.fromkeys(self._sheets.names, ""), hidden=set(self._sheets.hidden))
        return book.sheet(wanted, self._filename)

    def open_sheet(self, sheet: str) -> tuple[int, Iterator[SheetRow]]:
        """Return the number of a sheet's columns, and its rows that have a value. Raises UploadRejected."""
        assert self._child.stdin
        try:
            self._child.stdin.write(f"{self._sheets.names.index(sheet)}\n".encode())
            self._child.stdin.flush()
        except BrokenPipeError:
            self._refuse_ended()
        line = self._line()
        self._refuse_problem(line)
        return int(line), self._rows()

    def _rows(self) -> Iterator[SheetRow]:
        assert self._child.stdout
        decoder = msgspec.json.Decoder(SheetRow)
        for line in self._child.stdout:
            if line == END:
                return
            self._refuse_problem(line)
            yield decoder.decode(line)
        self._refuse_ended()

    def _line(self) -> bytes:
        assert self._child.stdout
        line = self._child.stdout.readline(MAX_XLSX_DIRECTORY_BYTES)
        if not line.endswith(b"\n"):
            self._refuse_ended()
        return line

    def _refuse_problem(self, line: bytes) -> None:
        if line.startswith(b"{"):  # numbers and rows do not
            problem = msgspec.json.decode(line, type=Sheets)
            self._refuse(problem.problem or "broken", problem.reason)

    def _refuse_ended(self) -> NoReturn:
        self._refuse("large" if self._child.wait() in _KILLED else "broken", "it cannot be read")

    def _refuse(self, problem: Problem, reason: str = "") -> NoReturn:
        text = _REASONS[problem]
        message = f"{self._filename}: {text % reason if '%s' in text else text}"
        raise UploadRejected(message)


def _child(path: str) -> subprocess.Popen[bytes]:
    # Lambda finds the layers through sys.path, which a child does not inherit. It gets no credentials.
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    return subprocess.Popen(  # noqa: S603 - this project's own module
        [sys.executable, "-P", "-m", "batchdrop.adapters.formats.calamine.child", path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
