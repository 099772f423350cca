"""What checkov finds, and what is excepted: neither more nor less than is explained."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.expanded import everything
from tests.project import ROOT
from tools.findings import CONFIG, EVERYTHING, by_check, complaints, exceptions

REASON = re.compile(r"^  # (.{40,})$")


def test_every_exception_has_its_reason() -> None:
    """A sentence above it, or above the exception before it that has the same reason; each stands there once."""
    reason = ""
    told: dict[str, str] = {}
    for line in CONFIG.read_text(encoding="utf-8").splitlines():
        if found := REASON.match(line):
            reason = found[1]
        elif line.startswith("  - "):
            assert line.removeprefix("  - ") not in told
            told[line.removeprefix("  - ")] = reason
    assert told.keys() == exceptions()
    assert all(told.values())


def test_reasons_name_tests_that_exist() -> None:
    """Where a reason leans on a test, it is there."""
    for path in re.findall(r"tests/[\w/]+\.py", CONFIG.read_text(encoding="utf-8")):
        assert (ROOT / path).is_file(), path


def test_a_finding_without_an_exception_is_told() -> None:
    """With the resource and checkov's own words."""
    assert complaints({"CKV_1": {"AWS::S3::Bucket.Bucket: public"}}, set()) == ["CKV_1: AWS::S3::Bucket.Bucket: public"]


def test_an_exception_without_a_finding_is_told() -> None:
    """A fixed finding must lose its exception."""
    assert complaints({}, {"CKV_1"}) == ["CKV_1: nothing is found; drop it from .checkov.yaml"]
    assert complaints({"CKV_1": {"x"}}, {"CKV_1"}) == []


def _report(**summary: int) -> dict[str, Any]:
    failed = [{"check_id": "CKV_1", "resource": "Bucket", "check_name": "public"}]
    return {"summary": {"passed": 1, "parsing_errors": 0, **summary}, "results": {"failed_checks": failed}}


def test_findings_are_read() -> None:
    """By check, with resources."""
    assert by_check(_report()) == {"CKV_1": {"Bucket: public"}}


@pytest.mark.parametrize("summary", [{"parsing_errors": 1}, {"passed": 0}])
def test_a_template_that_was_not_read_is_no_success(summary: dict[str, int]) -> None:
    """No finding in nothing."""
    with pytest.raises(ValueError, match="could not read"):
        by_check(_report(**summary))


def test_everything_is_everything() -> None:
    """Each condition of the template is on in the variant that has every option on."""
    kinds = {one["Type"] for one in everything()["Resources"].values()}
    assert {"AWS::SNS::Topic", "AWS::Events::Rule"} <= kinds
    assert EVERYTHING["KmsKeyArn"] in str(everything())
