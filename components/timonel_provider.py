"""The resources of Timonel's own provider (``provider/``), as components use them.

The provider calls AWS itself, so each resource says with which account and region: a resource of this provider does
not follow ``aws.Provider``. ``AWS_ENDPOINT_URL`` and the usual credential chain are honoured by boto3.
"""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi

_GET_VERSION = "timonel:index:getVersion"


def begin_start() -> None:
    """Let the provider start beside what the program waits for next. ``start`` tells whether it did."""
    pulumi.runtime.invoke_output(_GET_VERSION, {})


def start() -> str:
    """Start the provider and give its version.

    Without it the provider starts with its first resource, when others have been made. A program that calls this first
    has made nothing when the provider does not start.

    Raises:
        Exception: the provider does not start; with the engine's words (the SDK has no class of its own for it).
    """
    return str(pulumi.runtime.invoke(_GET_VERSION, {}).value["version"])


class AwsAccessArgs(TypedDict):
    """How the provider reaches AWS."""

    region: pulumi.Input[str]
    """Required. Region of the secret or bucket, for example ``us-east-1``."""
    profile: NotRequired[pulumi.Input[str]]
    """Profile of the shared AWS configuration. Default: the usual credential chain."""
    role_arn: NotRequired[pulumi.Input[str]]
    """Role to assume before each call. Default: none."""


class AuthorityArgs(TypedDict):
    """A :class:`CertificateAuthority` as those need it who have a certificate signed."""

    access: AwsAccessArgs
    """Required. How Timonel's own provider reaches its secret."""
    secret_id: pulumi.Input[str]
    """Required."""
    fingerprint: pulumi.Input[str]
    """Required."""
    certificate: pulumi.Input[str]
    """Required. PEM."""


