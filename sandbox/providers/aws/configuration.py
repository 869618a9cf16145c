"""The provider's own settings (``aws:region``, ``aws:defaultTags``, ...)."""

import json
from collections.abc import Mapping
from typing import Any

from sandbox.providers.aws.client import Settings
from sandbox.providers.serve import ProviderError

FOLLOWED = {"region", "accessKey", "secretKey", "token", "profile", "endpoints", "defaultTags", "ignoreTags"}
"""Settings that the stand-in follows."""
HARMLESS = {
    "skipCredentialsValidation",
    "skipMetadataApiCheck",
    "skipRegionValidation",
    "skipRequestingAccountId",
    "s3UsePathStyle",
    "maxRetries",
    "retryMode",
    "version",
    "pluginDownloadURL",
}
"""Settings that make no difference to the stand-in: it validates no credentials, always uses paths for buckets, and
retries by itself."""


def check(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Refuse what would be followed by the genuine provider and is not by the stand-in."""
    return [
        (name, f"the stand-in for the AWS provider does not support the provider setting {name!r}")
        for name in sorted(given)
        if name not in FOLLOWED | HARMLESS and not name.startswith("__") and given[name] not in ("", [], {}, False)
    ]


def _decoded(value: Any) -> Any:
    # The engine hands every setting that is not a string over as JSON.
    if isinstance(value, str) and value[:1] in "[{":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def settings(given: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """Read the settings; the region may come from the environment, as with the genuine provider.

    Raises:
        ProviderError: no region, or a setting that is not followed.
    """
    for name, reason in check({key: _decoded(value) for key, value in given.items()}):
        raise ProviderError(f"aws:{name}: {reason}")
    region = given.get("region") or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not region:
        raise ProviderError("no region: set the config key aws:region, or AWS_REGION in the environment")
    tags = (_decoded(given.get("defaultTags")) or {}).get("tags") or {}
    ignored = _decoded(given.get("ignoreTags")) or {}
    blocks = _decoded(given.get("endpoints")) or []
    endpoints = {name: url for block in blocks for name, url in block.items() if url}
    return Settings(
        region=str(region),
        access_key=given.get("accessKey"),
        secret_key=given.get("secretKey"),
        token=given.get("token"),
        profile=given.get("profile"),
        endpoints=endpoints,
        default_tags={str(key): str(value) for key, value in tags.items()},
        ignore_tag_keys=frozenset(ignored.get("keys") or ()),
        ignore_tag_prefixes=tuple(ignored.get("keyPrefixes") or ()),
    )
