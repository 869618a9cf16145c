"""The instance metadata service, version 2 only, for all hosts of a VPC. In the router, it knows a host by its address.

Being one hop away from a host (not on it) makes the hop limit real: with 1 the answer to a token request dies on the
way into a container. Source of paths and codes: AWS, "Instance metadata categories" and "Use IMDSv2".
"""

import base64
import hashlib
import hmac
import json
import secrets
import socket
import socketserver
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sandbox.machines import names
from sandbox.machines.cloud import API_ERRORS, Cloud, Instance
from sandbox.state import read_json, write

TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER = "X-aws-ec2-metadata-token"  # noqa: S105
LONGEST_TOKEN = 21600
"""Six hours, AWS's limit."""

TARGET_STATES = {
    "Pending": "InService",
    "InService": "InService",
    "Terminating": "Terminated",
    "Terminated": "Terminated",
}


class Tokens:
    """Session tokens that need no memory: signed by a key of the sandbox, so they outlive the controller."""

    def __init__(self, key_file: Path) -> None:
        if not key_file.exists():
            write(key_file, secrets.token_hex(32))
        self._key = key_file.read_text().encode()

    def issue(self, instance_id: str, seconds: int, now: float) -> str:
        """A token of an instance that is good for some seconds."""
        content = f"{instance_id} {int(now + seconds)} {secrets.token_hex(8)}"
        return base64.urlsafe_b64encode(f"{content} {self._sign(content)}".encode()).decode()

    def valid(self, token: str, instance_id: str, now: float) -> bool:
        """Whether a token is this instance's and still good."""
        try:
            content, _, signature = base64.urlsafe_b64decode(token).decode().rpartition(" ")
            owner, expires, _ = content.split()
        except ValueError:
            return False
        return hmac.compare_digest(signature, self._sign(content)) and owner == instance_id and now < int(expires)

    def _sign(self, content: str) -> str:
        return hmac.new(self._key, content.encode(), hashlib.sha256).hexdigest()


Leaf = str | Callable[[], str | None]
"""A value, or a function that gives it (None: 404)."""


