"""The rules of EksCluster: what is refused, by which name and why, and what is warned of."""

import datetime
from typing import Any

import pytest

from components.eks import checks, plan, versions
from components.eks.endpoints import required
from components.errors import InputError
from tests.unit.eks.args import TODAY, arguments

ADMIN = "arn:aws:iam::123456789012:role/admin"
NO_EGRESS = {"has_internet_egress": False, "interface_endpoints": required()}


def check(today: datetime.date = TODAY, **changes: Any) -> plan.EksPlan:
    return checks.check(arguments(**changes), "timonel-test-eks", today)


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"cluster_name": "under score"}, "cluster_name", "letters, digits"),
        ({"cluster_name": "a" * 101}, "cluster_name", "1 to 100"),
        ({"version": "1.21"}, "version", "does not know it"),
        ({"version": "latest"}, "version", "1.35"),
        ({"version": "1.33"}, "version", "unless enable_extended_support is true"),
        ({"support_warning_days": 1000}, "support_warning_days", "0 to 365"),
        ({"public_access_cidrs": ["0.0.0.0/0"]}, "public_access_cidrs[0]", "operators come from"),
        ({"public_access_cidrs": ["::/0"]}, "public_access_cidrs[0]", "operators come from"),
        ({"public_access_cidrs": ["128.0.0.0/1"]}, "public_access_cidrs[0]", "/8 or smaller"),
        ({"public_access_cidrs": ["10.0.0.0/8"]}, "public_access_cidrs[0]", "public range"),
        ({"public_access_cidrs": ["203.0.113.9"]}, "public_access_cidrs[0]", "prefix length"),
        ({"public_access_cidrs": ["203.0.113.0/24"] * 2}, "public_access_cidrs[1]", "once"),
        ({"public_access_cidrs": [f"203.0.{n}.0/24" for n in range(41)]}, "public_access_cidrs", "at most 40"),
        ({"log_types": ["api", "api"]}, "log_types", "once"),
        ({"log_retention_days": 91}, "log_retention_days", "90, 120"),
        ({"service_cidr": "10.20.128.0/20"}, "service_cidr", "not overlap the VPC"),
        ({"service_cidr": "172.20.0.0/25"}, "service_cidr", "/12 to a /24"),
        ({"service_cidr": "100.64.0.0/16"}, "service_cidr", "lie in one of"),
        ({"enable_secrets_key": False, "secrets_key_arn": "arn"}, "enable_secrets_key", "be true"),
        ({"admins": []}, "admins", "no admin nobody"),
        ({"admins": ["admin"]}, "admins[0]", "ARN such as"),
        ({"admins": ["arn:aws:iam::123456789012:root"]}, "admins[0]", "root has none"),
        ({"admins": ["arn:aws:sts::123456789012:assumed-role/a/b"]}, "admins[0]", "session"),
        ({"admins": [ADMIN, ADMIN]}, "admins[1]", "once"),
        ({"access_entries": [{"name": "A", "principal_arn": ADMIN}]}, "access_entries[0].name", "lower-case"),
        ({"access_entries": [{"name": "a", "principal_arn": "x"}]}, "access_entries[0].principal_arn", "ARN"),
        ({"access_entries": [{"name": "a", "principal_arn": ADMIN}]}, "access_entries[0].policy", "do nothing"),
        (
            {
                "access_entries": [
                    {"name": "a", "principal_arn": ADMIN, "namespaces": ["x"], "kubernetes_groups": ["g"]}
                ]
            },
            "access_entries[0].namespaces",
            "without policy",
        ),
        (
            {"access_entries": [{"name": "a", "principal_arn": ADMIN, "kubernetes_groups": ["system:masters"]}]},
            "access_entries[0].kubernetes_groups",
            "system:",
        ),
        (
            {"access_entries": [{"name": "a", "principal_arn": ADMIN, "policy": "view"}] * 2},
            "access_entries[1].name",
            "differ",
        ),
        ({"node_pools": []}, "node_pools", "hold a pool"),
        ({"node_pools": [{"name": "A"}]}, "node_pools[0].name", "lower-case"),
        ({"node_pools": [{"name": "a"}, {"name": "a"}]}, "node_pools[1].name", "differ"),
        ({"node_pools": [{"name": "a", "instance_types": []}]}, "node_pools[0].instance_types", "at least one"),
        (
            {"node_pools": [{"name": "a", "instance_types": ["t3.large", "m5.large"]}]},
            "node_pools[0].instance_types",
            "one type when capacity is on-demand",
        ),
        ({"node_pools": [{"name": "a", "min_size": 3, "max_size": 2}]}, "node_pools[0].max_size", "min_size is 3"),
        ({"node_pools": [{"name": "a", "min_size": -1}]}, "node_pools[0].min_size", "between 0"),
        ({"node_pools": [{"name": "a", "disk_gib": 8}]}, "node_pools[0].disk_gib", "between 20"),
        ({"node_pools": [{"name": "a", "max_unavailable": 0}]}, "node_pools[0].max_unavailable", "between 1"),
        (
            {"node_pools": [{"name": "a", "labels": {"kubernetes.io/role": "x"}}]},
            "node_pools[0].labels['kubernetes.io/role']",
            "EKS refuses",
        ),
        ({"node_pools": [{"name": "a", "labels": {"timonel/x": "y"}}]}, "node_pools[0].labels['timonel/x']", "own"),
        ({"node_pools": [{"name": "a", "labels": {"x": "y z"}}]}, "node_pools[0].labels['x']", "63 letters"),
        (
            {"node_pools": [{"name": "a", "taints": [{"key": "-", "effect": "NoSchedule"}]}]},
            "node_pools[0].taints[0].key",
            "63 letters",
        ),
        (
            {"node_pools": [{"name": "a", "taints": [{"key": "k", "effect": "NoSchedule"}] * 2}]},
            "node_pools[0].taints[1].key",
            "once for each effect",
        ),
        ({"enable_auto_mode": True, "node_pools": [{"name": "a"}]}, "node_pools", "left out with enable_auto_mode"),
        ({"enable_auto_mode": True, "enable_ebs_csi": True}, "enable_ebs_csi", "its own driver"),
        (
            {"enable_auto_mode": True, "addon_versions": {"coredns": "v1.13.2-eksbuild.1"}},
            "addon_versions['coredns']",
            "no other add-on",
        ),
        ({"addon_versions": {"istio": "v1.1.1-eksbuild.1"}}, "addon_versions['istio']", "vpc-cni"),
        ({"addon_versions": {"coredns": "latest"}}, "addon_versions['coredns']", "v1.2.3-eksbuild.4"),
        (
            {"pod_identities": [{"namespace": "Apps", "service_account": "a", "role_arn": "r"}]},
            "pod_identities[0].namespace",
            "lower-case",
        ),
        (
            {"pod_identities": [{"namespace": "kube-system", "service_account": "aws-node", "role_arn": "r"}]},
            "pod_identities[0]",
            "one role",
        ),
        ({"zones": 1}, "network.zones", "at least 2"),
        ({"network": {"private_subnet_ids": ["subnet-1"]}}, "network.private_subnet_ids", "hold 2 subnets"),
        ({"network": {"cidr": "10.20.0.0"}}, "network.cidr", "prefix length"),
        ({"network": {"has_internet_egress": False}}, "network.interface_endpoints", "eks-auth"),
        ({"tags": {"aws:x": "y"}}, "tags['aws:x']", "meaning already"),
    ],
)
def test_what_cannot_work_is_refused_by_name_and_reason(changes: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        check(**changes)
    assert caught.value.path == path
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"zones": 3},
        {"version": "1.36"},
        {"version": "1.33", "enable_extended_support": True},
        {"network": NO_EGRESS},
        {"network": {"cidr": "", "zones": [], "private_subnet_ids": None}},
        {"network": {"cidr": "172.20.0.0/16"}},
        {"enable_auto_mode": True},
        {"admins": [ADMIN, "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/Admin_0123"]},
        {"public_access_cidrs": ["203.0.113.0/24"]},
        {"node_pools": [{"name": "a", "labels": {"example.com/tier": "db"}, "min_size": 0}]},
        {"node_pools": [{"name": "a", "capacity": "spot", "instance_types": ["t3.large", "m5.large"]}]},
        {"log_types": []},
    ],
)
def test_what_works_is_let_through(changes: dict[str, Any]) -> None:
    check(**changes)


