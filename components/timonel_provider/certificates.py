"""Certificates and passwords: secrets that are made once and kept."""

from collections.abc import Sequence
from typing import TypedDict

import pulumi

from components.timonel_provider.base import AwsAccessArgs, access_inputs, output


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
        return output(self, "certificate")

    @property
    def fingerprint(self) -> pulumi.Output[str]:
        """SHA-256 of the certificate (DER), lower-case hex."""
        return output(self, "fingerprint")

    @property
    def expires(self) -> pulumi.Output[str]:
        """When the certificate ends, RFC 3339 in UTC."""
        return output(self, "expires")

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
                **access_inputs(access),
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
        return output(self, "certificate")

    @property
    def private_key(self) -> pulumi.Output[str]:
        """Secret. The key of the certificate, PEM (PKCS #8, EC P-256)."""
        return output(self, "privateKey")

    @property
    def expires(self) -> pulumi.Output[str]:
        """When the certificate ends, RFC 3339 in UTC."""
        return output(self, "expires")


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
                **access_inputs(access),
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
                **access_inputs(access),
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
        return output(self, "password")

    @property
    def bcrypt(self) -> pulumi.Output[str]:
        """Secret. Its hash, as Prometheus' and other servers' files want it."""
        return output(self, "bcrypt")

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
