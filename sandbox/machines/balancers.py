"""Network load balancers: what the API says of them, and the choice of a target. The proxy itself is in `proxy.py`."""

from dataclasses import dataclass, field
from typing import Any

from sandbox.machines.cloud import Cloud

SERVED = frozenset({"TCP"})
"""Listener protocols that are really carried. TLS, UDP and TCP_UDP are not: they are named in the log."""


@dataclass(frozen=True)
class Check:
    """Health check of a target group. Seconds; thresholds are checks in a row."""

    protocol: str
    port: str
    """A number, or `traffic-port`."""
    path: str
    codes: str
    """Accepted HTTP status codes, `200-399` or `200,202`."""
    interval: float
    timeout: float
    rise: int
    fall: int


@dataclass(frozen=True)
class Target:
    """A registered target."""

    id: str
    port: int


@dataclass(frozen=True)
class Group:
    """A target group."""

    arn: str
    vpc_id: str
    check: Check
    targets: tuple[Target, ...]
    delay: float
    """Deregistration delay, seconds."""
    cut_after_delay: bool
    """Whether connections to a deregistered target are cut when its delay ends."""
    cut_unhealthy: bool
    """Whether connections to a target are cut when it turns unhealthy (AWS's default for NLB)."""


@dataclass(frozen=True)
class Balancer:
    """A load balancer with its listeners, port -> target group."""

    arn: str
    name: str
    dns: str
    vpc_id: str
    listeners: dict[int, str] = field(default_factory=dict)
    unserved: tuple[str, ...] = ()
    """Listeners that this stand-in does not carry, with the reason."""


def accepts(codes: str, status: int) -> bool:
    """Whether a status is among a matcher's codes."""
    for part in codes.split(","):
        low, _, high = part.strip().partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False


@dataclass
class Health:
    """What the checks of one target have shown."""

    state: str = "initial"
    streak: int = 0
    reason: str = "Elb.RegistrationInProgress"
    description: str = "Target registration is in progress"

    def saw(self, passed: bool, check: Check, why: str) -> bool:
        """Count one check; True when the state changed. A new target needs one pass only (AWS, target health)."""
        before = self.state
        if self.state == "initial":
            self.streak = 0 if passed else self.streak + 1
            if passed:
                self.state = "healthy"
            elif self.streak >= check.fall:
                self.state = "unhealthy"
        else:
            agrees = passed == (self.state == "healthy")
            self.streak = 0 if agrees else self.streak + 1
            if self.streak >= (check.rise if passed else check.fall):
                self.state, self.streak = ("healthy" if passed else "unhealthy"), 0
        if self.state == "healthy":
            self.reason = self.description = ""
        elif self.state == "unhealthy":
            self.reason, self.description = "Target.FailedHealthChecks", why or "Health checks failed"
        return self.state != before


def eligible(states: dict[Target, str]) -> list[Target]:
    """Targets that new connections may go to: the healthy ones; without any all of them (fail open, AWS)."""
    healthy = [target for target, state in states.items() if state == "healthy"]
    return healthy or [target for target, state in states.items() if state == "unhealthy"]


def read(cloud: Cloud) -> tuple[list[Balancer], list[Group]]:
    """All network load balancers and target groups that the API shows."""
    elb = cloud.client("elbv2")
    found, in_use = [], set()
    for entry in elb.describe_load_balancers()["LoadBalancers"]:
        if entry["Type"] != "network":
            continue
        listeners, unserved = {}, []
        for listener in elb.describe_listeners(LoadBalancerArn=entry["LoadBalancerArn"])["Listeners"]:
            forward = [a for a in listener["DefaultActions"] if a["Type"] == "forward" and a.get("TargetGroupArn")]
            if listener["Protocol"] in SERVED and forward:
                listeners[int(listener["Port"])] = forward[0]["TargetGroupArn"]
                in_use.add(forward[0]["TargetGroupArn"])
            else:
                unserved.append(f"{listener['Protocol']} {listener['Port']}")
        name, dns = entry["LoadBalancerName"], entry["DNSName"].lower()
        found.append(Balancer(entry["LoadBalancerArn"], name, dns, entry["VpcId"], listeners, tuple(unserved)))
    groups = [_group(cloud, entry) for entry in elb.describe_target_groups()["TargetGroups"] if _used(entry, in_use)]
    return found, groups


def _used(entry: dict[str, Any], in_use: set[str]) -> bool:
    return entry["TargetGroupArn"] in in_use


def _group(cloud: Cloud, entry: dict[str, Any]) -> Group:
    arn = entry["TargetGroupArn"]
    elb = cloud.client("elbv2")
    attributes = cloud.remember(
        "target group",
        arn,
        10,
        lambda: {a["Key"]: a["Value"] for a in elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]},
    )
    check = Check(
        entry.get("HealthCheckProtocol", "TCP"),
        str(entry.get("HealthCheckPort", "traffic-port")),
        entry.get("HealthCheckPath") or "/",
        (entry.get("Matcher") or {}).get("HttpCode") or "200-399",
        float(entry.get("HealthCheckIntervalSeconds", 30)),
        float(entry.get("HealthCheckTimeoutSeconds", 10)),
        int(entry.get("HealthyThresholdCount", 5)),
        int(entry.get("UnhealthyThresholdCount", 2)),
    )
    answer = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    targets = [
        Target(one["Target"]["Id"], int(one["Target"].get("Port") or entry["Port"]))
        for one in answer
        if one["TargetHealth"].get("State") != "draining"
    ]
    return Group(
        arn,
        entry.get("VpcId", ""),
        check,
        tuple(dict.fromkeys(targets)),
        float(attributes.get("deregistration_delay.timeout_seconds", 300)),
        attributes.get("deregistration_delay.connection_termination.enabled") == "true",
        attributes.get("target_health_state.unhealthy.connection_termination.enabled", "true") == "true",
    )
