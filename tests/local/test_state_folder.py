"""The state of a durable stack: what ministack wrote is there after a kill, and half a write is undone."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from batchdrop.local.stack import EmbeddedStack, StackOptions
from batchdrop.local.state_folder import StateFolder
from tests.local.polling import eventually

BUCKET = "batchdrop-000000000000-us-east-1"
PART = 5 << 20


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """A folder with an object in two versions, as ministack stores them."""
    state = StateFolder(tmp_path / "state")
    state.prepare()
    _write(state, "jobs/a/manifest.json", b"second", version="v2")
    kept = state.bucket_data / ".versions" / "000000000000" / BUCKET / "v1" / "jobs/a/manifest.json"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"first")
    return state


def _path(state: StateFolder, key: str) -> Path:
    return state.bucket_data / "000000000000" / BUCKET / key


def _write(state: StateFolder, key: str, body: bytes, *, version: str) -> None:
    path = _path(state, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    Path(f"{path}.meta.json").write_text(json.dumps({"version_id": version, "size": len(body)}))


def _cut_off(state: StateFolder, key: str, body: bytes) -> None:
    """Write an object's bytes but not its metadata, as a kill between the two leaves them."""
    path = _path(state, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    later = time.time_ns() + 1_000_000_000
    os.utime(path, ns=(later, later))


def test_finished_writes_stay(state: StateFolder) -> None:
    """They can be found and read without a stack."""
    state.prepare()
    assert state.read("jobs/a/manifest.json") == b"second"
    assert state.keys("jobs/", "manifest.json") == ["jobs/a/manifest.json"]
    assert (state.read("jobs/b/manifest.json"), state.keys("results/", "x")) == (None, [])


def test_a_replacement_that_was_cut_off_is_undone(state: StateFolder) -> None:
    """Ministack keeps the old version first, so the object and its metadata fit again."""
    _write(state, "jobs/a/manifest.json", b"first", version="v1")
    _cut_off(state, "jobs/a/manifest.json", b"third, and longer")
    state.prepare()
    assert state.read("jobs/a/manifest.json") == b"first"
    state.prepare()
    assert state.read("jobs/a/manifest.json") == b"first"


def test_a_first_write_that_was_cut_off_is_undone(state: StateFolder) -> None:
    """The object was not there before, and is not there now."""
    _cut_off(state, "jobs/b/manifest.json", b"half")
    _cut_off(state, "jobs/b/split.json.tmp", b"h")
    state.prepare()
    assert state.read("jobs/b/manifest.json") is None
    assert not _path(state, "jobs/b/split.json.tmp").exists()


def test_only_its_user_may_look(state: StateFolder) -> None:
    """Mode 0700, whatever the umask was."""
    state.path.chmod(0o755)
    state.prepare()
    assert state.path.stat().st_mode & 0o777 == 0o700


@pytest.mark.stack
def test_a_killed_stack_keeps_its_bucket(template: Path, tmp_path: Path) -> None:
    """SIGKILL of ministack right after the writes: versions, metadata, parts and copies are as they were told."""
    options = StackOptions(template=template, log_dir=tmp_path / "logs", state=StateFolder(tmp_path / "state"))
    first = EmbeddedStack(options).start()
    try:
        s3 = first.clients.s3()
        told = [
            s3.put_object(Bucket=first.bucket, Key="jobs/a", Body=body, Metadata={"who": "me"})
            for body in (b"1", b"22")
        ]
        parts = s3.create_multipart_upload(Bucket=first.bucket, Key="jobs/parts")
        place: Any = {"Bucket": first.bucket, "Key": "jobs/parts", "UploadId": parts["UploadId"]}
        etags = [s3.upload_part(**place, PartNumber=1, Body=b"x" * PART)["ETag"]]
        copy = s3.upload_part_copy(**place, PartNumber=2, CopySource={"Bucket": first.bucket, "Key": "jobs/a"})
        etags.append(copy["CopyPartResult"]["ETag"])
        whole = s3.complete_multipart_upload(
            **place, MultipartUpload={"Parts": [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(etags, 1)]}
        )
        s3.put_object(Bucket=first.bucket, Key="jobs/gone", Body=b"g")
        s3.delete_object(Bucket=first.bucket, Key="jobs/gone")
        _kill_ministack(first)
    finally:
        first.shutdown()

    with EmbeddedStack(options) as second:
        assert second.bucket == first.bucket
        s3 = second.clients.s3()
        newest = s3.get_object(Bucket=second.bucket, Key="jobs/a")
        assert (newest["Body"].read(), newest["Metadata"], newest["ETag"]) == (b"22", {"who": "me"}, told[1]["ETag"])
        assert newest.get("VersionId") == told[1].get("VersionId")
        if "VersionId" in told[0]:
            old = s3.get_object(Bucket=second.bucket, Key="jobs/a", VersionId=told[0]["VersionId"])
            assert old["Body"].read() == b"1"
        parts_again = s3.get_object(Bucket=second.bucket, Key="jobs/parts")
        assert (parts_again["ETag"], parts_again["ContentLength"]) == (whole["ETag"], PART + 2)
        listed = s3.list_objects_v2(Bucket=second.bucket, Prefix="jobs/")["Contents"]
        assert [one["Key"] for one in listed] == ["jobs/a", "jobs/parts"]
        # The second stack is whole: an upload still starts its job.
        s3.put_object(Bucket=second.bucket, Key="inbox/recipe/again.json", Body=b'[{"do": "ok"}]')
        states = second.clients.stepfunctions()
        found = eventually(
            lambda: states.list_executions(stateMachineArn=second.state_machine_arn)["executions"], what="the job"
        )
        assert "again" in {one["name"] for one in found}


def _kill_ministack(stack: EmbeddedStack) -> None:
    assert stack._supervisor is not None
    for process in psutil.Process(stack._supervisor.pid).children():
        with contextlib.suppress(psutil.Error):
            process.kill()
    eventually(lambda: not _is_alive(stack), what="the end of the stack")


def _is_alive(stack: EmbeddedStack) -> bool:
    return stack._supervisor is not None and stack._supervisor.is_alive()
