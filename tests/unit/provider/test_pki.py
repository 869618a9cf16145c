import json

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from provider.errors import ProviderError
from provider.properties import UNKNOWN
from tests.unit.provider.conftest import REGION, Harness


def authority_inputs(secret: str, **changes: object) -> dict[str, object]:
    return {"region": REGION, "secretId": secret, "commonName": "swarm", "validDays": 3650, **changes}


def client_inputs(secret: str, fingerprint: str, **changes: object) -> dict[str, object]:
    return {
        "region": REGION,
        "authoritySecretId": secret,
        "authorityFingerprint": fingerprint,
        "commonName": "operator",
        "validDays": 365,
        "renewDays": 30,
        **changes,
    }


def stored(secret: str) -> dict[str, str]:
    answer = boto3.client("secretsmanager", REGION).get_secret_value(SecretId=secret)
    return dict(json.loads(answer["SecretString"]))


@pytest.fixture
def authority(engine: Harness, secret: str) -> dict[str, object]:
    return engine.create("CertificateAuthority", authority_inputs(secret))[1]


def test_the_authority_s_key_lies_in_the_secret_and_in_no_output(engine: Harness, secret: str) -> None:
    _, state = engine.create("CertificateAuthority", authority_inputs(secret))
    value = stored(secret)
    assert "PRIVATE KEY" in value["private_key"], "the managers read the key from the secret"
    assert "PRIVATE KEY" not in json.dumps(state), "Pulumi's state must never hold the key"
    certificate = x509.load_pem_x509_certificate(str(state["certificate"]).encode())
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    key = serialization.load_pem_private_key(value["private_key"].encode(), None)
    assert key.public_key() == certificate.public_key(), "the key must be that of the certificate"
    certificate.verify_directly_issued_by(certificate)


def test_an_interrupted_up_does_not_make_a_second_authority(engine: Harness, secret: str) -> None:
    _, first = engine.create("CertificateAuthority", authority_inputs(secret))
    _, second = engine.create("CertificateAuthority", authority_inputs(secret))
    assert first["fingerprint"] == second["fingerprint"], "nodes may already trust the first"


def test_an_authority_of_another_name_is_written_over(engine: Harness, secret: str) -> None:
    _, first = engine.create("CertificateAuthority", authority_inputs(secret))
    _, second = engine.create("CertificateAuthority", authority_inputs(secret, commonName="other"))
    assert first["fingerprint"] != second["fingerprint"]


def test_a_secret_with_a_stranger_s_value_is_refused_and_not_shown(engine: Harness, secret: str) -> None:
    boto3.client("secretsmanager", REGION).put_secret_value(SecretId=secret, SecretString="hunter2")
    with pytest.raises(ProviderError, match=r"CertificateAuthority it: secret .* must be a JSON object") as caught:
        engine.create("CertificateAuthority", authority_inputs(secret))
    assert "hunter2" not in str(caught.value)
    assert boto3.client("secretsmanager", REGION).get_secret_value(SecretId=secret)["SecretString"] == "hunter2"


def test_refresh_finds_an_authority_that_was_deleted(
    engine: Harness, secret: str, authority: dict[str, object]
) -> None:
    assert engine.read("CertificateAuthority", authority)[0] == "id"
    boto3.client("secretsmanager", REGION).delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    assert engine.read("CertificateAuthority", authority)[0] == "", "no id means: gone"


def test_a_client_certificate_is_for_clients_and_signed_by_the_authority(
    engine: Harness, secret: str, authority: dict[str, object]
) -> None:
    _, state = engine.create("ClientCertificate", client_inputs(secret, str(authority["fingerprint"])))
    issuer = x509.load_pem_x509_certificate(str(authority["certificate"]).encode())
    certificate = x509.load_pem_x509_certificate(str(state["certificate"]).encode())
    certificate.verify_directly_issued_by(issuer)
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH], "it must not pass for a server"
    assert engine.raw["privateKey"].is_secret, "the state must hold the key encrypted"
    assert not engine.raw["certificate"].is_secret


def test_a_client_certificate_never_outlives_its_authority(engine: Harness, secret: str) -> None:
    _, ca = engine.create("CertificateAuthority", authority_inputs(secret, validDays=100))
    _, state = engine.create("ClientCertificate", client_inputs(secret, str(ca["fingerprint"])))
    assert state["expires"] == ca["expires"]


