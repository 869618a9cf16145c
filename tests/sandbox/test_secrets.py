"""No secret in plain text in user data, state, outputs, process arguments or logs: planted, and looked for."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sandbox.rig import Sandbox, Stack
from tests.sandbox.shapes import dev

pytestmark = pytest.mark.sandbox


class ArgumentWatch(threading.Thread):
    """Collects every command line and environment on the machine that names the sandbox, until told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[str] = set()
        self._end = threading.Event()

    def run(self) -> None:
        """Look ten times a second."""
        while not self._end.wait(0.1):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes().decode(errors="replace"))
                except OSError:
                    continue

    def stop(self) -> set[str]:
        """End, and give what was seen."""
        self._end.set()
        self.join()
        return self.seen


def test_no_secret_can_be_read_where_secrets_must_not_stand(
    account: Sandbox, checkout_stack: Callable[..., Stack]
) -> None:
    watch = ArgumentWatch()
    watch.start()
    stack = checkout_stack(dev())
    said = stack.up("--logtostderr", "-v=9").ok().finished.text
    printed = stack.pulumi("stack", "output", "-s", stack.name, "--json").ok().out
    shown = stack.pulumi("preview", "-s", stack.name, "--diff").ok().text
    arguments = watch.stop()

    secrets = planted(account, stack)
    state = json.dumps(stack.export())
    user_data = [
        base64.b64decode(version["LaunchTemplateData"]["UserData"]).decode()
        for template in account.client("ec2").describe_launch_templates()["LaunchTemplates"]
        for version in account.client("ec2").describe_launch_template_versions(
            LaunchTemplateId=template["LaunchTemplateId"]
        )["LaunchTemplateVersions"]
    ]
    assert user_data, "there is user data to look at"
    api_log = "".join(p.read_text(errors="replace") for p in account.state.folder.rglob("*.log"))
    for name, secret in secrets.items():
        for where, text in {
            "the engine's log": said,
            "printed outputs": printed,
            "a preview": shown,
            "the exported state": state,
            "user data": "\n".join(user_data),
            "process arguments": "\n".join(arguments),
            "the sandbox's logs": api_log,
        }.items():
            assert secret not in text, f"{name} can be read in {where}"
    stack.destroy().ok()


def planted(account: Sandbox, stack: Stack) -> dict[str, str]:
    """The stack's secrets in the clear, each as a piece of text that would be found however it is quoted."""
    manager = account.client("secretsmanager")
    values = {}
    for secret in manager.list_secrets()["SecretList"]:
        try:
            values[secret["Name"]] = manager.get_secret_value(SecretId=secret["ARN"])["SecretString"]
        except manager.exceptions.ResourceNotFoundException:
            continue  # nodes write it later
    keys = {name: json.loads(text)["private_key"] for name, text in values.items() if "private_key" in text}
    assert keys, "the stack has a certificate authority whose key is a secret"
    keys |= {f"output {name}": value for name, value in _flat(stack.outputs(secrets=True)) if "PRIVATE KEY" in value}
    assert len(keys) > 1, "the client's key is an output for operators"
    found = {}
    for name, pem in keys.items():
        body = "".join(line for line in pem.splitlines() if "KEY" not in line)
        found[name] = body[40:80]  # within a line of 64, past what all keys of a kind begin with
    return found


def _flat(value: object, name: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in _flat(item, f"{name}.{key}")]
    return [(name, value)] if isinstance(value, str) else []
