"""Kubernetes versions, add-ons and access policies that EKS offers here: catalogue.yaml, read as data."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from sandbox.aws.eks.errors import InvalidParameterError
from sandbox.aws.eks.model import Params, Region

ARCHITECTURES = ["amd64", "arm64"]


@cache
def data() -> dict[str, Any]:
    """The file."""
    content: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("catalogue.yaml").read_text())
    return content


def minor(version: str) -> int:
    """35 for "1.35"."""
    return int(version.partition(".")[2])


def platform_version(version: str) -> str:
    """The platform version of a Kubernetes version, as eks.9."""
    return str(data()["versions"][version]["platform"])


def status(version: str, today: date | None = None) -> str:
    """STANDARD_SUPPORT, EXTENDED_SUPPORT or UNSUPPORTED, by the calendar; STANDARD_SUPPORT for one without dates."""
    known = data()["versions"][version]
    today = today or datetime.now(UTC).date()
    if known["standard"] is None or today <= known["standard"]:
        return "STANDARD_SUPPORT"
    return "EXTENDED_SUPPORT" if today <= known["extended"] else "UNSUPPORTED"


def check_version(version: str) -> None:
    """Refuse a version that cannot be created.

    Raises:
        InvalidParameterError: unknown, or out of all support.
    """
    if version not in data()["versions"] or status(version) == "UNSUPPORTED":
        raise InvalidParameterError(f"unsupported Kubernetes version {version}")


def describe_cluster_versions(region: Region, params: Params) -> dict[str, Any]:
    """DescribeClusterVersions. Versions out of all support are shown with includeAll only."""
    wanted = params.get("clusterVersions")
    asked = params.get("versionStatus") or str(params.get("status") or "").upper().replace("-", "_")
    found = []
    for version, known in reversed(data()["versions"].items()):
        state = status(version)
        hidden = state == "UNSUPPORTED" and not params.get("includeAll") and not wanted
        default = version == data()["default_version"]
        if hidden or (wanted and version not in wanted) or (asked and state != asked):
            continue
        if params.get("defaultOnly") and not default:
            continue
        dates = {
            "releaseDate": "released",
            "endOfStandardSupportDate": "standard",
            "endOfExtendedSupportDate": "extended",
        }
        found.append(
            {
                "clusterVersion": version,
                "clusterType": "eks",
                "defaultPlatformVersion": known["platform"],
                "defaultVersion": default,
                "status": state.lower().replace("_", "-"),
                "versionStatus": state,
                "kubernetesPatchVersion": known["patch"],
                **{shown: _moment(known[name]) for shown, name in dates.items() if known[name] is not None},
            }
        )
    return {"clusterVersions": found}


def _moment(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def addon(name: Any) -> dict[str, Any]:
    """An add-on of the catalogue.

    Raises:
        InvalidParameterError: EKS has none of that name (here).
    """
    found = data()["addons"].get(name)
    if found is None:
        raise InvalidParameterError(
            f"Addon specified is not supported: {name} (the sandbox's catalogue has {', '.join(data()['addons'])})"
        )
    result: dict[str, Any] = found
    return result


def addon_versions(name: str, version: str) -> list[str]:
    """Versions of an add-on for a Kubernetes version, newest first; the first is the default."""
    return [str(v) for v in addon(name)["versions"].get(version, [])]


def describe_addon_versions(region: Region, params: Params) -> dict[str, Any]:
    """DescribeAddonVersions."""
    only, wanted = params.get("kubernetesVersion"), params.get("addonName")
    if wanted and wanted not in data()["addons"]:
        return {"addons": []}
    infos = []
    for name, known in data()["addons"].items():
        if (wanted and name != wanted) or not _matches(known, params):
            continue
        compatible: dict[str, list[dict[str, Any]]] = {}
        for version, offered in known["versions"].items():
            for number, one in enumerate(offered):
                if only in {None, version}:
                    entry = {"clusterVersion": version, "platformVersions": ["*"], "defaultVersion": number == 0}
                    compatible.setdefault(one, []).append(entry)
        versions = [
            {
                "addonVersion": one,
                "architecture": ARCHITECTURES,
                "computeTypes": known["compute"],
                "compatibilities": entries,
                "requiresConfiguration": False,
                "requiresIamPermissions": known["iam"],
            }
            for one, entries in compatible.items()
        ]
        if versions:
            infos.append(
                {
                    "addonName": name,
                    "type": known["type"],
                    "publisher": known["publisher"],
                    "owner": known["owner"],
                    "defaultNamespace": known["namespace"],
                    "addonVersions": versions,
                }
            )
    return {"addons": infos}


def _matches(known: dict[str, Any], params: Params) -> bool:
    filters = (("types", "type"), ("publishers", "publisher"), ("owners", "owner"))
    return all(known[field] in params[name] for name, field in filters if params.get(name))


def describe_addon_configuration(region: Region, params: Params) -> dict[str, Any]:
    """DescribeAddonConfiguration: the schema that configurationValues are held to here (top level only)."""
    name, version = str(params["addonName"]), params["addonVersion"]
    known = addon(name)
    if not any(version in offered for offered in known["versions"].values()):
        raise InvalidParameterError(f"Addon version specified is not supported: {version} of {name}")
    result = {"addonName": name, "addonVersion": version, "configurationSchema": schema(name)}
    if known["iam"]:
        identity = {"serviceAccount": known["service_account"], "recommendedManagedPolicies": known["policies"]}
        result["podIdentityConfiguration"] = [identity]
    return result


def schema(name: str) -> str:
    """The JSON schema of an add-on's configuration, as text."""
    properties: dict[str, Any] = {key: {} for key in addon(name)["settings"]}
    return json.dumps(
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
        }
    )
