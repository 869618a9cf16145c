"""Kubernetes objects as Pulumi's resources: tokens, names, ids, what a program gave of what the API has."""

import base64
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.providers import values
from sandbox.providers.serve import ProviderError

AUTONAMED = "pulumi.com/autonamed"
FORCE = "pulumi.com/patchForce"
MANAGER = "pulumi.com/patchFieldManager"
SKIP_AWAIT = "pulumi.com/skipAwait"
TIMEOUT = "pulumi.com/timeoutSeconds"
PROPAGATION = "pulumi.com/deletionPropagationPolicy"
FIELD_MANAGER, API_VERSION = "__fieldManager", "__initialApiVersion"
"""What the state keeps beside the object, under the genuine provider's names."""
SECRET_FIELDS = frozenset({"data", "stringData"})
"""Of a Secret: never in the clear."""
CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "CSIDriver",
        "CSINode",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "FlowSchema",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
    }
)
"""Kinds without a namespace, for when no cluster can be asked."""
REFUSED = {
    "helm.sh": "Helm releases need the helm CLI, which the sandbox does not build",
    "kustomize": "kustomize is not there",
    "yaml": "give the objects as resources",
}


@dataclass(frozen=True)
class Kind:
    """What a resource's token says."""

    token: str
    api_version: str
    kind: str
    patch: bool
    """Whether it changes an object that is somebody else's (``DeploymentPatch``)."""

    @property
    def built_in(self) -> bool:
        """Whether it is Kubernetes' own, so that it is known without asking whether it has a namespace."""
        group = self.api_version.rpartition("/")[0]
        return "." not in group or group.endswith(".k8s.io")

    @property
    def secret_fields(self) -> frozenset[str]:
        """Top-level properties that are always secret."""
        return SECRET_FIELDS if self.kind == "Secret" and self.api_version == "v1" else frozenset()


def kind(token: str) -> Kind:
    """Read a token such as ``kubernetes:apps/v1:Deployment``. Raises ProviderError for what is refused."""
    found = re.fullmatch(r"kubernetes:([^:]+):([A-Za-z0-9]+)", token)
    if not found:
        raise ProviderError(f"the stand-in for the Kubernetes provider does not know the token {token}")
    version, name = found.groups()
    for group, reason in REFUSED.items():
        if version == group or version.startswith(f"{group}/"):
            raise ProviderError(f"the stand-in for the Kubernetes provider does not support {token}: {reason}")
    if name.endswith("List") and not name.endswith("AllowList"):
        raise ProviderError(f"the stand-in for the Kubernetes provider does not support {token}: give its items")
    # The SDK keeps the group `core` in tokens; the API has none.
    version = version.removeprefix("core/")
    return Kind(token, version, name.removesuffix("Patch"), patch=name.endswith("Patch"))


def metadata(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object's metadata; nothing when it is not known yet."""
    found = inputs.get("metadata")
    return found if isinstance(found, Mapping) else {}


def annotation(inputs: Mapping[str, Any], name: str) -> str:
    """One of the object's annotations, empty when it has none."""
    found = metadata(inputs).get("annotations")
    return str(found.get(name) or "") if isinstance(found, Mapping) else ""


def named(of: Kind, logical: str, new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """Give the inputs with a name: the program's, the one made up earlier, or ``<logical name>-<8 hex>``.

    Raises:
        ProviderError: a patch without a name, which says nothing about what to patch.
    """
    known = dict(metadata(new))
    if "metadata" in new and not isinstance(new["metadata"], Mapping):
        return dict(new)
    if known.get("name") is not None or known.get("generateName") is not None:
        return {**new, "metadata": known}
    if of.patch:
        raise ProviderError(f"{of.token}: metadata.name must be given: it tells which object is patched")
    before = metadata(old)
    made = before.get("name") if annotation(old, AUTONAMED) == "true" else None
    annotations = known.get("annotations") if isinstance(known.get("annotations"), Mapping) else {}
    known["name"] = made or f"{logical}-{secrets.token_hex(4)}"
    known["annotations"] = {**(annotations or {}), AUTONAMED: "true"}
    return {**new, "metadata": known}


def identity(item: Mapping[str, Any]) -> str:
    """The resource's id: ``namespace/name``, or the name alone."""
    known = metadata(item)
    return f"{known['namespace']}/{known['name']}" if known.get("namespace") else str(known["name"])


def plain(value: Any) -> Any:
    """An object without nulls and without what only the state keeps, as the API takes it."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items() if item is not None and not str(key).startswith("__")}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def live(item: Mapping[str, Any]) -> dict[str, Any]:
    """What the API answered, without its bookkeeping."""
    known = {key: value for key, value in metadata(item).items() if key != "managedFields"}
    return {**item, "metadata": known}


def readable(item: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What the API has of a Secret's ``stringData``, which it gives back as ``data`` only."""
    texts, coded = given.get("stringData"), item.get("data") or {}
    if not isinstance(texts, Mapping):
        return dict(item)
    found = {key: base64.b64decode(coded[key]).decode(errors="replace") for key in texts if key in coded}
    return {**item, "stringData": found}


def given_part(given: Any, actual: Any) -> Any:
    """Of what the API has, the part that the program gave: drift shows, and defaults of the API do not.

    Lists are compared item by item, by name or key where items have one, since the API may order and extend them.
    """
    if isinstance(given, Mapping) and isinstance(actual, Mapping):
        made = {}
        for key, item in given.items():
            if key in actual:
                made[key] = given_part(item, actual[key])
            elif str(key).startswith("__") or item in (None, "", [], {}, False, 0):
                made[key] = item
        return made
    if isinstance(given, list) and isinstance(actual, list):
        key = _list_key(given)
        if key:
            known = {item.get(key): item for item in actual if isinstance(item, Mapping)}
            return [given_part(item, known[item[key]]) for item in given if item[key] in known]
        if len(given) == len(actual):
            return [given_part(one, other) for one, other in zip(given, actual, strict=True)]
        return actual
    return given if same(given, actual) else actual


def _list_key(items: list[Any]) -> str:
    for key in ("name", "key", "containerPort", "mountPath"):
        if items and all(isinstance(item, Mapping) and item.get(key) is not None for item in items):
            return key
    return ""


def same(one: Any, other: Any) -> bool:
    """Tell whether two scalars mean the same: the API writes quantities and ports in its own form."""
    if one == other:
        return True
    number = _quantity(one)
    return number is not None and number == _quantity(other)


_FACTORS = {"m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12} | {
    f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", 1)
}


def _quantity(value: Any) -> float | None:
    """A Kubernetes quantity (``500m``, ``1Gi``) as a number; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(m|k|M|G|T|[KMGTPE]i)?", str(value))
    return float(found[1]) * _FACTORS[found[2] or ""] if found else None


def without_secrets(message: str, of: Kind, *sides: Mapping[str, Any]) -> str:
    """A message without the values of a Secret."""
    texts: set[str] = set()
    for side in sides:
        for name in of.secret_fields:
            found = side.get(name)
            texts |= {str(item) for item in found.values()} if isinstance(found, Mapping) else set()
    for text in sorted((item for item in texts if item), key=len, reverse=True):
        message = message.replace(text, "[secret]")
    return message


def unknown(inputs: Mapping[str, Any]) -> bool:
    """Tell whether something of the object is not known yet."""
    return values.contains_unknown(inputs)
