"""How Pulumi's properties of a service are written in Docker's API: a table, and the two directions over it.

Names of the API: https://docs.docker.com/reference/api/engine/version/v1.51/ (ServiceSpec). Defaults are those that the
genuine provider fills in.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Table = Mapping[str, "Field"]
UNITS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "µs": 10**3, "ns": 1}
PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)")


@dataclass(frozen=True)
class Field:
    """One property."""

    api: str
    """Its name in the API; a dot leads into an object."""
    kind: str = "same"
    """same, duration, ratio, env, labels, hosts, prefs, global, object or list (of objects)."""
    of: Table | None = None
    """The properties of an object."""
    default: Any = None
    """What is sent when it is not given."""


def nanoseconds(text: str) -> int:
    """Read a Go duration.

    Raises:
        ValueError: it is none.
    """
    if text in ("0", ""):
        return 0
    if not re.fullmatch(f"(?:{PART.pattern})+", text):
        raise ValueError(f"{text!r} is not a duration like 10s or 1m30s")
    return round(sum(float(number) * UNITS[unit] for number, unit in PART.findall(text)))


def seconds_of(text: str) -> float:
    """A Go duration in seconds."""
    return nanoseconds(text) / UNITS["s"]


def duration(number: int) -> str:
    """Write nanoseconds as Go does: 90000000000 is 1m30s."""
    if number < UNITS["s"]:
        unit = next((u for u in ("ms", "us") if number >= UNITS[u]), "ns")
        return f"{number / UNITS[unit]:g}{unit}" if number else "0s"
    hours, rest = divmod(number, UNITS["h"])
    minutes, rest = divmod(rest, UNITS["m"])
    return f"{f'{hours}h' if hours else ''}{f'{minutes}m' if hours or minutes else ''}{rest / UNITS['s']:g}s"


def encode(table: Table, given: Mapping[str, Any]) -> dict[str, Any]:
    """Pulumi's object as the API's."""
    made: dict[str, Any] = {}
    for name, item in table.items():
        value = given.get(name)
        value = item.default if value is None else value
        if value is None:
            continue
        *folders, last = item.api.split(".")
        place = made
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = _encoded(item, value)
    return made


def _encoded(item: Field, value: Any) -> Any:  # noqa: PLR0911  # one line per kind
    match item.kind:
        case "duration":
            return nanoseconds(value)
        case "ratio":
            return float(value)
        case "env":
            return [f"{key}={text}" for key, text in sorted(value.items())]
        case "labels":
            return {entry["label"]: entry["value"] for entry in value}
        case "hosts":
            return [f"{entry['ip']} {entry['host']}" for entry in value]
        case "prefs":
            return [{"Spread": {"SpreadDescriptor": entry}} for entry in value]
        case "object":
            return encode(item.of or {}, value)
        case "list":
            return [encode(item.of or {}, entry) for entry in value]
    return value


def decode(table: Table, seen: Mapping[str, Any]) -> dict[str, Any]:
    """The API's object as Pulumi's, without what is empty or the default."""
    made = {}
    for name, item in table.items():
        value: Any = seen
        for part in item.api.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value in (None, "", 0, [], {}):
            continue
        found = _decoded(item, value)
        if found not in (item.default, {}):
            made[name] = found
    return made


def _decoded(item: Field, value: Any) -> Any:  # noqa: PLR0911  # one line per kind
    match item.kind:
        case "duration":
            return duration(value)
        case "ratio":
            return f"{value:g}"
        case "env":
            return dict(sorted(entry.partition("=")[::2] for entry in value))
        case "labels":
            return [{"label": key, "value": text} for key, text in sorted(value.items())]
        case "hosts":
            return [{"ip": entry.split(" ")[0], "host": entry.split(" ")[1]} for entry in value]
        case "prefs":
            return [entry["Spread"]["SpreadDescriptor"] for entry in value]
        case "object":
            return decode(item.of or {}, value)
        case "list":
            return [decode(item.of or {}, entry) for entry in value]
    return value


LABELS = Field("Labels", "labels")
UPDATE: Table = {
    "parallelism": Field("Parallelism", default=1),
    "delay": Field("Delay", "duration", default="0s"),
    "failureAction": Field("FailureAction", default="pause"),
    "monitor": Field("Monitor", "duration", default="5s"),
    "maxFailureRatio": Field("MaxFailureRatio", "ratio", default="0"),
    "order": Field("Order", default="stop-first"),
}


def _file(kind: str) -> Table:
    return {
        f"{kind}Id": Field(f"{kind.capitalize()}ID"),
        f"{kind}Name": Field(f"{kind.capitalize()}Name"),
        "fileName": Field("File.Name"),
        "fileUid": Field("File.UID", default="0"),
        "fileGid": Field("File.GID", default="0"),
        "fileMode": Field("File.Mode", default=0o444),
    }


MOUNT: Table = {
    "target": Field("Target"),
    "source": Field("Source"),
    "type": Field("Type"),
    "readOnly": Field("ReadOnly"),
    "bindOptions": Field("BindOptions", "object", {"propagation": Field("Propagation", default="rprivate")}),
    "volumeOptions": Field(
        "VolumeOptions",
        "object",
        {
            "noCopy": Field("NoCopy"),
            "labels": LABELS,
            "driverName": Field("DriverConfig.Name"),
            "driverOptions": Field("DriverConfig.Options"),
        },
    ),
    "tmpfsOptions": Field("TmpfsOptions", "object", {"sizeBytes": Field("SizeBytes"), "mode": Field("Mode")}),
}
CONTAINER: Table = {
    "image": Field("Image"),
    "labels": LABELS,
    "commands": Field("Command"),
    "args": Field("Args"),
    "hostname": Field("Hostname"),
    "env": Field("Env", "env"),
    "dir": Field("Dir"),
    "user": Field("User"),
    "groups": Field("Groups"),
    "readOnly": Field("ReadOnly"),
    "mounts": Field("Mounts", "list", MOUNT),
    "stopSignal": Field("StopSignal"),
    "stopGracePeriod": Field("StopGracePeriod", "duration"),
    "healthcheck": Field(
        "Healthcheck",
        "object",
        {
            "tests": Field("Test"),
            "interval": Field("Interval", "duration", default="0s"),
            "timeout": Field("Timeout", "duration", default="0s"),
            "startPeriod": Field("StartPeriod", "duration", default="0s"),
            "retries": Field("Retries", default=0),
        },
    ),
    "hosts": Field("Hosts", "hosts"),
    "dnsConfig": Field(
        "DNSConfig",
        "object",
        {"nameservers": Field("Nameservers"), "searches": Field("Search"), "options": Field("Options")},
    ),
    "secrets": Field("Secrets", "list", _file("secret")),
    "configs": Field("Configs", "list", _file("config")),
    "isolation": Field("Isolation", default="default"),
    "sysctl": Field("Sysctls"),
    "capAdds": Field("CapabilityAdd"),
    "capDrops": Field("CapabilityDrop"),
    "init": Field("Init"),
}
AMOUNT: Table = {"nanoCpus": Field("NanoCPUs"), "memoryBytes": Field("MemoryBytes")}
TASK: Table = {
    "containerSpec": Field("ContainerSpec", "object", CONTAINER),
    "resources": Field(
        "Resources",
        "object",
        {"limits": Field("Limits", "object", AMOUNT), "reservation": Field("Reservations", "object", AMOUNT)},
    ),
    "restartPolicy": Field(
        "RestartPolicy",
        "object",
        {
            "condition": Field("Condition"),
            "delay": Field("Delay", "duration"),
            "maxAttempts": Field("MaxAttempts"),
            "window": Field("Window", "duration"),
        },
    ),
    "placement": Field(
        "Placement",
        "object",
        {
            "constraints": Field("Constraints"),
            "prefs": Field("Preferences", "prefs"),
            "maxReplicas": Field("MaxReplicas"),
        },
    ),
    "forceUpdate": Field("ForceUpdate"),
    "runtime": Field("Runtime", default="container"),
    "networksAdvanceds": Field("Networks", "list", {"id": Field("Target"), "aliases": Field("Aliases")}),
    "logDriver": Field("LogDriver", "object", {"name": Field("Name"), "options": Field("Options")}),
}
PORT: Table = {
    "name": Field("Name"),
    "protocol": Field("Protocol", default="tcp"),
    "targetPort": Field("TargetPort"),
    "publishedPort": Field("PublishedPort"),
    "publishMode": Field("PublishMode", default="ingress"),
}
ENDPOINT: Table = {"mode": Field("Mode", default="vip"), "ports": Field("Ports", "list", PORT)}
SERVICE: Table = {
    "name": Field("Name"),
    "labels": LABELS,
    "taskSpec": Field("TaskTemplate", "object", TASK),
    "updateConfig": Field("UpdateConfig", "object", UPDATE),
    "rollbackConfig": Field("RollbackConfig", "object", UPDATE),
    "endpointSpec": Field("EndpointSpec", "object", ENDPOINT),
}
"""`mode` is apart: its two forms exclude each other."""
UNSUPPORTED = (
    "taskSpec.containerSpec.privileges",
    "taskSpec.placement.platforms",
    "taskSpec.resources.reservation.genericResources",
    "taskSpec.networksAdvanceds.name",
    "taskSpec.networksAdvanceds.driverOpts",
)
"""Nested properties that are refused."""
