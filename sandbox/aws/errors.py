"""Errors as each of AWS's wire protocols says them, so that every SDK parses code and message."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape


@dataclass(frozen=True)
class Fault:
    """An error to answer instead of the call.

    Attributes:
        code: AWS's error code.
        message: what the SDK shows.
        status: HTTP status.
    """

    code: str
    message: str
    status: int


THROTTLING_CODES = {
    "ec2": "RequestLimitExceeded",
    "s3": "SlowDown",
    "autoscaling": "Throttling",
    "iam": "Throttling",
    "sts": "Throttling",
    "elasticloadbalancing": "Throttling",
}
THROTTLING_STATUS = {"ec2": 503, "s3": 503}


def throttling(service: str) -> Fault:
    """How this service says "slow down". https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html"""
    code = THROTTLING_CODES.get(
        service, "ThrottlingException" if service not in {"autoscaling", "iam", "sts"} else "Throttling"
    )
    return Fault(code, "Rate exceeded (a fault of the sandbox)", THROTTLING_STATUS.get(service, 400))


def error_response(call: Any, fault: Fault) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status line, headers and body of an error."""
    request_id = str(uuid.uuid4())
    code, message = escape(fault.code), escape(fault.message)
    headers = [("x-amzn-RequestId", request_id)]
    kind = "Sender" if fault.status < 500 else "Receiver"
    protocol = call.protocol
    if protocol == "ec2":
        body = (
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        )
    elif call.service == "s3":
        body = f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{request_id}</RequestId></Error>"
    elif protocol in {"query", "rest-xml"}:
        body = (
            f"<ErrorResponse><Error><Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    else:
        body = json.dumps({"__type": fault.code, "message": fault.message})
        headers.append(("x-amzn-ErrorType", fault.code))
        return f"{fault.status} Error", [*headers, ("Content-Type", "application/x-amz-json-1.1")], body.encode()
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'
    return f"{fault.status} Error", [*headers, ("Content-Type", "text/xml")], document.encode()
