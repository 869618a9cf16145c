"""Hooks of S3: object bodies and emptying a bucket."""

import base64
from pathlib import Path
from typing import Any

import pulumi

from sandbox.providers.aws.hooks import hook
from sandbox.providers.aws.run import Run
from sandbox.providers.aws.table import Call
from sandbox.providers.serve import ProviderError

_BATCH = 1000
"""Most keys that one DeleteObjects call takes (S3's API reference)."""


@hook
def empty_bucket(run: Run, _call: Call) -> None:
    """Delete every object, version and unfinished upload where ``forceDestroy`` is given."""
    if not run.state.get("forceDestroy"):
        return
    bucket = {"Bucket": run.id}
    found = run.call("ListObjectVersions", bucket)
    entries = [*found.get("Versions", []), *found.get("DeleteMarkers", [])]
    keys = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in entries]
    for start in range(0, len(keys), _BATCH):
        batch: dict[str, Any] = {"Objects": keys[start : start + _BATCH], "Quiet": True}
        run.status(f"emptying {run.id}: {start} of {len(keys)}")
        errors = run.call("DeleteObjects", {**bucket, "Delete": batch}).get("Errors") or []
        if errors:
            raise ProviderError(f"DeleteObjects: {errors[0].get('Code')} for {errors[0].get('Key')!r}")
    for upload in run.call("ListMultipartUploads", bucket).get("Uploads") or []:
        run.call("AbortMultipartUpload", {**bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]})


def _body(run: Run) -> bytes:
    """Give the object's content from whichever input has it."""
    inputs = run.inputs
    if inputs.get("contentBase64") is not None:
        return base64.b64decode(inputs["contentBase64"])
    source = inputs.get("source")
    if isinstance(source, pulumi.FileAsset):
        return Path(source.path).read_bytes()
    if isinstance(source, pulumi.StringAsset):
        return source.text.encode()
    if source is not None:
        raise ProviderError(f"the stand-in takes a file or text as source, not a {type(source).__name__}")
    return str(inputs.get("content") or "").encode()


@hook
def put_object(run: Run, call: Call) -> dict[str, Any]:
    """Write the object."""
    return run.call("PutObject", {**run.arguments(call), "Body": _body(run)})


@hook
def delete_object(run: Run, _call: Call) -> None:
    """Delete the object; in a versioned bucket all its versions, as the genuine provider does it."""
    bucket, key = run.state["bucket"], run.state["key"]
    if not run.state.get("versionId") or run.state["versionId"] == "null":
        run.call("DeleteObject", {"Bucket": bucket, "Key": key})
        return
    found = run.call("ListObjectVersions", {"Bucket": bucket, "Prefix": key})
    for item in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]:
        if item["Key"] == key:
            run.call("DeleteObject", {"Bucket": bucket, "Key": key, "VersionId": item["VersionId"]})
