import boto3
import pytest
from botocore.exceptions import ClientError

from provider.errors import ProviderError
from tests.unit.provider.conftest import REGION, Harness


def inputs(bucket: str) -> dict[str, str]:
    return {"region": REGION, "bucket": bucket}


def marked(bucket: str) -> bool:
    try:
        boto3.client("s3", REGION).head_object(Bucket=bucket, Key="closing")
    except ClientError:
        return False
    return True


def test_deleting_the_mark_writes_it_and_creating_it_removes_a_stale_one(engine: Harness, bucket: str) -> None:
    _, state = engine.create("ClosingMark", inputs(bucket))
    assert not marked(bucket)
    engine.delete("ClosingMark", state)
    assert marked(bucket), "destroy must tell the agents before it touches an instance"
    engine.create("ClosingMark", inputs(bucket))
    assert not marked(bucket), "a cluster made again on the same bucket must not stay idle"


def test_a_bucket_that_is_gone_does_not_stop_a_destroy(engine: Harness, bucket: str) -> None:
    _, state = engine.create("ClosingMark", inputs(bucket))
    boto3.client("s3", REGION).delete_bucket(Bucket=bucket)
    engine.delete("ClosingMark", state)


def test_a_bucket_that_is_missing_at_creation_is_an_error_with_the_resource_s_name(engine: Harness) -> None:
    with pytest.raises(ProviderError, match=r"ClosingMark it: .*NoSuchBucket"):
        engine.create("ClosingMark", inputs("nothing"))


def test_another_bucket_replaces_the_mark(engine: Harness, bucket: str) -> None:
    _, state = engine.create("ClosingMark", inputs(bucket))
    assert engine.diff("ClosingMark", state, inputs("other")).replaces == ["bucket"]
    assert engine.diff("ClosingMark", state, inputs(bucket)).changes is False
