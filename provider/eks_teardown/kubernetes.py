"""The cluster's API server over HTTPS, with the token that ``aws eks get-token`` would give."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

from provider.eks_teardown.objects import Kind, Thing
from provider.handler import Context

TOKEN_PREFIX = "k8s-aws-v1."  # noqa: S105 (says what follows)
CLUSTER_HEADER = "x-k8s-aws-id"
"""Names the cluster inside the signature, so that a token works for one only: aws-iam-authenticator's README."""
PRESIGNED_SECONDS = 60
"""As ``aws eks get-token`` signs; the authenticator takes a token for 15 minutes after that."""
TOKEN_SECONDS = 600
"""After which a new one is made: well before the 15 minutes are over."""
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 5, 30, 3
OVERLOADED = (429, 502, 503, 504)
"""Answers of a server, or of something before it, that cannot answer now. A webhook that fails is 500: a refusal."""
PAGE = 500
"""Objects in an answer, as kubectl asks (``--chunk-size``)."""


class UnreachableError(Exception):
    """The API server does not answer."""


class RefusedError(Exception):
    """It answers, and says no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"HTTP {status}: {message}")
        self.status = status


def token_source(context: Context, cluster: str) -> Callable[[], str]:
    """Makes tokens for the cluster; the same one until it is old."""
    sts = context.aws("sts")

    def take_name(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        if CLUSTER_HEADER in params:
            context[CLUSTER_HEADER] = params.pop(CLUSTER_HEADER)

    def add_header(request: Any, **_: Any) -> None:
        if CLUSTER_HEADER in request.context:
            request.headers[CLUSTER_HEADER] = request.context[CLUSTER_HEADER]

    sts.meta.events.register("provide-client-params.sts.GetCallerIdentity", take_name)
    sts.meta.events.register("before-sign.sts.GetCallerIdentity", add_header)
    made: tuple[float, str] = (-TOKEN_SECONDS, "")

    def token() -> str:
        nonlocal made
        if time.monotonic() - made[0] >= TOKEN_SECONDS:
            url = sts.generate_presigned_url(
                "get_caller_identity", Params={CLUSTER_HEADER: cluster}, ExpiresIn=PRESIGNED_SECONDS, HttpMethod="GET"
            )
            made = (time.monotonic(), TOKEN_PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("="))
        return made[1]

    return token


class ClusterApi:
    """The few calls that the teardown makes."""

    def __init__(self, endpoint: str, authority: str, token: Callable[[], str]) -> None:
        """Reach ``endpoint``, whose certificate ``authority`` (PEM) signed; ``token`` gives the bearer token."""
        import urllib3  # noqa: PLC0415
        from botocore.utils import get_environ_proxies  # noqa: PLC0415

        # Each attempt would be a warning on the plugin's stderr; what is waited for is said by the pace.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        retries = urllib3.Retry(
            total=ATTEMPTS - 1,
            backoff_factor=0.5,
            status_forcelist=OVERLOADED,
            allowed_methods=None,
            raise_on_status=False,
        )
        options: dict[str, Any] = {
            "ca_cert_data": authority,
            "retries": retries,
            "timeout": urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        }
        proxy = get_environ_proxies(endpoint).get("https")
        self._http = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
        self._endpoint = endpoint.rstrip("/")
        self._token = token
        self._base = cache(self._find_base)

    def list(self, kind: Kind) -> list[Thing]:
        """Every object of the kind; none when the cluster does not know the kind."""
        base = self._base(kind)
        return [] if base is None else [Thing(kind, item) for item in self._pages(f"{base}/{kind.plural}")]

    def get(self, path: str) -> dict[str, Any] | None:
        """One answer, None for 404."""
        return self._call("GET", path)

    def delete(self, thing: Thing) -> None:
        """Ask for its deletion; its dependents go in the background. One that is gone already is fine."""
        path = self._path(thing)
        if path:
            self._call("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"})

    def patch(self, thing: Thing, change: Mapping[str, Any]) -> None:
        """Merge ``change`` into it (RFC 7386)."""
        path = self._path(thing)
        if path:
            self._call("PATCH", path, change)

    def owner(self, thing: Thing) -> Thing | None:
        """The object whose controller made this one, None when nobody's did (or it is gone)."""
        for reference in thing.metadata.get("ownerReferences") or []:
            if reference.get("controller"):
                return self._referred(reference, thing.namespace)
        return None

    def _referred(self, reference: Mapping[str, Any], namespace: str) -> Thing | None:
        version = str(reference["apiVersion"])
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        for resource in (self.get(base) or {}).get("resources", []):
            if resource["kind"] == reference["kind"] and "/" not in resource["name"]:
                kind = Kind(resource["kind"], resource["name"], version.rpartition("/")[0])
                space = f"/namespaces/{namespace}" if resource["namespaced"] else ""
                found = self.get(f"{base}{space}/{kind.plural}/{quote(str(reference['name']))}")
                return Thing(kind, found) if found else None
        return None

    def _path(self, thing: Thing) -> str | None:
        base = self._base(thing.kind)
        if base is None:
            return None
        space = f"/namespaces/{quote(thing.namespace)}" if thing.namespace else ""
        return f"{base}{space}/{thing.kind.plural}/{quote(thing.name)}"

    def _find_base(self, kind: Kind) -> str | None:
        if not kind.group:
            return "/api/v1"
        group = self.get(f"/apis/{kind.group}")
        if group is None:
            return None
        versions = [group["preferredVersion"]["version"], *(v["version"] for v in group["versions"])]
        for version in versions:
            served = self.get(f"/apis/{kind.group}/{version}") or {}
            if any(resource["name"] == kind.plural for resource in served.get("resources", [])):
                return f"/apis/{kind.group}/{version}"
        return None

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        query = {"limit": str(PAGE)}
        while True:
            answer = self.get(f"{path}?{urlencode(query)}") or {}
            yield from answer.get("items") or []
            if not (more := answer.get("metadata", {}).get("continue")):
                return
            query["continue"] = more

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        content = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {self._token()}", "Accept": "application/json", "Content-Type": content}
        try:
            answer = self._http.request(
                method, self._endpoint + path, headers=headers, body=json.dumps(body).encode() if body else None
            )
        except HTTPError as error:
            raise UnreachableError(str(getattr(error, "reason", error))) from error
        if answer.status == 404:
            return None
        if answer.status in OVERLOADED:
            raise UnreachableError(f"HTTP {answer.status}: {_message(answer.data)}")
        if answer.status >= 400:
            raise RefusedError(answer.status, _message(answer.data))
        found: dict[str, Any] = json.loads(answer.data)
        return found


def _message(body: bytes) -> str:
    """The reason in a Status object, else the body itself."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")[:200]
