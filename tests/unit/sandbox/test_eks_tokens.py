"""Tokens of `aws eks get-token`: which are taken, and which are not."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import boto3
import pytest
from botocore.signers import RequestSigner

from sandbox.aws.eks.tokens import PREFIX, TokenError, caller

HOST = "127.0.0.1:4566"
KEY, SECRET = "AKIASANDBOX", "secret"


def token(
    cluster: str = "c",
    host: str = f"http://{HOST}",
    secret: str = SECRET,
    action: str = "GetCallerIdentity",
    expires: int = 60,
) -> str:
    """As the AWS CLI makes it (awscli/customizations/eks/get_token.py), by botocore's own signer."""
    session = boto3.Session(aws_access_key_id=KEY, aws_secret_access_key=secret, region_name="us-east-1")
    client = session.client("sts")
    signer = RequestSigner(
        client.meta.service_model.service_id, "us-east-1", "sts", "v4", session.get_credentials(), session.events
    )
    request: dict[str, Any] = {
        "method": "GET",
        "url": f"{host}/?Action={action}&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": cluster},
        "context": {},
    }
    url = signer.generate_presigned_url(request, region_name="us-east-1", expires_in=60, operation_name="")
    return PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def secret_of(key: str) -> str | None:
    return SECRET if key == KEY else None


@pytest.mark.parametrize("host", [f"http://{HOST}", "https://sts.us-east-1.amazonaws.com", "https://sts.amazonaws.com"])
def test_a_token_signed_for_this_cluster_is_taken(host: str) -> None:
    assert caller(token(host=host), "c", HOST, secret_of) == KEY


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"cluster": "another"}, "another cluster"),
        ({"secret": "guessed"}, "signature is wrong"),
        ({"host": "https://evil.example"}, "not STS"),
        ({"host": "https://sts.amazonaws.com.evil.example"}, "not STS"),
        ({"host": "http://127.0.0.1:1"}, "not STS"),
        ({"action": "GetSessionToken"}, "no GetCallerIdentity"),
    ],
)
def test_any_other_token_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(TokenError, match=words):
        caller(token(**given), "c", HOST, secret_of)


@pytest.mark.parametrize("text", ["", "nonsense", f"{PREFIX}!!!", f"{PREFIX}aHR0cHM6Ly9zdHMuYW1hem9uYXdzLmNvbS8"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(TokenError):
        caller(text, "c", HOST, secret_of)


def test_a_token_expires() -> None:
    made = token()
    later = datetime.now(UTC) + timedelta(minutes=16)
    with mock.patch("sandbox.aws.eks.tokens.datetime", wraps=datetime) as clock:
        clock.now.return_value = later
        with pytest.raises(TokenError, match="expired"):
            caller(made, "c", HOST, secret_of)


def test_a_changed_token_is_refused() -> None:
    url = (
        base64.urlsafe_b64decode(token().removeprefix(PREFIX) + "===")
        .decode()
        .replace("X-Amz-Expires=60", "X-Amz-Expires=900")
    )
    changed = PREFIX + base64.urlsafe_b64encode(url.encode()).decode()
    with pytest.raises(TokenError, match="signature is wrong"):
        caller(changed, "c", HOST, secret_of)


def test_an_unknown_access_key_is_refused() -> None:
    with pytest.raises(TokenError, match="access key is unknown"):
        caller(token(), "c", HOST, lambda key: None)
