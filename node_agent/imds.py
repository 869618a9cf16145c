"""The instance's metadata, IMDSv2 only (docs.aws.amazon.com: "Use IMDSv2")."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request

from node_agent.ports import AwayError, Identity

ENDPOINT = "http://169.254.169.254"
TOKEN_SECONDS = 3600
GROUP_TAG = "tags/instance/aws:autoscaling:groupName"


class Imds:
    """Metadata of this instance."""

    def __init__(self) -> None:
        self._endpoint = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", ENDPOINT).rstrip("/")
        self._token, self._until = "", 0.0
        # a proxy in the environment must not see, or break, what is link-local
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def get(self, path: str) -> str | None:
        """One value below ``latest/meta-data``; None when there is none.

        Raises:
            AwayError: the service does not answer.
        """
        for attempt in (1, 2):
            request = urllib.request.Request(  # noqa: S310  (link-local, fixed scheme)
                f"{self._endpoint}/latest/meta-data/{path}", headers={"X-aws-ec2-metadata-token": self._fresh()}
            )
            try:
                with self._open(request, timeout=3) as answer:
                    return str(answer.read().decode())
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    return None
                if error.code == 401 and attempt == 1:
                    self._until = 0.0
                    continue
                raise AwayError(f"IMDS {path}: HTTP {error.code}") from error
            except OSError as error:
                raise AwayError(f"IMDS {path}: {error}") from error
        raise AwayError(f"IMDS {path}: token refused")

    def _fresh(self) -> str:
        if time.monotonic() < self._until:
            return self._token
        request = urllib.request.Request(  # noqa: S310
            f"{self._endpoint}/latest/api/token", method="PUT",
            headers={"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)},
        )  # fmt: skip
        try:
            with self._open(request, timeout=3) as answer:
                self._token = answer.read().decode()
        except OSError as error:
            raise AwayError(f"IMDS token: {error}") from error
        self._until = time.monotonic() + TOKEN_SECONDS - 60
        return self._token

    def identity(self) -> Identity:
        """Who this instance is.

        Raises:
            AwayError: the service does not answer, or not whole.
        """
        found = [self.get(p) for p in ("instance-id", "local-ipv4", "placement/availability-zone", "local-hostname")]
        instance, address, zone, hostname = found
        if not instance or not address or not zone:
            raise AwayError(f"IMDS: identity is not whole: {found}")
        return Identity(instance, address, zone, hostname or instance)
