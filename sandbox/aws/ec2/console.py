"""GetConsoleOutput as the machines report it.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html: the last 64 KiB, base64. moto answers
a sample text.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.core.utils import utcnow
from moto.ec2.responses.general import General

from sandbox.aws.ec2.states import life

LONGEST = 64 * 1024


def _output(self: Any) -> ActionResult:
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    result = {"InstanceId": instance.id, "Timestamp": utcnow()}
    text = life(instance).console_output
    if text is not None:
        result["Output"] = Base64EncodedString.from_raw_string(text[-LONGEST:])
    return ActionResult(result)


def install() -> None:
    """Patch moto's response."""
    General.get_console_output = _output  # type: ignore[method-assign]