def test_only_the_clock_renews_a_client_certificate_when_fewer_than_30_days_remain(
    engine: Harness, secret: str, authority: dict[str, object]
) -> None:
    inputs = client_inputs(secret, str(authority["fingerprint"]))
    _, state = engine.create("ClientCertificate", inputs)
    engine.pass_days(335)
    assert engine.diff("ClientCertificate", state, inputs).changes is False, "30 days remain: no diff"
    engine.pass_days(0.1)
    diff = engine.diff("ClientCertificate", state, inputs)
    assert diff.changes is True
    assert diff.replaces == []
    assert list(diff.detailed_diff) == ["expires"]
    assert engine.update("ClientCertificate", state, inputs, preview=True)["privateKey"] is UNKNOWN
    renewed = engine.update("ClientCertificate", state, inputs)
    assert renewed["certificate"] != state["certificate"]
    assert engine.diff("ClientCertificate", renewed, inputs).changes is False


def test_an_update_that_renews_nothing_keeps_its_outputs_known_in_a_preview(
    engine: Harness, secret: str, authority: dict[str, object]
) -> None:
    inputs = client_inputs(secret, str(authority["fingerprint"]))
    _, state = engine.create("ClientCertificate", inputs)
    changed = {**inputs, "renewDays": 20}
    assert engine.diff("ClientCertificate", state, changed).changes is True
    preview = engine.update("ClientCertificate", state, changed, preview=True)
    assert preview["certificate"] == state["certificate"], "an unknown credential hides every diff in the cluster"
    assert engine.update("ClientCertificate", state, changed)["certificate"] == state["certificate"]


def test_another_authority_replaces_the_client_certificate(
    engine: Harness, secret: str, authority: dict[str, object]
) -> None:
    inputs = client_inputs(secret, str(authority["fingerprint"]))
    _, state = engine.create("ClientCertificate", inputs)
    diff = engine.diff("ClientCertificate", state, {**inputs, "authorityFingerprint": "00"})
    assert diff.replaces == ["authorityFingerprint"]


def test_a_certificate_is_not_signed_by_an_authority_that_the_stack_does_not_know(
    engine: Harness, secret: str, authority: dict[str, object]
) -> None:
    with pytest.raises(ProviderError, match=r"ClientCertificate it: authorityFingerprint: got '00'.*pulumi refresh"):
        engine.create("ClientCertificate", client_inputs(secret, "00"))


def test_an_error_of_aws_names_the_resource(engine: Harness, secret: str) -> None:
    arn = secret.replace("ca-", "nothing-")
    with pytest.raises(ProviderError, match=r"CertificateAuthority it: .*ResourceNotFoundException.*PutSecretValue"):
        engine.create("CertificateAuthority", authority_inputs(arn))


def test_a_preview_of_a_new_authority_needs_no_aws_and_knows_no_output() -> None:
    _, state = Harness().create("CertificateAuthority", authority_inputs("arn"), preview=True)
    assert state["certificate"] is UNKNOWN


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"validDays": 0}, "validDays got 0, but it must be at least 1"),
        ({"validDays": "ten"}, "validDays got 'ten', but it must be a int"),
        ({"commonName": None}, "commonName must be given"),
        ({"region": ""}, "region must not be empty"),
        ({"colour": "red"}, "colour is not an input"),
        ({"commonName": UNKNOWN}, None),
        ({}, None),
    ],
)
def test_check_names_the_input_that_cannot_work(changes: dict[str, object], words: str | None) -> None:
    found = Harness().check("CertificateAuthority", authority_inputs("arn", **changes))
    assert len(found) == (words is not None)
    assert words is None or words in found[0]


def test_a_server_certificate_is_for_its_names_and_for_servers_only(
    engine: Harness, secret: str, authority: dict[str, object]
) -> None:
    inputs = client_inputs(secret, str(authority["fingerprint"]), names=["lb.example", "127.0.0.1"])
    del inputs["commonName"]
    _, state = engine.create("ServerCertificate", inputs)
    certificate = x509.load_pem_x509_certificate(str(state["certificate"]).encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["lb.example"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"], "an address is no DNS name"
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH], "nobody may use it as the operator"
    assert engine.raw["privateKey"].contains_secret()
    assert engine.diff("ServerCertificate", {**inputs, **state}, {**inputs, "names": ["other"]}).replaces == ["names"]
    engine.pass_days(336)
    assert engine.diff("ServerCertificate", {**inputs, **state}, inputs).diffs == ["expires"], "29 days are left"
