"""Functions that a table cannot say."""

import base64
import functools
import json
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.providers.aws.client import Api
from sandbox.providers.serve import ProviderError

Found = tuple[dict[str, Any], dict[str, Any]]
"""An item of the API's answer, and values made beside it."""


@functools.cache
def _botocore() -> Any:
    from botocore.session import get_session  # noqa: PLC0415

    return get_session()  # reading its list of regions takes 20 ms


def _region(api: Api, facts: Mapping[str, Any]) -> dict[str, Any]:
    region = str(facts.get("name") or facts["region"])
    session = _botocore()
    partition = session.get_partition_for_region(region)
    names = session.get_component("endpoint_resolver")
    known = names._endpoint_data["partitions"]  # botocore has the long names nowhere else
    description = next((item["regions"][region]["description"] for item in known if region in item["regions"]), region)
    endpoint = f"ec2.{region}.{_SUFFIXES.get(partition, _SUFFIXES['aws'])}"
    return {"id": region, "name": region, "region": region, "description": description, "endpoint": endpoint}


_SUFFIXES = {"aws": "amazonaws.com", "aws-cn": "amazonaws.com.cn", "aws-us-gov": "amazonaws.com"}


def _partition(api: Api, facts: Mapping[str, Any]) -> dict[str, Any]:
    partition = str(facts["partition"])
    suffix = _SUFFIXES.get(partition, "amazonaws.com")
    return {
        "id": partition,
        "partition": partition,
        "dnsSuffix": suffix,
        "reverseDnsPrefix": ".".join(reversed(suffix.split("."))),
    }


def _statement(given: Mapping[str, Any]) -> dict[str, Any]:
    """One statement in IAM's grammar, in the order and form of the genuine provider: single values without a list."""

    def short(values: Any) -> Any:
        items = sorted(values, reverse=True) if values else values
        return items[0] if items and len(items) == 1 else items

    made: dict[str, Any] = {}
    if given.get("sid"):
        made["Sid"] = given["sid"]
    made["Effect"] = given.get("effect") or "Allow"
    plain = {"actions": "Action", "notActions": "NotAction", "resources": "Resource", "notResources": "NotResource"}
    for name, key in plain.items():
        if given.get(name):
            made[key] = short(given[name])
    for name, key in (("principals", "Principal"), ("notPrincipals", "NotPrincipal")):
        if given.get(name):
            made[key] = _principals(given[name], short)
    for condition in given.get("conditions") or []:
        made.setdefault("Condition", {}).setdefault(condition["test"], {})[condition["variable"]] = short(
            condition["values"]
        )
    return made


def _principals(given: list[Mapping[str, Any]], short: Callable[[Any], Any]) -> Any:
    if [(item["type"], list(item["identifiers"])) for item in given] == [("*", ["*"])]:
        return "*"
    kinds: dict[str, list[str]] = {}
    for item in given:
        kinds.setdefault(item["type"], []).extend(item["identifiers"])
    return {kind: short(names) for kind, names in kinds.items()}


def _policy_document(_api: Api, facts: Mapping[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {"Version": facts.get("version") or "2012-10-17"}
    if facts.get("policyId"):
        document["Id"] = facts["policyId"]
    document["Statement"] = [_statement(item) for item in facts.get("statements") or []]
    text = json.dumps(document, indent=2)
    return {
        "json": text,
        "minifiedJson": json.dumps(document, separators=(",", ":")),
        "id": str(zlib.crc32(text.encode())),
    }


def _ami(answer: Mapping[str, Any], facts: Mapping[str, Any]) -> Found:
    images = list(answer.get("Images") or [])
    if facts.get("nameRegex"):
        images = [item for item in images if re.search(facts["nameRegex"], item.get("Name", ""))]
    images.sort(key=lambda item: str(item.get("CreationDate", "")), reverse=True)
    if not images:
        raise ProviderError("aws:ec2/getAmi:getAmi: no image matches")
    if len(images) > 1 and not facts.get("mostRecent"):
        raise ProviderError(f"aws:ec2/getAmi:getAmi: {len(images)} images match; narrow the search or set mostRecent")
    return dict(images[0]), {}


def _zones(answer: Mapping[str, Any], facts: Mapping[str, Any]) -> Found:
    zones = [
        item
        for item in answer.get("AvailabilityZones") or []
        if item["ZoneName"] not in (facts.get("excludeNames") or [])
        and item.get("ZoneId") not in (facts.get("excludeZoneIds") or [])
    ]
    zones.sort(key=lambda item: str(item["ZoneName"]))
    return {}, {
        "names": [item["ZoneName"] for item in zones],
        "zoneIds": [item.get("ZoneId", "") for item in zones],
        "groupNames": sorted({item.get("GroupName") or item.get("RegionName", "") for item in zones}),
    }


def _cluster_auth(api: Api, facts: Mapping[str, Any]) -> dict[str, Any]:
    """A token as ``aws eks get-token`` makes it: a presigned GetCallerIdentity that names the cluster."""
    from botocore.signers import RequestSigner  # noqa: PLC0415

    client = api.client("sts", str(facts["region"]))
    signer: RequestSigner = client._request_signer  # botocore's own way, which the aws CLI takes too
    request = {
        "method": "GET",
        "url": f"{client.meta.endpoint_url}/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": str(facts["name"])},
        "context": {},
    }
    url = signer.generate_presigned_url(request, operation_name="GetCallerIdentity", expires_in=_TOKEN_SECONDS)
    token = base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
    return {"id": facts["name"], "name": facts["name"], "token": f"k8s-aws-v1.{token}"}


_TOKEN_SECONDS = 60
"""How long the URL inside a token holds (the aws CLI's value)."""


def _addon_version(answer: Mapping[str, Any], facts: Mapping[str, Any]) -> Found:
    """The newest version, which EKS gives first, or the one that is EKS's default for the Kubernetes version."""
    versions = [item for addon in answer.get("addons") or [] for item in addon["addonVersions"]]
    if not facts.get("mostRecent"):
        versions = [item for item in versions if any(pair.get("defaultVersion") for pair in item["compatibilities"])]
    if not versions:
        raise ProviderError(
            f"aws:eks/getAddonVersion:getAddonVersion: no version of {facts['addonName']} "
            f"for Kubernetes {facts['kubernetesVersion']}"
        )
    return dict(versions[0]), {"id": facts["addonName"], "version": versions[0]["addonVersion"]}


MAKERS: dict[str, Callable[[Api, Mapping[str, Any]], dict[str, Any]]] = {
    "get_region": _region,
    "get_partition": _partition,
    "get_policy_document": _policy_document,
    "get_cluster_auth": _cluster_auth,
}
"""Functions that make the whole result."""
FINDERS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Found]] = {
    "get_ami": _ami,
    "get_availability_zones": _zones,
    "get_addon_version": _addon_version,
}
"""Functions that find the item in the API's answer."""
