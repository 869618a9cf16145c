"""Who holds a token of `aws eks get-token`, and what access entries make of that principal.

https://github.com/kubernetes-sigs/aws-iam-authenticator: a token is `k8s-aws-v1.` and, in base64url without padding,
a presigned URL of STS's GetCallerIdentity whose signature covers the header x-k8s-aws-id, the cluster's name. EKS
sends the URL to STS; here the signature is checked at hand, with the secret of the access key. Refused: other hosts,
actions, headers and clusters, a URL older than its X-Amz-Expires or than 15 minutes, a wrong signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.sts.models import sts_backends

from sandbox.aws.eks import checks
from sandbox.aws.eks.model import Cluster, Content

PREFIX = "k8s-aws-v1."
LONGEST = timedelta(minutes=15)
STS_HOST = re.compile(r"sts(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?")
ACTION = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}
_ASSUMED = re.compile(r"arn:[\w-]+:sts::(\d+):assumed-role/([^/]+)/(.+)")


class TokenError(Exception):
    """A token that is not accepted; says why."""


def caller(token: str, cluster: str, own_host: str, secret_of: Callable[[str], str | None]) -> str:
    """The access key that signed a token.

    Args:
        token: as the client sends it.
        cluster: whose API server asks.
        own_host: host and port of the sandbox's AWS API, which stands in for STS's.
        secret_of: secret of an access key; None for an unknown one.

    Raises:
        TokenError: the token is not good.
    """
    url = _url(token)
    parts = urlsplit(url)
    if parts.netloc != own_host and not STS_HOST.fullmatch(parts.netloc):
        raise TokenError(f"the token's URL names {parts.netloc}, which is not STS")
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = dict(pairs)
    if parts.path not in {"", "/"} or {k: query.get(k) for k in ACTION} != ACTION:
        raise TokenError("the token's URL is no GetCallerIdentity of STS")
    if set(query.get("X-Amz-SignedHeaders", "").split(";")) != {"host", "x-k8s-aws-id"}:
        raise TokenError("the token's signature does not cover exactly host and x-k8s-aws-id")
    _check_time(query)
    access_key, *scope = query.get("X-Amz-Credential", "").split("/")
    secret = secret_of(access_key)
    if secret is None or len(scope) != 4:
        raise TokenError("the token's access key is unknown")
    headers = {"host": parts.netloc, "x-k8s-aws-id": cluster}
    wanted = _signature(secret, scope, query["X-Amz-Date"], pairs, headers)
    if not hmac.compare_digest(wanted, query.get("X-Amz-Signature", "")):
        raise TokenError(f"the token's signature is wrong, or it was made for another cluster than {cluster}")
    return access_key


def _url(token: str) -> str:
    if not token.startswith(PREFIX):
        raise TokenError(f"the token does not begin with {PREFIX}")
    text = token.removeprefix(PREFIX)
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise TokenError("the token is no base64url") from error


def _check_time(query: dict[str, str]) -> None:
    try:
        made = datetime.strptime(query.get("X-Amz-Date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        lasts = min(timedelta(seconds=int(query.get("X-Amz-Expires", "0"))), LONGEST)
    except ValueError as error:
        raise TokenError("the token's URL has no time") from error
    now = datetime.now(UTC)
    if made - LONGEST > now or made + max(lasts, LONGEST) < now:
        raise TokenError("the token has expired")


def _signature(
    secret: str, scope: list[str], moment: str, pairs: list[tuple[str, str]], headers: dict[str, str]
) -> str:
    """AWS Signature Version 4 of a presigned GET. https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html."""
    encoded = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in pairs if k != "X-Amz-Signature")
    names = ";".join(sorted(headers))
    lines = [
        "GET",
        "/",
        "&".join(f"{k}={v}" for k, v in encoded),
        *(f"{name}:{headers[name]}" for name in sorted(headers)),
        "",
        names,
        hashlib.sha256(b"").hexdigest(),
    ]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", moment, "/".join(scope), digest])
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def secret_of(own: dict[str, Any], access_key: str) -> str | None:
    """The secret of an access key: the sandbox's own, an assumed role's, or an IAM user's."""
    if access_key == own.get("access_key"):
        return str(own["secret_key"])
    for account in sts_backends.values():
        for backend in account.values():
            role = backend.get_assumed_role_from_access_key(access_key)
            if role is not None:
                return str(role.secret_access_key)
    for user in checks.iam().users.values():
        for key in user.access_keys:
            if key.access_key_id == access_key and key.status == "Active":
                return str(key.secret_access_key)
    return None


def user(cluster: Cluster, arn: str) -> Content | None:
    """The Kubernetes user of a caller by the cluster's access entries; None when no entry names it.

    Args:
        cluster: with its entries.
        arn: as GetCallerIdentity says it.
    """
    match = _ASSUMED.fullmatch(arn)
    role = checks.role_named(match.group(2)) if match else None
    entry = cluster.access_entries.get(role.arn if role else arn)
    if entry is None:
        return None
    session = match.group(3) if match else ""
    name = entry.content["username"]
    for variable, value in (
        ("SessionNameRaw", session),
        ("SessionName", session.replace("@", "-")),
        ("AccountID", DEFAULT_ACCOUNT_ID),
    ):
        name = name.replace(f"{{{{{variable}}}}}", value)
    groups = list(entry.content["kubernetesGroups"])
    for policy in entry.private["policies"].values():
        short, scope = policy["policyArn"].rsplit("/", 1)[-1], policy["accessScope"]
        groups += [f"eks-access:{short}:{n}" for n in scope["namespaces"]] or [f"eks-access:{short}"]
    extra = {"arn": [arn], "sessionName": [session]}
    return {"username": name, "uid": f"aws-iam-authenticator:{arn}", "groups": groups, "extra": extra}