def test_numbers_from_a_component_host_become_whole() -> None:
    made = check(
        node_pools=[{"name": "a", "min_size": 1.0, "max_size": 3.0, "disk_gib": 30.0}], log_retention_days=30.0
    )
    assert [type(each) for each in (made.pools[0].min_size, made.pools[0].disk_gib, made.log_retention_days)] == [
        int
    ] * 3


@pytest.mark.parametrize(("vpc", "services"), [("10.20.0.0/16", "172.20.0.0/16"), ("172.20.0.0/16", "10.100.0.0/16")])
def test_services_get_the_range_of_aws_that_the_vpc_does_not_meet(vpc: str, services: str) -> None:
    assert check(network={"cidr": vpc}).service_cidr == services


@pytest.mark.parametrize(
    ("wanted", "running", "words"),
    [
        ("1.35", None, None),
        ("1.35", "1.35", None),
        ("1.35", "1.34", None),
        ("1.35", "1.36", "AWS has upgraded it"),
    ],
)
def test_a_cluster_goes_one_minor_version_up_and_is_never_taken_back(
    wanted: str, running: str | None, words: str | None
) -> None:
    said = checks.check_upgrade(wanted, running)
    assert (said is None) if words is None else (said is not None and words in said)


def test_a_jump_over_a_minor_version_is_refused() -> None:
    with pytest.raises(InputError, match=r"version: got '1.36', but it must be 1.34 or 1.35"):
        checks.check_upgrade("1.36", "1.34")