class CertificateAuthority(pulumi.CustomResource):
    """A certificate authority whose key lies in a Secrets Manager secret and never in Pulumi's state.

    ``up`` makes an EC P-256 key and a self-signed certificate and writes ``{"certificate", "private_key"}`` (PEM) into
    the secret. A secret that already holds an authority with this common name keeps it, so an interrupted ``up``
    does not make a second one. Deleting this resource leaves the secret's value to the secret's own deletion.
    """

    @property
    def certificate(self) -> pulumi.Output[str]:
        """The authority's certificate, PEM. Known in previews of changes that keep the authority."""
        return _output(self, "certificate")

    @property
    def fingerprint(self) -> pulumi.Output[str]:
        """SHA-256 of the certificate (DER), lower-case hex."""
        return _output(self, "fingerprint")

    @property
    def expires(self) -> pulumi.Output[str]:
        """When the certificate ends, RFC 3339 in UTC."""
        return _output(self, "expires")

    def __init__(
        self,
        name: str,
        *,
        access: AwsAccessArgs,
        secret_id: pulumi.Input[str],
        common_name: pulumi.Input[str],
        valid_days: int = 3650,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the authority.

        Args:
            name: logical name.
            access: region and credentials; see :class:`AwsAccessArgs`.
            secret_id: ARN of the secret that receives key and certificate. A change replaces the authority.
            common_name: the certificate's subject. A change replaces the authority.
            valid_days: days that the certificate lasts. A change replaces the authority. Default 3650.
            opts: resource options.
        """
        super().__init__(
            "timonel:index:CertificateAuthority",
            name,
            {
                **_access(access),
                "secretId": secret_id,
                "commonName": common_name,
                "validDays": valid_days,
                "certificate": None,
                "fingerprint": None,
                "expires": None,
            },
            opts,
        )


class _SignedCertificate(pulumi.CustomResource):
    """What a :class:`CertificateAuthority` has signed, with its key."""

    @property
    def certificate(self) -> pulumi.Output[str]:
        """The certificate, PEM."""
        return _output(self, "certificate")

    @property
    def private_key(self) -> pulumi.Output[str]:
        """Secret. The key of the certificate, PEM (PKCS #8, EC P-256)."""
        return _output(self, "privateKey")

    @property
    def expires(self) -> pulumi.Output[str]:
        """When the certificate ends, RFC 3339 in UTC."""
        return _output(self, "expires")


class ClientCertificate(_SignedCertificate):
    """A client certificate (extended key usage clientAuth) signed by a :class:`CertificateAuthority`.

    ``up`` renews it when fewer than ``renew_days`` remain; before that nothing about it changes.
    """

    def __init__(
        self,
        name: str,
        *,
        access: AwsAccessArgs,
        authority_secret_id: pulumi.Input[str],
        authority_fingerprint: pulumi.Input[str],
        common_name: pulumi.Input[str],
        valid_days: int = 365,
        renew_days: int = 30,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the certificate.

        Args:
            name: logical name.
            access: region and credentials; see :class:`AwsAccessArgs`.
            authority_secret_id: the ``secret_id`` of the authority.
            authority_fingerprint: its ``fingerprint``; another authority replaces the certificate.
            common_name: the certificate's subject. A change replaces the certificate.
            valid_days: days that a new certificate lasts. Default 365.
            renew_days: fewer days left than this, and ``up`` renews it. Default 30.
            opts: resource options.
        """
        super().__init__(
            "timonel:index:ClientCertificate",
            name,
            {
                **_access(access),
                "authoritySecretId": authority_secret_id,
                "authorityFingerprint": authority_fingerprint,
                "commonName": common_name,
                "validDays": valid_days,
                "renewDays": renew_days,
                "certificate": None,
                "privateKey": None,
                "expires": None,
            },
            pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=["privateKey"])),
        )


class ServerCertificate(_SignedCertificate):
    """A server certificate (extended key usage serverAuth) signed by a :class:`CertificateAuthority`.

    Renewed as a :class:`ClientCertificate` is.
    """

    def __init__(
        self,
        name: str,
        *,
        access: AwsAccessArgs,
        authority_secret_id: pulumi.Input[str],
        authority_fingerprint: pulumi.Input[str],
        names: Sequence[pulumi.Input[str]],
        valid_days: int = 365,
        renew_days: int = 30,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the certificate.

        Args:
            name: logical name.
            access: region and credentials; see :class:`AwsAccessArgs`.
            authority_secret_id: the ``secret_id`` of the authority.
            authority_fingerprint: its ``fingerprint``; another authority replaces the certificate.
            names: DNS names and IP addresses that the server is reached by. A change replaces the certificate.
            valid_days: days that a new certificate lasts. Default 365.
            renew_days: fewer days left than this, and ``up`` renews it. Default 30.
            opts: resource options.
        """
        super().__init__(
            "timonel:index:ServerCertificate",
            name,
            {
                **_access(access),
                "authoritySecretId": authority_secret_id,
                "authorityFingerprint": authority_fingerprint,
                "names": list(names),
                "validDays": valid_days,
                "renewDays": renew_days,
                "certificate": None,
                "privateKey": None,
                "expires": None,
            },
            pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=["privateKey"])),
        )


class Password(pulumi.CustomResource):
    """A password and its bcrypt hash, in the state encrypted. Made once (192 random bits), or the given one."""

    @property
    def password(self) -> pulumi.Output[str]:
        """Secret. The password."""
        return _output(self, "password")

    @property
    def bcrypt(self) -> pulumi.Output[str]:
        """Secret. Its hash, as Prometheus' and other servers' files want it."""
        return _output(self, "bcrypt")

    def __init__(
        self, name: str, *, given: pulumi.Input[str] | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the password.

        Args:
            name: logical name.
            given: secret; the password, at most 72 bytes. Default: a made one.
            opts: resource options.
        """
        super().__init__(
            "timonel:index:Password",
            name,
            {"given": given, "password": None, "bcrypt": None},
            pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(additional_secret_outputs=["given", "password", "bcrypt"])
            ),
        )


class ClosingMark(pulumi.CustomResource):
    """Tells the node agents that the cluster is being taken down, so that they let go of their instances.

    Deleting it writes the object ``closing`` into the state bucket; creating it removes a stale one. Let it depend on
    the groups and hooks: then ``destroy`` deletes it before it touches an instance.
    """

    def __init__(
        self,
        name: str,
        *,
        access: AwsAccessArgs,
        bucket: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the mark.

        Args:
            name: logical name.
            access: region and credentials; see :class:`AwsAccessArgs`.
            bucket: name of the state bucket. A change replaces the mark (the old bucket gets ``closing``).
            opts: resource options.
        """
        super().__init__("timonel:index:ClosingMark", name, {**_access(access), "bucket": bucket}, opts)


class Protection(pulumi.CustomResource):
    """Refuses ``destroy`` while enabled, naming the setting to change, before anything is deleted.

    Pulumi's own ``protect`` stops at the protected resource, when all that may go before it is gone. Let this depend on
    everything that must stay, and declare it also when it is not enabled: only an update can switch it off.
    """

    def __init__(self, name: str, *, enabled: bool, setting: str, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the protection.

        Args:
            name: logical name; Pulumi shows it when it refuses.
            enabled: whether to refuse.
            setting: what the user must set to false, in the user's words: ``timonel:protection``.
            opts: resource options.
        """
        super().__init__("timonel:index:Protection", name, {"enabled": enabled, "setting": setting}, opts)


class ReadyCluster(pulumi.CustomResource):
    """Ends ``up`` only when the expected nodes are healthy, several times in a row, and no instance refresh runs.

    It gives no data: nothing may take an output from it, since every update of it would make that output unknown in
    previews. It looks at ``managers/status.json`` in the state bucket and at the Auto Scaling groups.
    """

    def __init__(
        self,
        name: str,
        *,
        access: AwsAccessArgs,
        bucket: pulumi.Input[str],
        manager_groups: Sequence[pulumi.Input[str]],
        worker_groups: Sequence[pulumi.Input[str]],
        managers: int,
        triggers: Mapping[str, pulumi.Input[str]],
        timeout_seconds: int = 1800,
        consecutive: int = 3,
        interval_seconds: int = 10,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the gate.

        Args:
            name: logical name.
            access: region and credentials; see :class:`AwsAccessArgs`.
            bucket: name of the state bucket. A change replaces the gate.
            manager_groups: names of the managers' Auto Scaling groups.
            worker_groups: names of the workers' Auto Scaling groups; each node of their instances must be ready.
            managers: how many managers must be reachable.
            triggers: a change of any value makes ``up`` wait again: launch template versions, sizes.
            timeout_seconds: seconds until the wait fails with the reason. Default 1800.
            consecutive: looks in a row that must find everything healthy. Default 3.
            interval_seconds: seconds between two looks. Default 10.
            opts: resource options.
        """
        super().__init__(
            "timonel:index:ReadyCluster",
            name,
            {
                **_access(access),
                "bucket": bucket,
                "managerGroups": list(manager_groups),
                "workerGroups": list(worker_groups),
                "managers": managers,
                "triggers": dict(triggers),
                "timeoutSeconds": timeout_seconds,
                "consecutive": consecutive,
                "intervalSeconds": interval_seconds,
            },
            opts,
        )


def _access(access: AwsAccessArgs) -> dict[str, pulumi.Input[str] | None]:
    return {"region": access["region"], "profile": access.get("profile"), "roleArn": access.get("role_arn")}


def _output(resource: pulumi.Resource, wire_name: str) -> pulumi.Output[str]:
    """An output by its name on the wire: the SDK stores outputs under that name, unless a class translates it."""
    value: pulumi.Output[str] = pulumi.get(resource, wire_name)
    return value
