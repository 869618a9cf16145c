"""Certificates as pure functions of key, time and names (X.509, RFC 5280)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from provider import times

CLOCK_SKEW = timedelta(minutes=5)
"""A certificate is valid from this long before it was made: nodes' clocks differ a little."""


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its key, both PEM; ``private_key`` is a secret."""

    certificate: str
    private_key: str


def make_authority(common_name: str, valid_days: int, now: datetime) -> KeyPair:
    """A self-signed authority that may sign leaf certificates only (path length 0)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(common_name)
    builder = (
        _builder(subject, subject, valid_days, now)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return KeyPair(_certificate_pem(builder.sign(key, hashes.SHA256())), _key_pem(key))


def sign_client(authority: KeyPair, common_name: str, valid_days: int, now: datetime) -> KeyPair:
    """A new key with a certificate for TLS clients, signed by ``authority``; never outlives the authority."""
    return _sign(authority, common_name, valid_days, now, usage=ExtendedKeyUsageOID.CLIENT_AUTH)


def sign_server(authority: KeyPair, names: Sequence[str], valid_days: int, now: datetime) -> KeyPair:
    """The same for a TLS server that is reached by each of ``names``: DNS names and IP addresses."""
    return _sign(authority, names[0][:64], valid_days, now, usage=ExtendedKeyUsageOID.SERVER_AUTH, names=names)


def _sign(
    authority: KeyPair,
    common_name: str,
    valid_days: int,
    now: datetime,
    *,
    usage: x509.ObjectIdentifier,
    names: Sequence[str] = (),
) -> KeyPair:
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    issuer_key = serialization.load_pem_private_key(authority.private_key.encode(), password=None)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_subject(common_name), issuer.subject, valid_days, now, issuer.not_valid_after_utc)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            ),
            critical=False,
        )
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
    signed = builder.sign(cast("ec.EllipticCurvePrivateKey", issuer_key), hashes.SHA256())
    return KeyPair(_certificate_pem(signed), _key_pem(key))


def fingerprint(certificate: str) -> str:
    """SHA-256 of the certificate in DER, lower-case hex."""
    return x509.load_pem_x509_certificate(certificate.encode()).fingerprint(hashes.SHA256()).hex()


def serial(certificate: str) -> str:
    """The serial number, lower-case hex."""
    return f"{x509.load_pem_x509_certificate(certificate.encode()).serial_number:x}"


def expires(certificate: str) -> str:
    """When it ends, RFC 3339 in UTC."""
    return times.render(x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc)


def common_name(certificate: str) -> str:
    """The subject's common name."""
    subject = x509.load_pem_x509_certificate(certificate.encode()).subject
    return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    valid_days: int,
    now: datetime,
    latest: datetime | None = None,
) -> x509.CertificateBuilder:
    end = now + timedelta(days=valid_days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(min(end, latest) if latest else end)
    )


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _certificate_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
