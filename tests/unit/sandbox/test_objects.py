"""Buckets as S3 has them."""

from __future__ import annotations

import pytest

from tests.sandbox.rig import Sandbox

pytestmark = pytest.mark.sandbox


def test_a_versioned_bucket_in_which_an_object_was_deleted_can_be_emptied(aws: Sandbox) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="life")
    s3.put_bucket_versioning(Bucket="life", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket="life", Key="ledger", Body=body)
    s3.delete_object(Bucket="life", Key="ledger")
    s3.put_bucket_versioning(Bucket="life", VersioningConfiguration={"Status": "Suspended"})  # as destroy does first
    found = s3.list_object_versions(Bucket="life")
    entries = [*found["Versions"], *found["DeleteMarkers"]]
    assert len(entries) == 3, "two versions and a marker"
    keys = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
    answer = s3.delete_objects(Bucket="life", Delete={"Objects": keys})
    assert "Errors" not in answer, answer
    s3.delete_bucket(Bucket="life")
