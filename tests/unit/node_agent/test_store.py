"""The state bucket against moto's S3: conditional writes as AWS documents them."""

import threading
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from node_agent.aws import RETRIES, S3Store
from node_agent.ports import ConflictError


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def client(endpoint: str) -> Any:
    return boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b",
        config=RETRIES,
    )  # fmt: skip


@pytest.fixture
def store(endpoint: str) -> S3Store:
    made = client(endpoint)
    made.create_bucket(Bucket="state")
    for row in made.list_objects_v2(Bucket="state").get("Contents", ()):
        made.delete_object(Bucket="state", Key=row["Key"])
    return S3Store("state", "us-east-1", client=made)


def test_a_first_write_wins_once(store: S3Store) -> None:
    etag = store.put("managers/record.json", {"epoch": 1}, None)
    with pytest.raises(ConflictError):
        store.put("managers/record.json", {"epoch": 1}, None)
    found = store.get("managers/record.json")
    assert found is not None and found.etag == etag and found.body["epoch"] == 1


def test_a_stale_etag_neither_writes_nor_deletes(store: S3Store) -> None:
    old = store.put("k", {"n": 1}, None)
    new = store.put("k", {"n": 2}, old)
    with pytest.raises(ConflictError):
        store.put("k", {"n": 3}, old)
    with pytest.raises(ConflictError):
        store.delete("k", old)
    found = store.get("k")
    assert found is not None and found.body["n"] == 2, "the loser changed nothing"
    store.delete("k", new)
    assert store.get("k") is None
    store.delete("k", new)


def test_equal_bodies_have_different_etags(store: S3Store) -> None:
    first = store.put("k", {"n": 1}, None)
    assert store.put("k", {"n": 1}, first) != first, "an ETag that comes back would let a stale writer in"


def test_a_condition_does_not_stick_to_the_next_request(store: S3Store) -> None:
    store.put("k", {}, None)
    store.write("k", {"n": 1})
    store.put_bytes("k", b"x")
    assert store.get_bytes("k") == b"x"
    store.remove("k")
    assert store.keys("") == [] and store.get_bytes("k") == b""


def test_a_write_whose_answer_was_lost_is_known_as_ones_own(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real = store._put

    def lossy(key: str, data: bytes) -> Any:
        real(key, data)
        raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "PutObject")

    monkeypatch.setattr(store, "_put", lossy)
    etag = store.put("k", {"n": 1}, None)
    found = store.get("k")
    assert found is not None and found.etag == etag, "a retry's 412 about one's own write is no conflict"


def test_one_of_many_at_once_wins(endpoint: str, store: S3Store) -> None:
    wins: list[int] = []
    barrier = threading.Barrier(5)

    def race(number: int) -> None:
        own = S3Store("state", "us-east-1", client=client(endpoint))
        barrier.wait()
        try:
            own.put("race", {"by": number}, None)
            wins.append(number)
        except ConflictError:
            pass

    threads = [threading.Thread(target=race, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1


def test_the_age_is_by_the_buckets_clock(store: S3Store) -> None:
    store.put("k", {}, None)
    found = store.get("k")
    assert found is not None and -2 <= found.age < 30