@pytest.mark.parametrize(
    ("day", "changes", "words"),
    [
        ("2026-10-03", {"version": "1.34"}, "leaves standard support on 2026-12-02, in 60 days"),
        ("2026-12-02", {"version": "1.34"}, "in 0 days"),
        ("2026-10-02", {"version": "1.34"}, None),
        ("2026-11-30", {"version": "1.34"}, "is upgraded by AWS"),
        ("2026-11-30", {"version": "1.34", "enable_extended_support": True}, "costs six times as much"),
        ("2026-12-03", {"version": "1.34", "enable_extended_support": True}, "left standard support"),
        ("2026-11-30", {"version": "1.34", "support_warning_days": 1}, None),
        ("2026-11-30", {"version": "1.36"}, None),
        ("2026-09-01", {"public_access_cidrs": []}, "only the VPC reaches"),
        (
            "2026-09-01",
            {"node_pools": [{"name": "a", "taints": [{"key": "k", "effect": "NoSchedule"}]}]},
            "every node pool is tainted",
        ),
    ],
)
def test_what_will_hurt_is_warned_of(day: str, changes: dict[str, Any], words: str | None) -> None:
    today = datetime.date.fromisoformat(day)
    wanted = {"public_access_cidrs": ["203.0.113.0/24"], **changes}
    found = checks.warnings(check(today, **wanted), today)
    assert found == [] if words is None else any(words in each for each in found), found


def test_the_day_after_standard_support_the_version_is_refused_without_consent() -> None:
    with pytest.raises(InputError, match="ended on 2026-12-02"):
        check(datetime.date(2026, 12, 3), version="1.34")


@pytest.mark.parametrize("seconds", [59, 3601])
def test_the_teardown_has_a_minute_and_no_more_than_an_hour(seconds: int) -> None:
    with pytest.raises(InputError, match="teardown_timeout_seconds"):
        checks.check_system(
            {"cluster_name": "a", "vpc_id": "b", "access": {"region": "r"}, "teardown_timeout_seconds": seconds}
        )


def test_every_version_of_the_file_pins_every_add_on_and_kube_proxy_follows_it() -> None:
    releases = versions.load()
    assert releases.default in releases.by_version
    for version, release in releases.by_version.items():
        assert set(release.addons) == {*plan.BEFORE_NODES, *plan.AFTER_NODES}, version
        assert release.addons["kube-proxy"].startswith(f"v{version}."), "kube-proxy's version is Kubernetes' own"
        for addon in release.addons.values():
            assert addon.startswith("v"), addon
            assert "-eksbuild." in addon, addon


def test_support_ends_in_order_and_extended_support_lasts_a_year() -> None:
    dated = [each for each in versions.load().by_version.values() if each.standard_until and each.extended_until]
    ends = [each.standard_until for each in dated]
    assert ends == sorted(ends)  # type: ignore[type-var]
    for each in dated:
        assert each.standard_until is not None
        assert each.extended_until == each.standard_until.replace(year=each.standard_until.year + 1), each.version


def test_a_private_cluster_needs_exactly_these_endpoints() -> None:
    assert required() == ["ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "logs", "ssm", "ssmmessages", "sts"]
