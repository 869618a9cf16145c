"""CertificateAuthority, ClientCertificate and ServerCertificate."""

import json
from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from provider import times
from provider.aws import error_code
from provider.errors import ProviderError
from provider.handler import ACCESS, Context, Handler, Input
from provider.properties import Plain

if TYPE_CHECKING:
    from provider.certificates import KeyPair


class CertificateAuthorityHandler(Handler):
    """The key goes from memory to Secrets Manager and nowhere else; the state holds the certificate."""

    inputs: ClassVar[Mapping[str, Input]] = {
        **ACCESS,
        "secretId": Input(str, replaces=True),
        "commonName": Input(str, replaces=True),
        "validDays": Input(int, replaces=True, minimum=1),
    }
    outputs = ("certificate", "fingerprint", "expires")

    def create(self, inputs: Plain, context: Context) -> tuple[str, Plain]:
        """Make key and certificate; keep an authority of this name that an interrupted ``up`` left in the secret."""
        from provider import certificates  # noqa: PLC0415 (cryptography loads only when a certificate is made)

        manager = context.aws("secretsmanager")
        pair = _stored(manager, inputs["secretId"])
        if pair is None or certificates.common_name(pair.certificate) != inputs["commonName"]:
            pair = certificates.make_authority(inputs["commonName"], inputs["validDays"], context.now())
            value = json.dumps({"certificate": pair.certificate, "private_key": pair.private_key})
            manager.put_secret_value(SecretId=inputs["secretId"], SecretString=value)
        return str(inputs["secretId"]), _described(pair.certificate)

    def read(self, state: Plain, context: Context) -> Plain | None:
        """What the secret holds now."""
        pair = _stored(context.aws("secretsmanager"), state["secretId"])
        return None if pair is None else _described(pair.certificate)


class _LeafHandler(Handler):
    """Signed by the authority's key, which is read from its secret for the moment of signing."""

    inputs: ClassVar[Mapping[str, Input]] = {
        **ACCESS,
        "authoritySecretId": Input(str, replaces=True),
        "authorityFingerprint": Input(str, replaces=True),
        "validDays": Input(int, minimum=1),
        "renewDays": Input(int, minimum=0),
    }
    outputs = ("certificate", "privateKey", "expires")
    secrets = ("privateKey",)

    def due(self, state: Plain, inputs: Plain, now: datetime) -> str | None:
        """Only the clock renews it; another ``validDays`` counts from the next renewal on."""
        remaining = times.parse(state["expires"]) - now
        return "expires" if remaining < timedelta(days=inputs["renewDays"]) else None

    def create(self, inputs: Plain, context: Context) -> tuple[str, Plain]:
        """Sign a new key."""
        from provider import certificates  # noqa: PLC0415

        outputs = self._sign(inputs, context)
        return certificates.serial(outputs["certificate"]), outputs

    def update(self, state: Plain, inputs: Plain, context: Context) -> Plain:
        """Sign a new key when it is due, else keep what there is."""
        if self.due(state, inputs, context.now()) is None:
            return super().update(state, inputs, context)
        return self._sign(inputs, context)

    @abstractmethod
    def _leaf(self, authority: "KeyPair", inputs: Plain, now: datetime) -> "KeyPair":
        """The certificate of this kind."""

    def _sign(self, inputs: Plain, context: Context) -> Plain:
        from provider import certificates  # noqa: PLC0415

        secret = inputs["authoritySecretId"]
        authority = _stored(context.aws("secretsmanager"), secret)
        if authority is None:
            raise ProviderError(
                f"authoritySecretId: got {secret!r}, but the secret must hold a certificate authority. It holds "
                "nothing: was it deleted behind Pulumi's back? `pulumi refresh` finds out, `pulumi up` makes a new one."
            )
        found = certificates.fingerprint(authority.certificate)
        if found != inputs["authorityFingerprint"]:
            raise ProviderError(
                f"authorityFingerprint: got {inputs['authorityFingerprint']!r}, but the secret {secret!r} holds the "
                f"authority {found!r}. It was changed behind Pulumi's back: run `pulumi refresh`, then `pulumi up`."
            )
        pair = self._leaf(authority, inputs, context.now())
        return {
            "certificate": pair.certificate,
            "privateKey": pair.private_key,
            "expires": certificates.expires(pair.certificate),
        }


class ClientCertificateHandler(_LeafHandler):
    """For a TLS client."""

    inputs: ClassVar[Mapping[str, Input]] = {**_LeafHandler.inputs, "commonName": Input(str, replaces=True)}

    def _leaf(self, authority: "KeyPair", inputs: Plain, now: datetime) -> "KeyPair":
        from provider import certificates  # noqa: PLC0415

        return certificates.sign_client(authority, inputs["commonName"], inputs["validDays"], now)


class ServerCertificateHandler(_LeafHandler):
    """For a TLS server."""

    inputs: ClassVar[Mapping[str, Input]] = {**_LeafHandler.inputs, "names": Input(list, replaces=True)}

    def _leaf(self, authority: "KeyPair", inputs: Plain, now: datetime) -> "KeyPair":
        from provider import certificates  # noqa: PLC0415

        return certificates.sign_server(authority, inputs["names"], inputs["validDays"], now)


def _described(certificate: str) -> Plain:
    from provider import certificates  # noqa: PLC0415

    return {
        "certificate": certificate,
        "fingerprint": certificates.fingerprint(certificate),
        "expires": certificates.expires(certificate),
    }


def _stored(manager: Any, secret_id: str) -> "KeyPair | None":
    """The authority that the secret holds; None when the secret has no value or is gone."""
    from botocore.exceptions import ClientError  # noqa: PLC0415

    from provider.certificates import KeyPair  # noqa: PLC0415

    try:
        text = manager.get_secret_value(SecretId=secret_id)["SecretString"]
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise
    try:
        value = json.loads(text)
        return KeyPair(value["certificate"], value["private_key"])
    except (ValueError, KeyError, TypeError):
        # The value may be a secret of somebody else: neither it nor the parser's words about it are shown.
        raise ProviderError(
            f"secret {secret_id!r}: its value must be a JSON object with certificate and private_key. It holds "
            "something else, which is not overwritten: it may be somebody's."
        ) from None
