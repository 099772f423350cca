"""What an Eraser does on S3: what it erases is gone in all versions. The folder on this machine does it, too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from moto import mock_aws

from batchdrop.adapters.aws.s3_erasing import S3Eraser
from batchdrop.cli.forget.folder_files import FolderFiles
from batchdrop.errors import NotErased
from batchdrop.ports import ObjectMissing
from tests.aws import client

KEYS = ["a/1", "a/1.gz", "a/2", "b"]


@pytest.fixture
def eraser() -> Iterator[S3Eraser]:
    """A bucket with versions: each key was written twice, and `a/2` was deleted since."""
    with mock_aws():
        s3 = client("s3")
        s3.create_bucket(Bucket="bucket")
        s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
        for body in (b"old", b"new"):
            for key in KEYS:
                s3.put_object(Bucket="bucket", Key=key, Body=body)
        s3.delete_object(Bucket="bucket", Key="a/2")
        yield S3Eraser(s3, "bucket")


def left() -> list[tuple[str, bool]]:
    """Return the versions that are left: the key, and whether it is the newest."""
    found = client("s3").list_object_versions(Bucket="bucket")
    return sorted(
        (one["Key"], one["IsLatest"]) for one in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]
    )


def test_a_prefix_is_erased_with_all_versions(eraser: S3Eraser) -> None:
    """Also what was deleted before."""
    assert eraser.erase("a/") == 3
    assert left() == [("b", False), ("b", True)]
    assert eraser.erase("a/") == 0


def test_one_key_is_erased(eraser: S3Eraser) -> None:
    """Not another one that begins so."""
    assert (eraser.erase_key("a/1"), eraser.erase_key("a/1")) == (1, 0)
    assert {key for key, _ in left()} == {"a/1.gz", "a/2", "b"}


def test_one_version_is_erased(eraser: S3Eraser) -> None:
    """The others stay."""
    [newest] = [
        one for one in client("s3").list_object_versions(Bucket="bucket", Prefix="b")["Versions"] if one["IsLatest"]
    ]
    assert eraser.erase_key("b", newest["VersionId"]) == 1
    assert [key for key, _ in left()].count("b") == 1
    assert client("s3").get_object(Bucket="bucket", Key="b")["Body"].read() == b"old"


def test_old_versions_are_erased(eraser: S3Eraser) -> None:
    """Of a deleted object all."""
    assert eraser.erase_old("a/") == 3
    assert left() == [("a/1", True), ("a/1.gz", True), ("b", False), ("b", True)]
    client("s3").delete_object(Bucket="bucket", Key="a/1")
    assert eraser.erase_old("a/1") == 1


def test_a_bucket_without_versions() -> None:
    """Each object has one."""
    with mock_aws():
        client("s3").create_bucket(Bucket="bucket")
        client("s3").put_object(Bucket="bucket", Key="a", Body=b"")
        eraser = S3Eraser(client("s3"), "bucket")
        assert (eraser.erase_old(""), eraser.erase("a")) == (0, 1)
        assert left() == []


def test_a_refusal_is_told() -> None:
    """S3 answers 200, with the refusals in the body."""

    class _Locked:
        def get_paginator(self, _name: str) -> _Locked:
            return self

        def paginate(self, **_: str) -> list[dict[str, object]]:
            return [{"Versions": [{"Key": "a", "VersionId": "1", "IsLatest": True, "Size": 0}]}]

        def delete_objects(self, **_: object) -> dict[str, object]:
            return {"Errors": [{"Key": "a", "Code": "AccessDenied", "Message": "no"}]}

    locked: object = _Locked()
    with pytest.raises(NotErased, match=r"s3://bucket/a: .*AccessDenied.*s3:DeleteObjectVersion"):
        S3Eraser(locked, "bucket").erase("a")  # type: ignore[arg-type]  # as much of a client as it uses


def test_a_folder(tmp_path: Path) -> None:
    """Keys are those of a bucket; the files of another prefix stay."""
    files = FolderFiles({"results/r/": tmp_path / "r", "": tmp_path / "rest"})
    files.write("results/r/output.csv", b"0123456789")
    files.stitch("other", [b"<", "results/r/output.csv"])
    assert ([*files.keys("")], files.read("other")) == (["other", "results/r/output.csv"], b"<0123456789")
    assert (files.size("other"), files.read_range("other", 1, 3)) == (11, b"01")
    assert b"".join(files.stream("other", start=9)) == b"89"
    assert (tmp_path / "r" / "output.csv").read_bytes() == b"0123456789"
    assert (files.erase_old(""), files.erase("results/"), files.erase_key("none")) == (0, 1, 0)
    assert [*files.keys("")] == ["other"]
    with pytest.raises(ObjectMissing):
        files.read("results/r/output.csv")
