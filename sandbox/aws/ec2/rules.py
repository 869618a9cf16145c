"""Security group rules of protocols that have no ports (ESP is 50): EC2 takes them without FromPort and ToPort.

Source: EC2 API reference, IpPermission: ports are for TCP, UDP and ICMP. moto 5.2 wants them for all but -1.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.security_groups import SecurityGroupRule

_PORTS = (3, 4)
"""Places of FromPort and ToPort among the constructor's arguments."""
_ORIGINAL: Any = SecurityGroupRule.__init__


def install() -> None:
    """Give moto the -1 that EC2 shows for a rule without ports. Idempotent."""

    def init(self: Any, *args: Any, **more: Any) -> None:
        _ORIGINAL(self, *("-1" if at in _PORTS and arg is None else arg for at, arg in enumerate(args)), **more)

    SecurityGroupRule.__init__ = init  # type: ignore[method-assign]
