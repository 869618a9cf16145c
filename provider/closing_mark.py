"""ClosingMark: the object that tells the node agents to let go."""

import json
from collections.abc import Mapping
from typing import ClassVar

from provider import times
from provider.aws import error_code
from provider.handler import ACCESS, Context, Handler, Input
from provider.properties import Plain

KEY = "closing"
"""Where the agents look for it in the state bucket."""


class ClosingMarkHandler(Handler):
    """Its absence is the resource: deleting the resource writes the object."""

    inputs: ClassVar[Mapping[str, Input]] = {**ACCESS, "bucket": Input(str, replaces=True)}

    def create(self, inputs: Plain, context: Context) -> tuple[str, Plain]:
        """Remove a stale mark, so that the agents of this cluster work."""
        from botocore.exceptions import ClientError  # noqa: PLC0415

        s3 = context.aws("s3")
        try:
            s3.head_object(Bucket=inputs["bucket"], Key=KEY)
        except ClientError as error:
            if error_code(error) not in {"404", "NoSuchKey", "NotFound"}:
                raise
        else:
            s3.delete_object(Bucket=inputs["bucket"], Key=KEY)
        return f"{inputs['bucket']}/{KEY}", {}

    def delete(self, state: Plain, context: Context) -> None:
        """Write the mark; a bucket that is gone needs none."""
        from botocore.exceptions import ClientError  # noqa: PLC0415

        body = json.dumps({"closing": True, "at": times.render(context.now())})
        try:
            context.aws("s3").put_object(Bucket=state["bucket"], Key=KEY, Body=body.encode())
        except ClientError as error:
            if error_code(error) != "NoSuchBucket":
                raise
