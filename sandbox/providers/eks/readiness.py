"""Waiting until a new cluster's API answers."""

import asyncio
import http
import ssl
import urllib.error
import urllib.request

import pulumi

TRIES, PAUSE, REQUEST_SECONDS = 60, 5.0, 1.0
"""As the genuine component: 300 seconds in all."""


def healthy(endpoint: str) -> bool:
    """Ask ``/healthz`` once. The certificate is not checked: whoever connects later checks it by the cluster's CA."""
    context = ssl._create_unverified_context()  # noqa: S323
    try:
        with urllib.request.urlopen(f"{endpoint}/healthz", timeout=REQUEST_SECONDS, context=context) as answer:  # noqa: S310
            return bool(answer.status == http.HTTPStatus.OK)
    except (urllib.error.URLError, OSError):
        return False


async def wait(endpoint: str, resource: pulumi.Resource, tries: int = TRIES, pause: float = PAUSE) -> str:
    """Give the endpoint when it answers, or when it did not in time: the genuine component goes on then, too."""
    for attempt in range(tries):
        if await asyncio.to_thread(healthy, endpoint):
            pulumi.log.info("Cluster is ready", resource, ephemeral=True)
            break
        left = (tries - attempt) * pause
        pulumi.log.info(f"waiting up to {left:.0f} more seconds for {endpoint}/healthz", resource, ephemeral=True)
        await asyncio.sleep(pause)
    return endpoint
