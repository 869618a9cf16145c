"""The rules that a cluster's arguments must keep, held before any resource is registered. Pure.

What only AWS can answer (the running cluster's version, instance types) is asked in ``lookups.py`` and judged here.
"""

import datetime
import ipaddress
import re
from collections.abc import Sequence

from components import cidr as ranges
from components import tags
from components.eks import endpoints, plan, pool_checks, versions
from components.eks.args import AccessEntryArgs, EksClusterArgs, EksSystemArgs, PodIdentityArgs
from components.eks.plan import EksPlan
from components.errors import InputError
from components.naming import is_pool_name
from components.network.checks import RETENTION_DAYS

ZONES_AT_LEAST = 2
"""Source: Amazon EKS User Guide, "Amazon EKS networking requirements": subnets in at least two zones."""
PUBLIC_CIDRS_AT_MOST = 40
"""Source: Amazon EKS User Guide, "View and manage Amazon EKS service quotas"."""
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}")
_PRINCIPAL = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:(?:role|user)/[\w+=,.@/-]+")
_ADDON_VERSION = re.compile(r"v\d+\.\d+\.\d+-eksbuild\.\d+")
_DNS_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def check(args: EksClusterArgs, default_name: str, today: datetime.date) -> EksPlan:
    """Hold the arguments against every rule and give the complete plan.

    Rules about the VPC's range or its zones are skipped while ``network`` leaves them empty.

    Args:
        args: the arguments.
        default_name: the cluster's name in AWS where none is given.
        today: the day against which support ends are held.

    Raises:
        InputError: the first rule that is broken.
    """
    if args["network"]["cidr"]:
        ranges.parse("network.cidr", args["network"]["cidr"])
    made = plan.make(args, default_name)
    if not _NAME.fullmatch(made.cluster_name):
        rule = "be 1 to 100 letters, digits, hyphens and underscores, with a letter or digit first"
        raise InputError("cluster_name", made.cluster_name, rule, "EKS takes no others.")
    _check_version(made, today)
    _check_public_access(made.public_access_cidrs)
    _check_logs(made)
    _check_service_cidr(made)
    _check_secrets_key(made)
    _check_admins(made.admins)
    _check_access_entries(made.access_entries, made.admins or [])
    _check_auto_mode(made)
    pool_checks.check(made.pools)
    _check_addons(made)
    _check_pod_identities(made.pod_identities)
    _check_network(made, args)
    tags.check("tags", made.tags)
    return made


def check_zone_count(path: str, count: int) -> None:
    """Refuse a network of one zone.

    Raises:
        InputError: fewer than two zones.
    """
    if count < ZONES_AT_LEAST:
        reason = "EKS puts its control plane's interfaces into two zones, and refuses a cluster without."
        raise InputError(path, count, f"be at least {ZONES_AT_LEAST}", reason)


def check_upgrade(wanted: str, running: str | None) -> str | None:
    """Hold the wanted version against the one that runs.

    Args:
        wanted: ``version``.
        running: the version of the cluster that exists; None when there is none.

    Returns:
        What to tell the user when the cluster is ahead of the settings: then its version is left as it is.

    Raises:
        InputError: more than one minor version at once.
    """
    if running is None:
        return None
    step = versions.minor(wanted) - versions.minor(running)
    if step > 1:
        following = f"1.{versions.minor(running) + 1}"
        reason = f"The cluster runs {running}, and EKS moves a control plane one minor version at a time."
        raise InputError("version", wanted, f"be {running} or {following}", reason)
    if step < 0:
        return (
            f"version is {wanted}, but the cluster runs {running}: AWS has upgraded it (as it does at the end of "
            f"support), or somebody has. It is left at {running}, nodes and add-ons at {wanted}, since a control plane "
            f"is not taken back. Set version to {running} to bring these up to it."
        )
    return None


def is_there(wanted: str, running: str | None) -> bool:
    """Whether the cluster runs the wanted version or a later one: then EKS is not asked for it, which it would refuse.

    Pulumi's state may still hold an earlier one, when AWS upgraded the cluster.
    """
    return running is not None and versions.minor(wanted) <= versions.minor(running)


def warnings(made: EksPlan, today: datetime.date) -> list[str]:
    """What works but will hurt: each a sentence with the reason."""
    found = []
    release = versions.load().by_version[made.version]
    if release.standard_until is not None:
        days = (release.standard_until - today).days
        if 0 <= days <= made.support_warning_days:
            then = "costs six times as much" if made.extended_support else "is upgraded by AWS"
            found.append(
                f"version {made.version} leaves standard support on {release.standard_until}, in {days} days; from "
                f"then on the control plane {then}. Upgrade before, one minor version at a time."
            )
        elif days < 0:
            found.append(
                f"version {made.version} left standard support on {release.standard_until}: the control plane costs "
                f"six times as much until {release.extended_until}, when AWS upgrades it."
            )
    if not made.public_access_cidrs:
        found.append(
            "public_access_cidrs is empty: only the VPC reaches the cluster's API, so Pulumi must run there to make "
            "what lives in the cluster (the default storage class)."
        )
    if not made.auto_mode and all(pool.taints for pool in made.pools):
        found.append(
            "every node pool is tainted: coredns and the EBS driver's controller find no node unless they tolerate "
            "that, and `up` waits for them until it gives up."
        )
    return found


