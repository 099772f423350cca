"""The messages between a stack's owner and its supervisor: one JSON line each way."""

import dataclasses
import json
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class StackSpec:
    """Options for the stack's processes.

    `temp_dir` belongs to the stack and is removed at the end; `log_dir` is kept unless it is inside. Without
    `claude_arguments` there is no emulator. `ministack_port` None means any free port. `logs_requests`: whether
    ministack logs each request. `bucket_data`: where ministack keeps the bucket's objects; None for memory only.
    `aws_calls`: the file in which functions record their AWS calls; None to record none.
    `commands`: the commands that the functions show to the user, as JSON; empty for those of a running stack.
    `keeps_open`: inherited file descriptors that the supervisor and ministack hold until they end.
    """

    temp_dir: Path
    log_dir: Path
    wait_scale: float
    ministack_port: int | None
    claude_arguments: tuple[str, ...] | None
    logs_requests: bool = False
    bucket_data: Path | None = None
    aws_calls: Path | None = None
    commands: str = ""
    keeps_open: tuple[int, ...] = ()

    def to_line(self) -> str:
        """Return one line of JSON, with its newline."""
        return json.dumps(dataclasses.asdict(self), default=str) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "StackSpec":
        """Return the spec from `to_line`'s line."""
        fields = json.loads(line)
        arguments, bucket_data = fields.pop("claude_arguments"), fields.pop("bucket_data")
        aws_calls = fields.pop("aws_calls")
        return cls(
            temp_dir=Path(fields.pop("temp_dir")),
            log_dir=Path(fields.pop("log_dir")),
            claude_arguments=None if arguments is None else tuple(arguments),
            bucket_data=None if bucket_data is None else Path(bucket_data),
            aws_calls=None if aws_calls is None else Path(aws_calls),
            keeps_open=tuple(fields.pop("keeps_open")),
            **fields,
        )


@dataclasses.dataclass(frozen=True)
class StackReport:
    """The supervisor's answer: the services' addresses, or the error."""

    endpoint_url: str = ""
    claude_base_url: str | None = None
    error: str | None = None

    def to_line(self) -> str:
        """Return one line of JSON, with its newline."""
        return json.dumps(dataclasses.asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "StackReport":
        """Return the report from `to_line`'s line."""
        return cls(**json.loads(line))
