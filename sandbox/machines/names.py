"""Names and addresses that the machines of one sandbox use. Pure functions: two sandboxes never share one."""

import hashlib
from pathlib import Path

# Link-local addresses that every VPC router answers on. The first two are AWS's own (IMDS, Amazon DNS); the others are
# ours and stand in the hosts' image.
IMDS = "169.254.169.254"
DNS = "169.254.169.253"
API = "169.254.100.1"
REGISTRY = "169.254.100.2"
REGISTRY_PORT = 5000
BALANCERS = "169.254.101.0/24"
HOSTS_FILE = "etc-hosts"
DATADOG = (".datadoghq.com", ".datadoghq.eu", ".ddog-gov.com")
"""Ends of the names of Datadog's sites: the sandbox's API process answers for them (sandbox/datadog)."""


def sandbox_key(state: Path) -> str:
    """Six hex digits of the state folder's real path: in the name of everything this sandbox makes in the kernel."""
    return hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:6]


def router(key: str, vpc_id: str) -> str:
    """Network namespace of a VPC's router."""
    return f"tml-{key}-{vpc_id}"


def host(key: str, instance_id: str) -> str:
    """Network namespace of a host."""
    return f"tml-{key}-{instance_id}"


def prefix(key: str) -> str:
    """Start of the name of every namespace of a sandbox."""
    return f"tml-{key}-"


def wire(instance_id: str) -> str:
    """Name of a host's link in the router's namespace (15 characters at most, IFNAMSIZ of Linux)."""
    return f"v{instance_id.removeprefix('i-')[-13:]}"


def cgroup(key: str) -> str:
    """Name of the sandbox's group in every cgroup hierarchy."""
    return f"timonel-{key}"


def machine_id(instance_id: str) -> str:
    """Systemd machine id of a host: equal ids would make equal MAC addresses, so it follows the instance's id."""
    return hashlib.sha256(instance_id.encode()).hexdigest()[:32]


def mac(instance_id: str) -> str:
    """A locally administered MAC for an instance whose interface the API gives none."""
    digest = hashlib.sha256(instance_id.encode()).hexdigest()
    return "0a:" + ":".join(digest[i : i + 2] for i in range(0, 10, 2))


def hostname(private_ip: str) -> str:
    """EC2's IP-based name of an instance, first label."""
    return f"ip-{private_ip.replace('.', '-')}"


def private_dns(private_ip: str, region: str) -> str:
    """EC2's IP-based private DNS name (`ec2.internal` in us-east-1, `REGION.compute.internal` elsewhere)."""
    domain = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
    return f"{hostname(private_ip)}.{domain}"


def loopback(key: str, number: int) -> str:
    """Loopback address (of the VM) of a sandbox's load balancer number 1 to 254."""
    digest = hashlib.sha256(key.encode()).digest()
    return f"127.{16 + digest[0] % 96}.{digest[1]}.{number}"


def inside(number: int) -> str:
    """Address of load balancer number 1 to 254 in the VPC's router."""
    return f"169.254.101.{number}"
