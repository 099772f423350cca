"""`batchdrop up`: a stack to drop files into, until Ctrl-C; several side by side."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from batchdrop.local.application import application_folder
from batchdrop.local.aws_clients import AwsClients
from batchdrop.local.claude_api.testing import Emulator
from tests.cli.commands import BATCHDROP, Command, start
from tests.local.polling import eventually

pytestmark = pytest.mark.stack

EXAMPLES = application_folder() / "examples"
RECIPE = b"model: claude-haiku-5-5\nmax_tokens: 64\nprompt: 'Classify: {{ text }}'\n"


@dataclass
class Up:
    """A running `batchdrop up`, and what it printed."""

    command: Command
    endpoint: str
    claude: str
    bucket: str


def _up(folder: Path) -> Command:
    folder.mkdir()
    return start([BATCHDROP, "up", "--wait-scale", "0.001"], folder)


def _printed(command: Command) -> Up:
    """Wait until it says how to stop it, which is its last line."""

    def printed() -> bool:
        assert command.process.poll() is None, command.output
        return "Ctrl-C" in command.output

    eventually(printed, seconds=120, what="the end of the start")
    found = [
        re.search(rf"^{name} +(\S+)$", command.output, re.MULTILINE)
        for name in ("AWS endpoint", "Claude API", "bucket")
    ]
    endpoint, claude, bucket = (one.group(1) for one in found if one)
    return Up(command, endpoint, claude, bucket)


@pytest.fixture(scope="module")
def ups(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Up, Up]]:
    """Two at the same time; the tests below run in order, and the last ones end them."""
    folder = tmp_path_factory.mktemp("ups")
    commands = [_up(folder / "one"), _up(folder / "two")]
    try:
        yield _printed(commands[0]), _printed(commands[1])
    finally:
        for command in commands:
            command.kill_all()


def test_two_side_by_side(ups: tuple[Up, Up]) -> None:
    """They share neither endpoint nor emulator."""
    one, two = ups
    assert one.endpoint != two.endpoint
    assert one.claude != two.claude
    assert Emulator(two.claude).bill() == []


def test_says_how_to_drop_a_file(ups: tuple[Up, Up]) -> None:
    """The printed lines can be pasted into a shell as they are, in any folder: the examples come with batchdrop."""
    up = ups[0]
    account = r"AWS_ACCESS_KEY_ID=\S+ AWS_SECRET_ACCESS_KEY=\S+ AWS_DEFAULT_REGION=\S+"
    aws = rf"{account} aws --endpoint-url {up.endpoint} s3 cp"
    drop = rf"{aws} {EXAMPLES}/reviews.csv s3://{up.bucket}/inbox/sentiment/$"
    assert re.search(drop, up.command.output, re.MULTILINE)
    assert f"batchdrop drop {EXAMPLES}/recipes/sentiment.yaml {EXAMPLES}/reviews.csv" in up.command.output
    assert re.search(
        rf"{aws} {EXAMPLES}/recipes/sentiment.yaml s3://{up.bucket}/recipes/$", up.command.output, re.MULTILINE
    )
    assert re.search(rf"{aws} --recursive s3://{up.bucket}/results/ out/$", up.command.output, re.MULTILINE)


def test_dropped_file_is_answered(ups: tuple[Up, Up]) -> None:
    """A file put at the printed endpoint into the printed bucket comes back; the other stack knows nothing of it."""
    up, other = ups
    s3 = AwsClients(up.endpoint).s3()
    s3.put_object(Bucket=up.bucket, Key="recipes/ask.yaml", Body=RECIPE)
    s3.put_object(Bucket=up.bucket, Key="inbox/ask/x.csv", Body=b"text\ngood\nbad\n")

    def output() -> list[str]:
        found = s3.list_objects_v2(Bucket=up.bucket, Prefix="results/ask/x/").get("Contents", [])
        return [one["Key"] for one in found if one["Key"].endswith("/summary.json")]

    (summary,) = eventually(output, seconds=150, what="the answer")
    answered = s3.get_object(Bucket=up.bucket, Key=summary.replace("summary.json", "output.csv"))["Body"].read()
    assert answered.decode().count(",answered,") == 2
    assert Emulator(up.claude).bill_summary()["requests"] == 2
    assert Emulator(other.claude).bill() == []


def test_ctrl_c_ends_one_and_not_the_other(ups: tuple[Up, Up]) -> None:
    """Ctrl-C stops every process of that stack without an error; the other one runs until its own Ctrl-C."""
    one, two = ups
    one.command.interrupt()
    assert one.command.ended() == 0, one.command.output
    one.command.nothing_is_left()
    assert Emulator(two.claude).bill() == []
    assert two.command.process.poll() is None
    two.command.interrupt()
    assert two.command.ended() == 0, two.command.output
    two.command.nothing_is_left()
    assert "Traceback" not in one.command.output + two.command.output
