"""What the stack's owner tells the supervisor, and what it answers: one JSON line each way."""

import dataclasses
import json
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class StackSpec:
    """How to start the stack's processes.

    `temp_dir` is the stack's own and is removed at the end; `log_dir` is kept unless it lies inside. No
    `claude_arguments` means no emulator. `ministack_port` None means any free one. `logs_requests`: ministack's log
    has a line for each request.
    """

    temp_dir: Path
    log_dir: Path
    wait_scale: float
    ministack_port: int | None
    claude_arguments: tuple[str, ...] | None
    logs_requests: bool = False

    def to_line(self) -> str:
        """One line of JSON, with its newline."""
        return json.dumps(dataclasses.asdict(self), default=str) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "StackSpec":
        """The spec that `to_line` wrote."""
        fields = json.loads(line)
        arguments = fields.pop("claude_arguments")
        return cls(
            temp_dir=Path(fields.pop("temp_dir")),
            log_dir=Path(fields.pop("log_dir")),
            claude_arguments=None if arguments is None else tuple(arguments),
            **fields,
        )


@dataclasses.dataclass(frozen=True)
class StackReport:
    """The supervisor's one answer: where the services are, or why there are none."""

    endpoint_url: str = ""
    claude_base_url: str | None = None
    error: str | None = None

    def to_line(self) -> str:
        """One line of JSON, with its newline."""
        return json.dumps(dataclasses.asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "StackReport":
        """The report that `to_line` wrote."""
        return cls(**json.loads(line))