def _check_version(made: EksPlan, today: datetime.date) -> None:
    known = versions.load().by_version
    supported = [each for each, release in known.items() if release.is_supported(today)]
    if made.version not in supported:
        raise InputError(
            "version",
            made.version,
            f"be one of {', '.join(supported)}",
            "AWS runs no other, or Timonel does not know it: add it to components/eks/versions.yaml, with its add-ons.",
        )
    release = known[made.version]
    if not release.is_standard(today) and not made.extended_support:
        standard = [each for each in supported if known[each].is_standard(today)]
        raise InputError(
            "version",
            made.version,
            f"be one of {', '.join(standard)} unless enable_extended_support is true",
            f"Its standard support ended on {release.standard_until}; since then the control plane costs six times as "
            "much, or AWS upgrades it when it likes.",
        )
    if not 0 <= made.support_warning_days <= 365:
        raise InputError(
            "support_warning_days", made.support_warning_days, "be 0 to 365", "Standard support lasts 14 months."
        )


def _check_public_access(cidrs: Sequence[str]) -> None:
    if len(cidrs) > PUBLIC_CIDRS_AT_MOST:
        rule = f"hold at most {PUBLIC_CIDRS_AT_MOST} ranges"
        raise InputError("public_access_cidrs", len(cidrs), rule, "EKS takes no more.")
    for index, cidr in enumerate(cidrs):
        path = f"public_access_cidrs[{index}]"
        if cidr in ("0.0.0.0/0", "::/0"):
            raise InputError(
                path,
                cidr,
                "name the addresses that operators come from",
                "Who reaches the API can try stolen credentials and its next weakness; the internet need not.",
            )
        network = ranges.parse(path, cidr)
        if network.prefixlen < 8:
            raise InputError(path, cidr, "be a /8 or smaller", "A range so large is the internet in parts.")
        if any(network.overlaps(private) for private in ranges.PRIVATE):
            reason = (
                "The public endpoint sees public addresses only; the VPC reaches the API by the private one always."
            )
            raise InputError(path, cidr, "be a public range", reason)
        if cidr in cidrs[:index]:
            raise InputError(path, cidr, "be named once", "EKS refuses a range that is there.")


def _check_logs(made: EksPlan) -> None:
    if len(set(made.log_types)) != len(made.log_types):
        raise InputError("log_types", [str(each) for each in made.log_types], "name each type once", "EKS refuses it.")
    if made.log_retention_days not in RETENTION_DAYS:
        rule = f"be one of {', '.join(map(str, RETENTION_DAYS))}"
        raise InputError("log_retention_days", made.log_retention_days, rule, "CloudWatch Logs takes no other value.")


def _check_service_cidr(made: EksPlan) -> None:
    services = ranges.parse("service_cidr", made.service_cidr)
    if not 12 <= services.prefixlen <= 24:
        raise InputError("service_cidr", made.service_cidr, "be a /12 to a /24", "EKS takes no other size.")
    if not any(ranges.contains(private, services) for private in ranges.PRIVATE[:3]):
        allowed = ", ".join(map(str, ranges.PRIVATE[:3]))
        raise InputError("service_cidr", made.service_cidr, f"lie in one of {allowed}", "EKS takes no other range.")
    if made.vpc_cidr and services.overlaps(ipaddress.IPv4Network(made.vpc_cidr)):
        raise InputError(
            "service_cidr",
            made.service_cidr,
            f"not overlap the VPC's range {made.vpc_cidr}",
            "Pods have addresses of the VPC: they could not tell a service from a host there.",
        )


def _check_secrets_key(made: EksPlan) -> None:
    if made.has_own_secrets_key and not made.secrets_key:
        reason = "A key that is given and not used is a mistake in one of the two."
        raise InputError("enable_secrets_key", False, "be true with secrets_key_arn", reason)


def _check_admins(admins: Sequence[str] | None) -> None:
    if admins is None:
        return
    if not admins:
        reason = "With no admin nobody could use the cluster's API, nor repair that through it."
        raise InputError("admins", [], "name at least one principal, or be left out for the one that deploys", reason)
    for index, arn in enumerate(admins):
        check_principal(f"admins[{index}]", arn)
        if arn in admins[:index]:
            raise InputError(f"admins[{index}]", arn, "be named once", "EKS has one entry for each principal.")


def check_principal(path: str, arn: str) -> None:
    """Refuse what an access entry cannot be for.

    Raises:
        InputError: not the ARN of an IAM role or user.
    """
    if not _PRINCIPAL.fullmatch(arn):
        reason = "An access entry is for a role or a user; a session is named by its role, and root has none."
        raise InputError(path, arn, "be an ARN such as arn:aws:iam::123456789012:role/admin", reason)


