"""Hooks of S3: object bodies and emptying a bucket."""

from typing import Any

from sandbox.providers.aws.hooks import hook
from sandbox.providers.aws.run import Run
from sandbox.providers.serve import ProviderError

_BATCH = 1000
"""Most keys that one DeleteObjects call takes (S3's API reference)."""


@hook
def empty_bucket(run: Run) -> None:
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
