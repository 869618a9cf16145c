"""What the nodes' roles are granted, held against what the nodes called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.aws.policy import like
from tests import records
from tests.sandbox.agent.lab import Lab

Grant = tuple[str, str, str]
"""Role, action, resource pattern; of the cluster's own names only the kinds."""

NOT_CALLED: dict[tuple[str, str], str] = {
    ("manager", "ec2:TerminateInstances"): "break-glass: `timonel-node recover --fence`, a human's command",
    ("manager", "autoscaling:SetInstanceHealth"): "break-glass for a hanging manager: ten minutes unreachable; "
    "played in the simulator",
    ("*", "kms:Decrypt"): "S3 and Secrets Manager call it for the caller (kms:ViaService), which the sandbox does not",
    ("*", "kms:GenerateDataKey"): "as kms:Decrypt",
    ("*", "ecr:BatchCheckLayerAvailability"): "dockerd pulls from the sandbox's registry, which is not ECR",
    ("*", "ecr:BatchGetImage"): "as ecr:BatchCheckLayerAvailability",
    ("*", "ecr:GetDownloadUrlForLayer"): "as ecr:BatchCheckLayerAvailability",
    ("*", "ssm:UpdateInstanceInformation"): "break-glass: the shell of a human (SSM's agent is not in the image)",
    ("*", "ssmmessages:CreateControlChannel"): "as ssm:UpdateInstanceInformation",
    ("*", "ssmmessages:CreateDataChannel"): "as ssm:UpdateInstanceInformation",
    ("*", "ssmmessages:OpenControlChannel"): "as ssm:UpdateInstanceInformation",
    ("*", "ssmmessages:OpenDataChannel"): "as ssm:UpdateInstanceInformation",
}
"""Granted, and perhaps called by no test on booted hosts: the one list, each with its reason."""


@dataclass(frozen=True)
class Used:
    """What the clusters of a run were granted and called, in all of its processes."""

    modules: frozenset[str]
    """Test modules whose clusters were looked at."""
    granted: frozenset[Grant]
    called: frozenset[Grant]

    @classmethod
    def in_run(cls) -> Used:
        """As the run's records say."""
        found = records.read("grants")

        def grants(name: str) -> frozenset[Grant]:
            return frozenset((role, action, kind) for record in found for role, action, kind in record[name])

        return cls(frozenset(record["module"] for record in found), grants("granted"), grants("called"))

    def idle(self) -> set[tuple[str, str]]:
        """Granted, never called: (role, action) of which some resource was never asked for."""
        return {(role, action) for role, action, _ in self.granted - self.called}


@dataclass
class Journal:
    """How far this process has looked into the journal of its sandbox."""

    seen: int = 0
    """Number of the last call that was looked at."""


JOURNAL = Journal()


def look(clusters: Sequence[Lab], calls: list[dict[str, Any]], module: str) -> list[str]:
    """Note what the nodes of clusters called; returns what their roles do not allow.

    Args:
        clusters: whose nodes.
        calls: the journal since the last look.
        module: the test module that made them.
    """
    JOURNAL.seen = calls[-1]["number"] if calls else JOURNAL.seen
    told, granted, called = [], set(), set()
    for cluster in clusters:
        for role in ("manager", "worker"):
            name = f"{cluster.id}-{role}"
            made = judged(calls, f":assumed-role/{name}/")
            told += refused(made)
            document = cluster.iam.get_role_policy(RoleName=name, PolicyName="node")["PolicyDocument"]
            for action, pattern in _pairs(document):
                grant = (role, action, _kind(pattern, cluster))
                granted.add(grant)
                if any(a == action and like(pattern, r) for a, r, decision in made if decision == "allow"):
                    called.add(grant)
    records.add("grants", module=module, granted=sorted(granted), called=sorted(called))
    return sorted(told)


def judged(calls: list[dict[str, Any]], caller: str = ":assumed-role/") -> set[tuple[str, str, str]]:
    """(action, resource, the evaluator's decision) of the calls whose caller's ARN has this part."""
    return {
        (needed["action"], needed["resource"], needed["decision"])
        for call in calls
        if caller in call["caller"]
        for needed in call["needed"]
        # of a group or a target group that is gone nobody can say whose it was; AWS refuses it as well
        if needed["decision"] is not None or call["status"] < 400
    }


def refused(made: set[tuple[str, str, str]]) -> list[str]:
    """In words, what the evaluator does not allow, or could not judge."""
    return [f"{action} on {resource}: {decision}" for action, resource, decision in made if decision != "allow"]


def _pairs(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(a, r) for s in document["Statement"] for a in s["Action"] for r in s["Resource"]]


def _kind(pattern: str, cluster: Lab) -> str:
    """A resource pattern with the cluster's own names taken out, so that clusters add up."""
    for name, arn in cluster.arns.items():
        if pattern == arn:
            return f"secret:{name}"
    if pattern == cluster.key:
        return "key"
    if pattern in cluster.target_groups:
        return "target-group"
    return pattern.replace(cluster.id, "CLUSTER")