class Metadata:
    """The tree of one instance's metadata."""

    def __init__(self, cloud: Cloud, instance: Instance, notice: Path) -> None:
        self.cloud = cloud
        self.instance = instance
        self.notice = notice
        """File that holds a spot interruption notice, {action, time}."""

    def identity(self) -> str:
        """The instance identity document."""
        i = self.instance
        return json.dumps(
            {
                "accountId": self.cloud.account(),
                "architecture": "x86_64",
                "availabilityZone": i.zone,
                "imageId": i.image_id,
                "instanceId": i.id,
                "instanceType": i.type,
                "pendingTime": i.launched,
                "privateIp": i.ip,
                "region": self.cloud.region,
                "version": "2017-09-30",
            },
            indent=2,
        )

    def tree(self) -> dict[str, Leaf]:
        """Every path below `meta-data/`."""
        i, dns = self.instance, names.private_dns(self.instance.ip, self.cloud.region)
        role = self.cloud.role(i.profile_arn)
        tree: dict[str, Leaf] = {
            "ami-id": i.image_id,
            "ami-launch-index": "0",
            "hostname": dns,
            "instance-action": "none",
            "instance-id": i.id,
            "instance-life-cycle": "spot" if i.spot else "on-demand",
            "instance-type": i.type,
            "local-hostname": dns,
            "local-ipv4": i.ip,
            "mac": i.mac,
            "placement/availability-zone": i.zone,
            "placement/region": self.cloud.region,
            "reservation-id": i.reservation,
            "security-groups": "\n".join(i.security_groups),
            "services/domain": "amazonaws.com",
            "services/partition": "aws",
            f"network/interfaces/macs/{i.mac}/device-number": "0",
            f"network/interfaces/macs/{i.mac}/local-ipv4s": i.ip,
            f"network/interfaces/macs/{i.mac}/mac": i.mac,
            f"network/interfaces/macs/{i.mac}/subnet-id": i.subnet_id,
            f"network/interfaces/macs/{i.mac}/vpc-id": i.vpc_id,
            "events/maintenance/history": "[]",
            "events/maintenance/scheduled": "[]",
        }
        notice = read_json(self.notice)
        if notice:
            tree["spot/instance-action"] = json.dumps({"action": notice["action"], "time": notice["time"]})
            tree["spot/termination-time"] = str(notice["time"])
        if i.public_ip:
            tree["public-ipv4"] = i.public_ip
        if i.group:
            tree["autoscaling/target-lifecycle-state"] = self._target_state
        if i.metadata.get("InstanceMetadataTags") == "enabled":
            tree.update({f"tags/instance/{key}": value for key, value in i.tags.items()})
        if role:
            tree["iam/info"] = json.dumps(
                {"Code": "Success", "InstanceProfileArn": i.profile_arn, "InstanceProfileId": "AIPA-of-the-sandbox"}
            )
            tree[f"iam/security-credentials/{role['name']}"] = lambda: self._credentials(role["arn"])
        return tree

    def _target_state(self) -> str | None:
        state = self.cloud.lifecycle_state(self.instance.id)
        return TARGET_STATES.get(state.partition(":")[0], state) or None

    def _credentials(self, role_arn: str) -> str:
        given = self.cloud.credentials(self.instance.id, role_arn)
        return json.dumps(
            {
                "Code": "Success",
                "LastUpdated": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "Type": "AWS-HMAC",
                "AccessKeyId": given["AccessKeyId"],
                "SecretAccessKey": given["SecretAccessKey"],
                "Token": given["SessionToken"],
                "Expiration": given["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )


def answer(tree: dict[str, Leaf], path: str) -> str | None:
    """A value, or the list of what lies below a path; None when there is neither."""
    path = path.strip("/")
    if path in tree:
        leaf = tree[path]
        return leaf if isinstance(leaf, str) else leaf()
    start = f"{path}/" if path else ""
    below = [key[len(start) :] for key in tree if key.startswith(start)]
    entries = {name.partition("/")[0] + ("/" if "/" in name else "") for name in below}
    return "\n".join(sorted(entries)) if entries else None


class Handler(BaseHTTPRequestHandler):
    """One request of a host."""

    protocol_version = "HTTP/1.1"
    server: "Service"
    timeout = 30

    def do_PUT(self) -> None:
        """Give a session token."""
        instance = self._instance()
        if not instance:
            return self._send(503)
        if instance.metadata.get("HttpEndpoint") == "disabled":
            return self._send(403)
        if self.path.strip("/") != "latest/api/token":
            return self._send(404)
        if self.headers.get("X-Forwarded-For"):
            return self._send(403)
        asked = self.headers.get(TTL_HEADER, "")
        if not asked.isdigit() or not 1 <= int(asked) <= LONGEST_TOKEN:
            return self._send(400)
        token = self.server.tokens.issue(instance.id, int(asked), time.time())
        # For good, not for this answer alone: TCP would send it again, with the socket's hop limit of that moment.
        hops = int(instance.metadata.get("HttpPutResponseHopLimit") or 1)
        self.connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
        return self._send(200, token, {TTL_HEADER: asked})

    def do_GET(self) -> None:
        """Answer one path, with a token only."""
        instance = self._instance()
        if not instance:
            return self._send(503)
        if instance.metadata.get("HttpEndpoint") == "disabled":
            return self._send(403)
        if not self.server.tokens.valid(self.headers.get(TOKEN_HEADER, ""), instance.id, time.time()):
            return self._send(401)
        try:
            content = self._content(instance, self.path.partition("?")[0].strip("/"))
        except API_ERRORS as error:
            self.log_message("%s: %s", self.path, error)
            return self._send(500)
        return self._send(404) if content is None else self._send(200, content)

    def _content(self, instance: Instance, path: str) -> str | bytes | None:
        version, _, rest = path.partition("/")
        if not version:
            return "1.0\n2018-09-24\n2021-03-23\nlatest"
        metadata = self.server.metadata(instance)
        if rest == "user-data":
            return self.server.cloud.user_data(instance.id) or None
        if rest == "meta-data" or rest.startswith("meta-data/"):
            return answer(metadata.tree(), rest.removeprefix("meta-data"))
        fixed = {
            "": "dynamic\nmeta-data\nuser-data",
            "dynamic": "instance-identity/",
            "dynamic/instance-identity": "document",
        }
        return metadata.identity() if rest == "dynamic/instance-identity/document" else fixed.get(rest)

    def _instance(self) -> Instance | None:
        return self.server.by_address(self.client_address[0])

    def _send(self, code: int, content: str | bytes = b"", headers: dict[str, str] | None = None) -> None:
        body = content.encode() if isinstance(content, str) else content
        self.send_response(code)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: hosts ask often. What failed stands in the answer's code."""


class Service(ThreadingHTTPServer):
    """IMDS of one VPC on a socket that was opened in its router's namespace."""

    daemon_threads = True

    def __init__(
        self,
        listener: socket.socket,
        cloud: Cloud,
        tokens: Tokens,
        by_address: Callable[[str], Instance | None],
        metadata: Callable[[Instance], Metadata],
    ) -> None:
        socketserver.BaseServer.__init__(self, listener.getsockname(), Handler)
        self.socket = listener
        self.cloud = cloud
        self.tokens = tokens
        self.by_address = by_address
        self.metadata = metadata
