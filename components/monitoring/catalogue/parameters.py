"""What a stack may say about the alerts' conditions, and its place in them."""

import re
from dataclasses import dataclass
from datetime import datetime

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Parameters:
    """Thresholds, with their defaults."""

    memory_used: float = 0.9
    """Share of a node's memory in use that is too much."""
    cpu_idle: float = 0.05
    """Share of processor time that must be left."""
    disk_left: float = 0.1
    """Share of a file system (space, inodes) that must be left."""
    client_certificate_expires: str | None = None
    """End of the Docker API's client certificate, RFC 3339 (the output ``expires`` of ClientCertificate). None: not
    known, and the alert about it is left out of Prometheus' rules."""
    client_certificate_days: int = 14
    """Days before its end that somebody hears of it; `pulumi up` renews it from 30 days on."""
    filesystems: str = 'fstype!~"tmpfs|ramfs|squashfs|iso9660"'
    """PromQL matchers of the file systems that can fill."""
    runbooks: str = "docs/runbooks.md"
    """Where the runbooks are: a path in this repository, or the URL of a page that people on call can open."""

    def values(self) -> dict[str, str | None]:
        """What ``${name}`` stands for in a condition; None: not known."""
        ends = self.client_certificate_expires
        return {
            "memory_used": _number(self.memory_used),
            "memory_used_percent": _number(self.memory_used * 100),
            "cpu_idle": _number(self.cpu_idle),
            "cpu_idle_percent": _number(self.cpu_idle * 100),
            "disk_left": _number(self.disk_left),
            "disk_used_percent": _number(100 - self.disk_left * 100),
            "client_certificate_end": _number(datetime.fromisoformat(ends).timestamp()) if ends else None,
            "client_certificate_days": _number(self.client_certificate_days),
            "client_certificate_seconds": _number(self.client_certificate_days * 86400),
            "filesystems": self.filesystems,
        }


def filled(text: str, values: dict[str, str | None]) -> str | None:
    """``text`` with its parameters; None when one of them is not known.

    Raises:
        KeyError: there is no such parameter.
    """
    if any(values[name] is None for name in _PLACEHOLDER.findall(text)):
        return None
    return _PLACEHOLDER.sub(lambda found: values[found[1]] or "", text)


def _number(value: float) -> str:
    return f"{round(value, 6):f}".rstrip("0").rstrip(".")
