"""The rules that MonitoringStack's arguments must keep, held before any resource is registered.

Pure, but for what ``tools`` asks promtool and amtool where they are installed.
"""

import re
from collections.abc import Mapping
from typing import Any

from components.errors import InputError
from components.monitoring import tools
from components.monitoring.args import PrometheusArgs, ReceiverKind

_NEEDED = {
    ReceiverKind.SLACK: ("channel",),
    ReceiverKind.EMAIL: ("to", "sender", "server"),
    ReceiverKind.PAGERDUTY: (),
    ReceiverKind.WEBHOOK: (),
}
_FURTHER = {ReceiverKind.EMAIL: ("username",), ReceiverKind.PAGERDUTY: ("url",)}
_OPTIONS = {option for table in (_NEEDED, _FURTHER) for options in table.values() for option in options}
_SCHEMES = ("https://", "http://")
_HOST_PORT = re.compile(r"[^\s:]+:\d+")


def check(args: PrometheusArgs) -> None:
    """Hold the arguments against every rule.

    Raises:
        InputError: the first rule that is broken.
    """
    _spread("replicas", args, 2, "More servers hold the same data once more.")
    _spread("alertmanagers", args, 3, "Three outlive two managers; more only talk more.")
    _range("retention_days", int(args.get("retention_days", 15)), 1, 3650, "Less is no history.")
    _range("retention_gib", int(args.get("retention_gib", 5)), 1, 16000, "A volume has no more.")
    _range("scrape_interval_seconds", int(args.get("scrape_interval_seconds", 15)), 5, 60, "The alerts count on it.")
    _range("group_wait_seconds", int(args.get("group_wait_seconds", 10)), 0, 600, "Longer waits hide a fault.")
    _range("group_interval_seconds", int(args.get("group_interval_seconds", 60)), 5, 3600, "Longer waits hide its end.")
    _range("repeat_hours", int(args.get("repeat_hours", 12)), 1, 168, "A week at most.")
    for index, receiver in enumerate(args.get("receivers", [])):
        _check_receiver(f"receivers[{index}]", receiver)
    remote = args.get("remote_write")
    if remote is not None:
        if not remote["url"].startswith(_SCHEMES):
            raise InputError("remote_write.url", remote["url"], "be a URL", "Samples are sent there by HTTP.")
        if ("username" in remote) != ("secret" in remote):
            raise InputError("remote_write", "one of both", "have username and secret", "Basic auth needs both.")
    tools.check(args)


def _spread(path: str, args: Mapping[str, Any], most: int, reason: str) -> None:
    got = int(args.get(path, 1))
    _range(path, got, 1, most, reason)
    if got > args["managers"]:
        raise InputError(path, got, f"be at most {args['managers']}", "Each manager runs one, and there are no more.")


def _check_receiver(path: str, receiver: Mapping[str, Any]) -> None:
    kind = ReceiverKind(receiver["kind"])
    needed = _NEEDED[kind]
    for option in needed:
        if option not in receiver:
            raise InputError(f"{path}.{option}", None, "be given", f"A receiver of the kind {kind} needs it.")
    allowed = {*needed, *_FURTHER.get(kind, ())}
    for option in sorted(_OPTIONS & receiver.keys()):
        if option not in allowed:
            raise InputError(f"{path}.{option}", receiver[option], "be left out", f"{kind} has no use for it.")
    server, url = receiver.get("server"), receiver.get("url")
    if server is not None and not _HOST_PORT.fullmatch(server):
        raise InputError(f"{path}.server", server, "be HOST:PORT", "Alertmanager does not start without the port.")
    if url is not None and not url.startswith(_SCHEMES):
        raise InputError(f"{path}.url", url, "be a URL", "Events are sent there by HTTP.")


def _range(path: str, got: int, least: int, most: int, reason: str) -> None:
    if not least <= got <= most:
        raise InputError(path, got, f"be between {least} and {most}", reason)
