"""`batchdrop up` against a real service: the next one goes on with what a killed one left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batchdrop.cli.run.run_folder import RunFolder
from batchdrop.local.aws_clients import AwsClients
from tests.cli.commands import BATCHDROP, Command, start
from tests.cli.real_service import DAY, KEY, WAIT_SCALE, RealService, kill_command, reach, real_service
from tests.cli.stored_run import store
from tests.local.polling import eventually

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

BUCKET = "batchdrop-000000000000-us-east-1"


def _up(service: RealService) -> Command:
    place = service.folder / f"up{len(service.started)}"
    place.mkdir()
    command = start(
        [BATCHDROP, "up", "--out", service.folder / "out", "--wait-scale", str(WAIT_SCALE)],
        place,
        ANTHROPIC_BASE_URL=service.claude.base_url,
        ANTHROPIC_API_KEY=KEY,
    )
    service.started.append(command)
    reach(service, command, lambda _service, one: "Ctrl-C" in one.output)
    return command


def _s3(command: Command) -> S3Client:
    line = next(line for line in command.output.splitlines() if line.startswith("AWS endpoint"))
    return AwsClients(line.split()[-1]).s3()


def test_a_killed_up_goes_on(tmp_path: Path) -> None:
    """The second `up` finds the job and its Message Batch: one create, one bill, one output."""
    with real_service(tmp_path) as service:
        first = _up(service)
        s3 = _s3(first)
        for name, key in (("ask.yaml", "recipes/ask.yaml"), ("rows.csv", "inbox/ask/rows.csv")):
            s3.upload_file(str(tmp_path / name), BUCKET, key)
        eventually(service.created, seconds=120, what="the create")
        kill_command(first)
        (path,) = (tmp_path / "out").glob("up-*")
        with RunFolder(path).locked():  # so the first stack has ended
            store(RunFolder(path), "inbox/ask/late.csv", b"id,text\n1,one\n")

        second = _up(service)
        assert " goes on as execution " in second.output
        assert "inbox/ask/late.csv was dropped, but its job had not begun; drop it again" in second.output
        assert "inbox/ask/rows.csv was dropped" not in second.output

        def output() -> list[str]:
            found = _s3(second).list_objects_v2(Bucket=BUCKET, Prefix="results/ask/rows/").get("Contents", [])
            return [one["Key"] for one in found if one["Key"].endswith("/output.csv")]

        (key,) = eventually(output, seconds=150, what="the output")
        answered = _s3(second).get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
        assert answered.count(",answered,") == service.rows
        service.claude.advance(DAY)
        assert (service.created(), service.claude.bill_summary()["requests"]) == (1, service.rows)
        second.interrupt()
        assert second.ended() == 0, second.output
        assert service.keeps_no_key()
