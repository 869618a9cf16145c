"""The provider's settings: which are followed, what a change of them means, and the cluster that a kubeconfig names."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sandbox.providers import values
from sandbox.providers.serve import ProviderError

FOLLOWED = frozenset(
    {
        "cluster",
        "clusterIdentifier",
        "context",
        "deleteUnreachable",
        "enablePatchForce",
        "enableServerSideApply",
        "kubeconfig",
        "namespace",
        "skipUpdateUnreachable",
    }
)
WITHOUT_EFFECT = frozenset(
    {
        "alwaysRender",
        "enableConfigMapMutable",
        "enableSecretMutable",
        "kubeClientSettings",
        "pluginDownloadURL",
        "suppressDeprecationWarnings",
        "suppressHelmHookWarnings",
        "version",
    }
)
"""Settings that change nothing here: warnings that are never given, limits of calls, replacement that never happens."""


@dataclass(frozen=True)
class Connection:
    """How a cluster is reached: one context of a kubeconfig."""

    server: str
    authority: str = ""
    """The CA's certificate, PEM; empty: the machine's own CAs."""
    verify: bool = True
    token: str = ""
    certificate: str = ""
    """The client's certificate and key, PEM."""
    command: Mapping[str, Any] = field(default_factory=dict)
    """The credentials plugin (``exec``) that gives a token."""
    namespace: str = ""


@dataclass(frozen=True)
class Settings:
    """What the provider was configured with."""

    connection: Connection | None
    reason: str = ""
    """Why there is no connection."""
    namespace: str = "default"
    delete_unreachable: bool = False
    skip_update_unreachable: bool = False
    patch_force: bool = False


def failures(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Give (setting, reason) for each that the stand-in does not follow."""
    found = []
    for name, value in sorted(given.items()):
        if name.startswith("__") or name in FOLLOWED | WITHOUT_EFFECT or value in ("", "{}", "[]", "false", False):
            continue
        reason = f"the stand-in for the Kubernetes provider does not support the provider setting {name!r}"
        found.append((name, reason))
    if _truth(given.get("enableServerSideApply", True)) is False:
        reason = "enableServerSideApply must be true: the stand-in for the Kubernetes provider knows no other way"
        found.append(("enableServerSideApply", reason))
    return found


def _truth(value: Any) -> bool:
    return value if isinstance(value, bool) else str(value).lower() == "true"


def settings(given: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """Make the settings. A kubeconfig that cannot be read is a cluster that does not answer, as in the genuine one."""
    flags = {
        "delete_unreachable": _truth(
            given.get("deleteUnreachable", environment.get("PULUMI_K8S_DELETE_UNREACHABLE", ""))
        ),
        "skip_update_unreachable": _truth(
            given.get("skipUpdateUnreachable", environment.get("PULUMI_K8S_SKIP_UPDATE_UNREACHABLE", ""))
        ),
        "patch_force": _truth(given.get("enablePatchForce", environment.get("PULUMI_K8S_ENABLE_PATCH_FORCE", ""))),
    }
    try:
        found = connection(document(given.get("kubeconfig"), environment), given.get("context"), given.get("cluster"))
    except ProviderError as error:
        return Settings(None, str(error), given.get("namespace") or "default", **flags)
    return Settings(found, "", given.get("namespace") or found.namespace or "default", **flags)


def document(kubeconfig: Any, environment: Mapping[str, str]) -> Mapping[str, Any]:
    """Read a kubeconfig given as its content or as a path; without one, what ``$KUBECONFIG`` or the home folder has.

    Raises:
        ProviderError: with the reason; it shows no content.
    """
    if isinstance(kubeconfig, Mapping):
        return kubeconfig
    text = str(kubeconfig or "")
    if not text:
        text = environment.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    if "\n" not in text and not text.lstrip().startswith("{"):
        path = Path(text).expanduser()
        try:
            text = path.read_text()
        except OSError as error:
            raise ProviderError(f"kubeconfig: {path}: {error.strerror}") from None
    try:
        # JSON first: it is what programs give, and ten times as fast.
        read = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):
        raise ProviderError("kubeconfig: its content is neither JSON nor YAML") from None
    if not isinstance(read, Mapping):
        raise ProviderError("kubeconfig: its content is no object")
    return read


def _named(config: Mapping[str, Any], kind: str, name: Any) -> Mapping[str, Any]:
    for item in config.get(kind + "s") or []:
        if item.get("name") == name:
            return dict(item.get(kind) or {})
    raise ProviderError(f"kubeconfig: there is no {kind} {name!r}")


def connection(config: Mapping[str, Any], context: Any = None, cluster: Any = None) -> Connection:
    """Give the connection of a context (default: the current one). Raises ProviderError with the reason."""
    chosen = _named(config, "context", context or config.get("current-context"))
    place = _named(config, "cluster", cluster or chosen.get("cluster"))
    user = _named(config, "user", chosen["user"]) if chosen.get("user") else {}
    for unknown in ("auth-provider", "username", "password", "as"):
        if unknown in user:
            raise ProviderError(
                f"kubeconfig: the stand-in for the Kubernetes provider does not support a user's {unknown}"
            )
    certificate, key = _pem(user, "client-certificate"), _pem(user, "client-key")
    return Connection(
        server=str(place.get("server") or "").rstrip("/"),
        authority=_pem(place, "certificate-authority"),
        verify=not place.get("insecure-skip-tls-verify"),
        token=str(user.get("token") or (Path(user["tokenFile"]).read_text().strip() if user.get("tokenFile") else "")),
        certificate=f"{certificate}\n{key}" if certificate and key else "",
        command=dict(user.get("exec") or {}),
        namespace=str(chosen.get("namespace") or ""),
    )


def _pem(item: Mapping[str, Any], name: str) -> str:
    import base64  # noqa: PLC0415

    if item.get(f"{name}-data"):
        return base64.b64decode(item[f"{name}-data"]).decode()
    if not item.get(name):
        return ""
    try:
        return Path(item[name]).read_text()
    except OSError as error:
        raise ProviderError(f"kubeconfig: {name}: {item[name]}: {error.strerror}") from None


def replaced(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Tell which changed settings mean another cluster, whose objects are all to be made again.

    With ``clusterIdentifier`` on both sides it alone decides. Else the cluster part of the active context does: tokens
    and users may change. An unknown kubeconfig replaces nothing.
    """
    before, after = old.get("clusterIdentifier"), new.get("clusterIdentifier")
    if before and after:
        return ["clusterIdentifier"] if before != after else []
    found = []
    for name in ("kubeconfig", "context", "cluster"):
        one, other = old.get(name), new.get(name)
        if one != other and not values.contains_unknown(other) and not values.contains_unknown(one):
            found.append(name)
    return found if found and _place(old) != _place(new) else []


def _place(given: Mapping[str, Any]) -> Any:
    try:
        found = connection(document(given.get("kubeconfig"), {}), given.get("context"), given.get("cluster"))
    except ProviderError:
        return None
    return found.server, found.authority
