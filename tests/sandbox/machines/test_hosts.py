"""Instances by plain boto3 become booted hosts, and hosts follow the API's verbs."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.machines import actions, cgroups, mounts, names
from sandbox.machines.namespaces import FOLDER
from tests.sandbox.machines.rig import IMDS, TOKEN, Machines, shell, until

pytestmark = pytest.mark.machines

Launch = Callable[..., str]
WHO = """#!/bin/bash
set -eu
python3 - >/root/who <<'END'
import boto3
print(boto3.client("sts", region_name="us-east-1").get_caller_identity()["Arn"])
END
echo "user data ran" | tee -a /root/ran
"""
SHARED = ("fs/file-max", "fs/nr_open", "kernel/pid_max", "kernel/panic", "vm/overcommit_memory", "kernel/core_pattern")


def test_an_instance_boots_runs_its_user_data_and_is_who_its_role_says(machines: Machines, launch: Launch) -> None:
    before = {name: Path("/proc/sys", name).read_text() for name in SHARED}
    start = time.monotonic()
    instance = launch(WHO, TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "one"}]}])
    until("the instance runs", lambda: machines.state_of(instance) == "running")
    [host] = machines.booted(instance)
    print(f"RunInstances to booted, user data finished: {time.monotonic() - start:.1f} s")
    assert shell(host, "cat /root/ran") == "user data ran", "cloud-init runs the instance's own user data"
    who = shell(host, "cat /root/who")
    assert who.endswith(f":assumed-role/node/{instance}"), f"the host acts as its instance profile's role, got {who}"
    assert shell(host, "systemctl is-system-running") == "running", "no unit of the image fails"
    until("status checks pass", lambda: machines.checks_of(instance) == "ok")
    console = machines.client("ec2").get_console_output(InstanceId=instance)["Output"]
    assert "user data ran" in console, "GetConsoleOutput shows what the host wrote on its console"
    after = {name: Path("/proc/sys", name).read_text() for name in SHARED}
    assert before == after, "a host must not change the settings of the one kernel that all share"


def test_metadata_needs_a_token_and_tells_what_the_api_knows(machines: Machines, launch: Launch) -> None:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "timonel:role", "Value": "manager"}]}]
    options = {"HttpTokens": "required", "InstanceMetadataTags": "enabled", "HttpPutResponseHopLimit": 1}
    instance = launch("", "us-east-1b", TagSpecifications=tags, MetadataOptions=options)
    [host] = machines.booted(instance)
    code = f"curl -s -o /dev/null -w %{{http_code}} {IMDS}"
    assert shell(host, f"{code}/meta-data/instance-id") == "401", "version 1 (no token) is refused"
    assert shell(host, f"{code}/meta-data/ -H 'X-aws-ec2-metadata-token: forged'") == "401", "so is a forged token"
    assert shell(host, f"{code}/api/token -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 0'") == "400"
    assert shell(host, f"{code}/api/token -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 21601'") == "400"

    def ask(path: str) -> str:
        return shell(host, f'T={TOKEN}; curl -sf -H "X-aws-ec2-metadata-token: $T" {IMDS}/{path}')

    assert ask("meta-data/instance-id") == instance
    assert ask("meta-data/placement/availability-zone") == "us-east-1b"
    assert ask("meta-data/tags/instance/timonel:role") == "manager"
    document = json.loads(ask("dynamic/instance-identity/document"))
    assert (document["instanceId"], document["region"]) == (instance, "us-east-1")
    assert ask("meta-data/iam/security-credentials/") == "node"
    assert json.loads(ask("meta-data/iam/security-credentials/node"))["Code"] == "Success"
    assert "spot/" not in ask("meta-data/"), "no notice was given, so none is listed"
    assert f"{host.identity().wire.ip}" == shell(host, "hostname -I | cut -d' ' -f1"), "the address is EC2's"  # type: ignore[union-attr]


@pytest.mark.parametrize(("limit", "works"), [(1, False), (2, True)])
def test_the_hop_limit_decides_whether_a_container_gets_a_token(
    machines: Machines, launch: Launch, limit: int, works: bool
) -> None:
    [host] = machines.booted(launch(MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": limit}))
    shell(
        host,
        "ip netns add c && ip link add veth0 type veth peer name eth1 netns c && ip addr add 192.168.9.1/24 dev veth0"
        " && ip link set veth0 up && ip -n c addr add 192.168.9.2/24 dev eth1 && ip -n c link set eth1 up"
        " && ip -n c route add default via 192.168.9.1 && sysctl -qw net.ipv4.ip_forward=1"
        " && iptables -t nat -A POSTROUTING -s 192.168.9.0/24 -o eth0 -j MASQUERADE",
    )
    put = f"curl -sf -m 3 -o /dev/null -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' {IMDS}/api/token"
    assert host.run("sh", "-c", put).returncode == 0, "the host itself is one hop away"
    assert (host.run("sh", "-c", f"ip netns exec c {put}").returncode == 0) is works


def test_stop_and_start_keep_the_disk_and_reboot_keeps_the_instance(machines: Machines, launch: Launch) -> None:
    instance = launch(WHO)
    [host] = machines.booted(instance)
    ec2 = machines.client("ec2")
    shell(host, "echo kept >/root/kept; docker --version; mkdir -p /var/lib/docker/x")
    ec2.stop_instances(InstanceIds=[instance])
    until("stopped", lambda: machines.state_of(instance) == "stopped")
    assert host.leader() is None, "a stopped instance has no process"
    assert not mounts.below(host.folder), "and no mount"
    ec2.start_instances(InstanceIds=[instance])
    until("running again", lambda: machines.state_of(instance) == "running" and host.leader() is not None)
    machines.booted(instance)
    assert shell(host, "cat /root/kept; ls -d /var/lib/docker/x") == "kept\n/var/lib/docker/x", "the disk was kept"
    assert shell(host, "wc -l </root/ran") == "1", "user data runs once per instance, not per boot"
    boot = shell(host, "cat /proc/sys/kernel/random/boot_id")
    ec2.reboot_instances(InstanceIds=[instance])
    until("rebooted", lambda: host.leader() and host.record()["boots"] == 3)
    machines.booted(instance)
    assert shell(host, "cat /proc/sys/kernel/random/boot_id") != boot
    assert machines.state_of(instance) == "running", "a reboot does not change the state"


def test_a_reboot_or_poweroff_from_inside_is_what_ec2_makes_of_it(machines: Machines, launch: Launch) -> None:
    instance = launch()
    [host] = machines.booted(instance)
    host.run("systemctl", "reboot")
    until("booted again", lambda: host.record()["boots"] == 2 and host.leader() is not None)
    machines.booted(instance)
    assert machines.state_of(instance) == "running"
    host.run("systemctl", "poweroff")
    until("the instance is stopped", lambda: machines.state_of(instance) == "stopped")


def test_terminate_leaves_no_trace_of_the_host_and_spares_the_others(machines: Machines, launch: Launch) -> None:
    instance, other = launch(), launch(zone="us-east-1b")
    host, spared = machines.booted(instance, other)
    shell(host, "systemctl start docker && docker info >/dev/null")
    assert cgroups.processes(host.group, instance), "the host's processes are in its own groups"
    leader = spared.leader()
    machines.terminate([instance])
    assert not cgroups.processes(host.group, instance), "processes"
    assert not [h for h in cgroups.hierarchies() if (h / host.group / instance).exists()], "cgroups"
    assert not mounts.below(host.folder), "mounts"
    until("the disk is gone", lambda: not host.folder.exists())
    until("the namespace is gone", lambda: not (FOLDER / names.host(host.key, instance)).exists())
    assert spared.leader() == leader, "the other host never noticed"


def test_without_power_ec2_calls_it_running_and_impaired(machines: Machines, launch: Launch) -> None:
    instance = launch(WHO)
    [host] = machines.booted(instance)
    until("ok at first", lambda: machines.checks_of(instance) == "ok")
    shell(host, "echo kept >/root/kept; sync")
    actions.power_cut(machines.folder, instance)
    assert host.leader() is None
    until("impaired", lambda: machines.checks_of(instance) == "impaired")
    assert machines.state_of(instance) == "running"
    actions.power_on(machines.folder, instance)
    machines.booted(instance)
    assert shell(host, "cat /root/kept") == "kept"
    until("ok again", lambda: machines.checks_of(instance) == "ok")


def test_a_host_that_dies_by_itself_is_a_power_cut(machines: Machines, launch: Launch) -> None:
    instance = launch()
    [host] = machines.booted(instance)
    leader = host.leader()
    assert leader
    os.kill(leader.pid, 9)
    until("noticed", lambda: not host.powered())
    until("impaired", lambda: machines.checks_of(instance) == "impaired")


def test_a_frozen_host_stands_still_and_goes_on(machines: Machines, launch: Launch) -> None:
    [host] = machines.booted(
        launch("#!/bin/sh\n(while sleep 0.1; do date +%s.%N >/run/tick; done) >/dev/null 2>&1 &\n")
    )
    tick = host.folder / "root"
    assert tick.exists()
    actions.freeze(machines.folder, host.id)
    leader = host.leader()
    assert leader, "a frozen host is not a dead one"
    actions.thaw(machines.folder, host.id)
    assert shell(host, "echo alive") == "alive"
    actions.freeze(machines.folder, host.id)  # and a frozen one can be terminated: the fixture does


def test_a_spot_notice_is_seen_and_carried_out(machines: Machines, launch: Launch) -> None:
    instance = launch()
    [host] = machines.booted(instance)
    header = '-H "X-aws-ec2-metadata-token: $T"'
    ask = f'T={TOKEN}; curl -s -w " %{{http_code}}" {header} {IMDS}/meta-data/spot/instance-action'
    assert shell(host, ask).endswith("404"), "no notice yet"
    actions.spot_notice(machines.folder, instance, "terminate", seconds=4)
    notice = json.loads(shell(host, ask).rpartition(" ")[0])
    assert notice["action"] == "terminate"
    until("interrupted", lambda: machines.state_of(instance) == "terminated", 60)