def _check_access_entries(entries: Sequence[AccessEntryArgs], admins: Sequence[str]) -> None:
    names: list[str] = []
    principals = list(admins)
    for index, entry in enumerate(entries):
        path = f"access_entries[{index}]"
        _check_resource_name(f"{path}.name", entry["name"], names)
        names.append(entry["name"])
        arn = entry["principal_arn"]
        if isinstance(arn, str):
            check_principal(f"{path}.principal_arn", arn)
            if arn in principals:
                reason = "EKS has one entry for each principal, those of admins included."
                raise InputError(f"{path}.principal_arn", arn, "be named once", reason)
            principals.append(arn)
        if entry.get("namespaces") and "policy" not in entry:
            reason = "They say where it holds."
            raise InputError(f"{path}.namespaces", entry["namespaces"], "be left out without policy", reason)
        if "policy" not in entry and not entry.get("kubernetes_groups"):
            reason = "The principal could log in and do nothing."
            raise InputError(f"{path}.policy", None, "be given, or kubernetes_groups", reason)
        for group in entry.get("kubernetes_groups", []):
            if group.startswith(("system:", "eks:", "aws:", "amazon:", "iam:")):
                rule = "not start with system:, eks:, aws:, amazon: or iam:"
                raise InputError(f"{path}.kubernetes_groups", group, rule, "EKS keeps those to itself.")


def _check_resource_name(path: str, name: str, taken: Sequence[str]) -> None:
    if not is_pool_name(name):
        rule = "hold 1 to 32 lower-case letters, digits and single hyphens"
        raise InputError(path, name, rule, "Resources are named by it.")
    if name in taken:
        raise InputError(path, name, "differ from the others", "Resources are named by it.")


def _check_auto_mode(made: EksPlan) -> None:
    if not made.auto_mode:
        if not made.pools:
            reason = "Without nodes nothing runs; enable_auto_mode makes them on demand."
            raise InputError("node_pools", [], "hold a pool unless enable_auto_mode is true", reason)
        return
    if made.has_pools:
        names = [pool.name for pool in made.pools]
        reason = "It makes the nodes, and the add-ons that nodes of ours need are not there."
        raise InputError("node_pools", names, "be left out with enable_auto_mode", reason)
    if made.has_ebs_csi:
        reason = "It brings its own driver, and two would both answer to claims."
        raise InputError("enable_ebs_csi", True, "be left out with enable_auto_mode", reason)


def _check_addons(made: EksPlan) -> None:
    known = [*made.addons_before_nodes, *made.addons_after_nodes]
    for name, version in made.addon_overrides.items():
        path = f"addon_versions[{name!r}]"
        if name not in known:
            rule = f"be one of {', '.join(known)}" if known else "be left out with enable_auto_mode"
            raise InputError(path, name, rule, "This cluster has no other add-on.")
        if not _ADDON_VERSION.fullmatch(version):
            raise InputError(path, version, "look like v1.2.3-eksbuild.4", "EKS names versions of add-ons so.")


def _check_pod_identities(identities: Sequence[PodIdentityArgs]) -> None:
    seen: list[tuple[str, str]] = [("kube-system", "aws-node"), ("kube-system", "ebs-csi-controller-sa")]
    for index, identity in enumerate(identities):
        path = f"pod_identities[{index}]"
        for key in ("namespace", "service_account"):
            value = str(identity[key])
            if not _DNS_LABEL.fullmatch(value):
                rule = "be 1 to 63 lower-case letters, digits and hyphens"
                raise InputError(f"{path}.{key}", value, rule, "Kubernetes takes no other name.")
        account = (identity["namespace"], identity["service_account"])
        if account in seen:
            rule = "be a service account without a role yet"
            raise InputError(path, "/".join(account), rule, "One service account has one role.")
        seen.append(account)


def _check_network(made: EksPlan, args: EksClusterArgs) -> None:
    if made.zones:
        check_zone_count("network.zones", len(set(made.zones)))
    subnets = args["network"]["private_subnet_ids"]
    if made.zones and isinstance(subnets, list) and len(subnets) != len(made.zones):
        rule = f"hold {len(made.zones)} subnets"
        raise InputError("network.private_subnet_ids", subnets, rule, "network.zones names so many zones.")
    if made.has_internet_egress:
        return
    missing = sorted(set(endpoints.required()) - set(made.interface_endpoints))
    if missing:
        raise InputError(
            "network.interface_endpoints",
            made.interface_endpoints,
            f"also hold {', '.join(missing)}",
            "Without a NAT gateway nodes and add-ons reach those services no other way.",
        )


def check_system(args: EksSystemArgs) -> None:
    """Hold the arguments of EksSystem against every rule.

    Raises:
        InputError: the first rule that is broken.
    """
    seconds = int(args.get("teardown_timeout_seconds", 900))
    if not 60 <= seconds <= 3600:
        reason = "Controllers need a minute to remove a load balancer, and nobody waits longer than an hour."
        raise InputError("teardown_timeout_seconds", seconds, "be between 60 and 3600", reason)
