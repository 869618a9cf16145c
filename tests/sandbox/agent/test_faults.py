"""Faults on booted hosts: real systemd, real user data, real dockerd, real raft. Each test prints its seconds."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from node_agent.records import SNAPSHOTS
from tests.sandbox.agent.lab import Lab
from tests.sandbox.agent.report import say
from tests.sandbox.agent.telling import Listener, metric, said

pytestmark = pytest.mark.machines

MakeLab = Callable[..., Lab]


def test_three_managers_heal_from_the_loss_of_one_and_of_all_and_go_without_flags(lab: MakeLab) -> None:
    """Faults 1, 2, 5 and 14, in the life of one cluster: forming it is the dearest part."""
    cluster = lab(managers=3, workers=2)
    say("1 formed: 3 managers, 2 workers", cluster.wait_whole(600), "five hosts by hand")
    assert sorted(z for z, n in zones(cluster).items() if n == 1) == ["us-east-1a", "us-east-1b", "us-east-1c"]
    assert_mutual_tls(cluster)
    assert_no_secret_is_told(cluster)
    cluster.docker("config", "create", "before", "/etc/hostname")

    leader = cluster.status()["leader"]
    cluster.ec2.terminate_instances(InstanceIds=[leader])
    with Listener(cluster) as told:
        seconds = healed(cluster, [leader], 400)
    say("2 leader lost", seconds, "one host by hand")
    assert cluster.record()["epoch"] == 1, "a majority lived: nothing was recovered"
    assert told.heard("remove") and 0 in told.values("timonel_quorum_margin"), "13: who took the dead node out says so"
    assert all(n == 1 for n in zones(cluster).values()), "the replacement stands in the right zone"

    newest_before(cluster)
    everyone = list(cluster.instances("manager"))
    worker_ids = {n["id"] for n in cluster.status()["nodes"] if n["role"] == "worker"}
    token = cluster.docker("swarm", "join-token", "-q", "manager")
    # the zone of the snapshot's address stays empty for a while: else EC2 may give that very address out again,
    # and nothing would have to be redirected
    author = cluster.instances()[cluster.status()["leader"]]
    group = cluster.groups[author["Placement"]["AvailabilityZone"]]
    cluster.asg.update_auto_scaling_group(AutoScalingGroupName=group, MinSize=0, DesiredCapacity=0)
    cluster.ec2.terminate_instances(InstanceIds=everyone)
    began = time.monotonic()
    cluster.wait(lambda: bool(cluster.record().get("redirect")), 900, lambda: str(cluster.record()))
    assert list(cluster.record()["redirect"]) == [author["PrivateIpAddress"]], "the dead address leads to the new one"
    cluster.asg.update_auto_scaling_group(AutoScalingGroupName=group, MinSize=0, DesiredCapacity=1)
    healed(cluster, everyone, 900)
    say("5 all managers lost", time.monotonic() - began)
    record = cluster.record()
    assert record["epoch"] == 2 and record["recovered"]["data_as_of"] and record["redirect"] is None
    leader = cluster.status()["leader"]
    assert metric(cluster, leader, "timonel_epoch") == 2, "13: its rise is an alert"
    assert (metric(cluster, leader, "timonel_recovered_timestamp_seconds") or 0) > 0
    assert said(cluster, record["holder"], "restore", "restored"), "13: the one that restored says from what"
    for instance in cluster.instances():
        rules = cluster.host(instance).run("iptables", "-t", "nat", "-S", timeout=60).stdout
        assert "--dport 2377" not in rules, f"the redirect is gone on {instance}"
    assert "before" in cluster.docker("config", "ls", "--format", "{{.Name}}").split(), "configs are back"
    kept = {n["id"] for n in cluster.status()["nodes"] if n["role"] == "worker"}
    assert kept == worker_ids, "the workers came back as they were"
    assert cluster.docker("swarm", "join-token", "-q", "manager") != token, "the snapshot had the old token"

    say("14 destroyed", cluster.close())


def test_one_manager_is_restored_from_the_snapshot_before_a_corrupt_one(lab: MakeLab) -> None:
    cluster = lab(managers=1, workers=1)
    say("1 formed (1 manager)", cluster.wait_whole(400))
    only = cluster.status()["leader"]
    cluster.docker("config", "create", "before", "/etc/hostname")
    for _ in range(2):
        done = cluster.host(only).run("timonel-node", "snapshot", timeout=90)
        assert done.returncode == 0, done.stderr
        time.sleep(1.1)  # names have whole seconds
    newest = max(k for k in snapshot_keys(cluster) if k.endswith(".tar.gz"))
    cluster.s3.put_object(Bucket=cluster.id, Key=newest, Body=b"rubbish")
    cluster.ec2.terminate_instances(InstanceIds=[only])
    say("5 only manager lost, newest snapshot corrupt", healed(cluster, [only], 600))
    assert cluster.record()["recovered"]["from"] < newest
    assert "before" in cluster.docker("config", "ls", "--format", "{{.Name}}").split()


# --- looking


def healed(cluster: Lab, lost: list[str], seconds: float) -> float:
    """Seconds until the cluster is whole without the lost instances."""

    def why() -> str:
        remains = set(lost) & {n["instance_id"] for n in cluster.status().get("nodes", ())}
        return f"still nodes: {remains}" if remains else cluster.why_not_whole()

    return cluster.wait(lambda: not why(), seconds, why)


def zones(cluster: Lab) -> dict[str, int]:
    found = [i["Placement"]["AvailabilityZone"] for i in cluster.instances("manager").values()]
    return {zone: found.count(zone) for zone in set(found)}


def snapshot_keys(cluster: Lab) -> list[str]:
    return [r["Key"] for r in cluster.s3.list_objects_v2(Bucket=cluster.id, Prefix=SNAPSHOTS).get("Contents", ())]


def newest_before(cluster: Lab) -> None:
    """A snapshot that holds what the test wrote."""
    done = cluster.host(cluster.status()["leader"]).run("timonel-node", "snapshot", timeout=120)
    assert done.returncode == 0, done.stderr


def assert_mutual_tls(cluster: Lab) -> None:
    """The Docker API answers whoever the CA vouches for, under the load balancer's name, and nobody else."""
    host = cluster.host(cluster.status()["leader"])
    certificate, key = client_certificate(cluster.ca)
    script = f"""
set -e
cd "$(mktemp -d)"
cat > cert.pem <<'PEM'
{certificate}PEM
cat > key.pem <<'PEM'
{key}PEM
cat > ca.pem <<'PEM'
{cluster.ca["certificate"]}PEM
to="--resolve lab.test:2376:127.0.0.1 https://lab.test:2376/version"
curl -sf --cacert ca.pem --cert cert.pem --key key.pem $to > /dev/null
! curl -sf --cacert ca.pem $to > /dev/null
"""
    done = host.run("bash", "-c", script, timeout=60)
    assert done.returncode == 0, f"with the client's certificate and only with it: {done.stdout} {done.stderr}"
    health = host.run("curl", "-sf", "http://127.0.0.1:2378/healthz", timeout=30)
    assert json.loads(health.stdout)["has_leader"] is True


def client_certificate(ca: dict[str, str]) -> tuple[str, str]:
    """A client's certificate and key (PEM), signed by the CA."""
    authority = x509.load_pem_x509_certificate(ca["certificate"].encode())
    signer = serialization.load_pem_private_key(ca["private_key"].encode(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")]))
        .issuer_name(authority.subject).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(signer, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def assert_no_secret_is_told(cluster: Lab) -> None:
    """No log, no argument of a process, no file of the agent holds the CA's key or a token."""
    told = json.loads(cluster.secrets.get_secret_value(SecretId=cluster.arns["managers"])["SecretString"])
    planted = [cluster.ca["private_key"].splitlines()[1], told["token"]]
    for instance in cluster.instances("manager"):
        host = cluster.host(instance)
        look = "journalctl -u timonel-agent --no-pager; cat /proc/[0-9]*/cmdline | tr '\\0' ' '; cat /etc/timonel/*; "
        look += "grep -rsh PRIVATE -A2 /etc/docker /etc/timonel /opt /var/lib/timonel || true"
        everything = host.run("bash", "-c", look, timeout=60).stdout
        for secret in planted:
            assert secret not in everything, f"a secret is readable on {instance}"
