"""What of the machines can be shown without a host: decisions, rules, names, health, tokens, packets, images."""

import asyncio
import gc
import socket
import struct
from pathlib import Path

import pytest

from sandbox.machines import apt, debian, dns, front, imds, names, relay, standins
from sandbox.machines.balancers import Check, Health, Target, accepts, eligible
from sandbox.machines.container_images import ContainerImage, digest
from sandbox.machines.decisions import Action, decide
from sandbox.machines.image import RECIPES
from sandbox.machines.namespaces import listen
from sandbox.machines.network import Cuts, Wire, cut_rules

CHECK = Check("HTTP", "2378", "/healthz", "200-399", 10, 6, rise=3, fall=2)


@pytest.mark.parametrize(
    ("case", "action"),  # state, exists, alive, powered, exit code, reboot asked
    [
        (("pending", False, False, True, None, False), Action.BOOT),
        (("running", False, False, True, None, False), Action.BOOT),  # a plain moto server has no pending
        (("pending", True, False, True, 0, False), Action.BOOT),  # started after a stop
        (("pending", True, True, True, None, False), Action.REPORT),  # the report was lost
        (("running", True, True, True, None, False), Action.NOTHING),
        (("running", True, True, True, None, True), Action.REBOOT),
        (("running", True, False, True, 133, False), Action.BOOT),  # rebooted from inside
        (("running", True, False, True, 0, False), Action.STOP_INSTANCE),  # powered off from inside
        (("running", True, False, True, 137, False), Action.LOST_POWER),
        (("running", True, False, True, None, False), Action.LOST_POWER),
        (("running", True, False, False, 137, False), Action.NOTHING),  # its power is cut
        (("stopping", True, True, True, None, False), Action.SHUT_DOWN),
        (("stopping", True, False, True, 0, False), Action.SHUT_DOWN),  # down, but not reported
        (("stopped", True, False, True, 0, False), Action.NOTHING),
        (("stopped", True, True, True, None, False), Action.SHUT_DOWN),
        (("shutting-down", True, True, True, None, False), Action.DESTROY),
        (("shutting-down", False, False, True, None, False), Action.DESTROY),  # terminated before it booted
        (("terminated", True, True, False, None, False), Action.DESTROY),
        (("terminated", False, False, True, None, False), Action.NOTHING),
    ],
)
def test_each_case_of_api_and_host_has_one_action(
    case: tuple[str, bool, bool, bool, int | None, bool], action: Action
) -> None:
    state, exists, alive, powered, ended, reboot = case
    assert decide(state, exists=exists, alive=alive, powered=powered, ended=ended, reboot=reboot) is action


def wire(name: str, zone: str, ip: str) -> Wire:
    return Wire(name, "vpc-1", "10.0.0.0/24", zone, ip, "0a:00:00:00:00:01")


A, A2, B, C = (
    wire("i-a", "1a", "10.0.0.4"),
    wire("i-a2", "1a", "10.0.0.5"),
    wire("i-b", "1b", "10.0.1.4"),
    wire("i-c", "1c", "10.0.2.4"),
)


def test_a_cut_zone_loses_other_zones_and_balancers_but_not_itself_or_the_api() -> None:
    rules = cut_rules(Cuts(zones=["1a"]), [A, A2, B, C])
    assert "-A FORWARD -s 10.0.0.4 -d 10.0.1.4 -j DROP" in rules
    assert "-A FORWARD -s 10.0.2.4 -d 10.0.0.5 -j DROP" in rules
    assert "-s 10.0.0.4 -d 10.0.0.5" not in rules, "inside the zone nothing is cut"
    assert "-s 10.0.1.4 -d 10.0.2.4" not in rules, "other zones keep each other"
    assert f"-A OUTPUT -s {names.BALANCERS} -d 10.0.0.4 -j DROP" in rules
    assert names.IMDS not in rules, "the API was not to be cut"


def test_a_cut_host_loses_everybody_and_the_api_only_when_asked() -> None:
    assert "-A FORWARD -s 10.0.0.4 -j DROP" in cut_rules(Cuts(hosts=["i-a"]), [A, B])
    rules = cut_rules(Cuts(hosts=["i-a"], api=["i-a"]), [A, B])
    assert f"-A INPUT -s 10.0.0.4 ! -d {names.IMDS} -j DROP" in rules, "metadata is the hypervisor's and stays"


def test_nothing_cut_is_an_empty_table() -> None:
    assert [line for line in cut_rules(Cuts(), [A, B, C]).splitlines() if line.startswith("-A")] == []


def test_a_new_target_needs_one_pass_and_a_known_one_its_thresholds() -> None:
    health = Health()
    assert health.saw(True, CHECK, "")
    assert health.state == "healthy"
    assert not health.saw(False, CHECK, "timed out"), "one failure is below the threshold of two"
    assert not health.saw(True, CHECK, ""), "and a pass in between starts the count again"
    assert not health.saw(False, CHECK, "timed out")
    assert health.saw(False, CHECK, "timed out")
    assert (health.state, health.reason, health.description) == ("unhealthy", "Target.FailedHealthChecks", "timed out")
    assert [health.saw(True, CHECK, "") for _ in range(3)] == [False, False, True], (
        "three passes in a row bring it back"
    )


def test_a_target_that_never_answers_turns_unhealthy() -> None:
    health = Health()
    assert [health.saw(False, CHECK, "x") for _ in range(2)] == [False, True]


def test_connections_go_to_the_healthy_and_to_all_when_none_is() -> None:
    one, two, new = Target("i-1", 80), Target("i-2", 80), Target("i-3", 80)
    assert eligible({one: "healthy", two: "unhealthy", new: "initial"}) == [one]
    assert eligible({one: "unhealthy", two: "unhealthy", new: "initial"}) == [one, two], "fail open"


@pytest.mark.parametrize(
    ("codes", "status", "good"), [("200-399", 302, True), ("200,204", 204, True), ("200", 503, False)]
)
def test_a_matcher_names_codes_and_ranges(codes: str, status: int, good: bool) -> None:
    assert accepts(codes, status) is good


def test_a_token_is_good_for_its_instance_and_its_time_only(tmp_path: Path) -> None:
    tokens = imds.Tokens(tmp_path / "key")
    token = tokens.issue("i-1", 60, now=1000)
    assert tokens.valid(token, "i-1", now=1059)
    assert not tokens.valid(token, "i-1", now=1060)
    assert not tokens.valid(token, "i-2", now=1000), "another instance's token"
    assert not tokens.valid("", "i-1", now=1000)
    assert not tokens.valid("äöü", "i-1", now=1000)
    assert imds.Tokens(tmp_path / "key").valid(token, "i-1", now=1000), "a new controller knows the old tokens"
    assert not imds.Tokens(tmp_path / "other").valid(token, "i-1", now=1000), "another sandbox does not"


def test_metadata_lists_what_lies_below_a_path() -> None:
    tree: dict[str, imds.Leaf] = {"a/b": "1", "a/c/d": "2", "e": lambda: "3", "f": lambda: None}
    assert imds.answer(tree, "") == "a/\ne\nf"
    assert imds.answer(tree, "a/") == "b\nc/"
    assert imds.answer(tree, "e") == "3"
    assert imds.answer(tree, "f") is None
    assert imds.answer(tree, "a/x") is None


def query(name: str, kind: int = 1) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def test_the_resolver_answers_known_names_and_refuses_others() -> None:
    def known(name: str) -> list[str] | None:
        return ["10.0.0.4"] if name == "ip-10-0-0-4.ec2.internal" else None

    answer = dns.reply(query("ip-10-0-0-4.EC2.internal"), known)
    assert answer and answer[-4:] == socket.inet_aton("10.0.0.4")
    assert struct.unpack("!HHHH", answer[:8]) == (7, 0x8180, 1, 1)
    aaaa = dns.reply(query("ip-10-0-0-4.ec2.internal", 28), known)
    assert aaaa and struct.unpack("!HHHH", aaaa[:8]) == (7, 0x8180, 1, 0), "known, but has no IPv6 address"
    refused = dns.reply(query("example.com"), known)
    assert refused and refused[3] & 15 == dns.REFUSED
    assert dns.reply(b"short", known) is None
    assert dns.reply(query("a")[:14], known) is None, "cut short"


def test_the_mirror_comes_from_the_machines_own_apt() -> None:
    tools = "deb [arch=amd64] http://tools.example/x tool-stable main\n"
    one_line = f"{tools}deb http://debian.example/debian bookworm main contrib\n"
    assert apt.mirror_in(one_line) == "http://debian.example/debian"
    stanzas = (
        "Types: deb\nURIs: https://node.example\nSuites: nodistro\nComponents: main\n\n"
        "Types: deb\n# a comment\nURIs: http://debian.example/debian http://two.example\n"
        "Suites: trixie trixie-updates\nComponents: main\n"
    )
    assert apt.mirror_in(stanzas) == "http://debian.example/debian"
    assert apt.mirror_in("deb http://ubuntu.example noble main") is None, "hosts are Debian"


def test_a_machine_without_a_debian_source_is_told_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(apt.MIRROR_VARIABLE, raising=False)
    with pytest.raises(apt.NoMirrorError, match=apt.MIRROR_VARIABLE):
        apt.debian_mirror(tmp_path)
    monkeypatch.setenv(apt.MIRROR_VARIABLE, "http://debian.example")
    assert apt.debian_mirror(tmp_path) == "http://debian.example"


def test_a_half_closed_connection_is_carried_to_its_end() -> None:
    """The client ends its half at once, the answer comes later: the garbage collector must not take the relay."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.read()
        for _ in range(5):
            await asyncio.sleep(0.02)
            gc.collect()
        writer.write(b"answer to " + asked)
        writer.close()

    async def play() -> bytes:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        far = server.sockets[0].getsockname()[1]
        listener = listen("127.0.0.1", 0)
        port = listener.getsockname()[1]
        await relay.serve(listener, relay.to("127.0.0.1", far))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"question")
        writer.write_eof()
        return await asyncio.wait_for(reader.read(), 60)  # a busy machine collects for seconds

    assert asyncio.run(play()) == b"answer to question"


def test_two_sandboxes_share_no_name_and_no_address(tmp_path: Path) -> None:
    one, two = (names.sandbox_key(tmp_path / name) for name in ("one", "two"))
    assert one != two
    assert names.router(one, "vpc-1") != names.router(two, "vpc-1")
    assert names.loopback(one, 1) != names.loopback(two, 1)
    assert names.loopback(one, 1).startswith("127.")
    assert len(names.wire("i-0123456789abcdef0")) <= 15, "Linux takes 15 characters"
    assert names.machine_id("i-1") != names.machine_id("i-2"), "equal machine ids make equal MAC addresses"


def test_an_images_name_follows_the_content_of_its_recipe() -> None:
    newest, stable = RECIPES
    assert newest.digest() == newest.digest()
    assert newest.digest() != stable.digest()


def test_a_container_image_is_the_same_bytes_each_time() -> None:
    image = ContainerImage("timonel/x", {"bin/x": (b"#!/bin/sh\n", 0o755)}, ("/bin/x",), links={"bin/y": "x"})
    assert digest(image.layer()) == digest(image.layer())
    assert image.config(image.layer()) == image.config(image.layer())


@pytest.mark.parametrize(
    ("host", "path", "name", "tag", "asked"),
    [
        ("169.254.100.2:5000", "/v2/prom/prometheus/manifests/v3.5.0?ns=docker.io", "prom/prometheus", "v3.5.0", ""),
        ("ghcr.io", "/v2/google/cadvisor/manifests/0.53.0", "ghcr.io/google/cadvisor", "0.53.0", ""),
        ("ghcr.io", "/v2/google/cadvisor/blobs/sha256:ab", "ghcr.io/google/cadvisor", "", ""),
        ("169.254.100.2:5000", "/v2/google/cadvisor/manifests/1", None, "1", "/v2/google/cadvisor/manifests/1"),
        ("ghcr.io", "/v2/prom/prometheus/manifests/1", None, "1", "/v2/ghcr.io/prom/prometheus/manifests/1"),
        ("169.254.100.2:5000", "/v2/", None, "", "/v2/"),
    ],
)
def test_the_registrys_front_knows_what_is_asked_of_which_registry(
    host: str, path: str, name: str | None, tag: str, asked: str
) -> None:
    head = front.Head.parse(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: keep-alive\r\n\r\n".encode())
    item, found, inner = head.wanted()
    assert (item and item.name, found) == (name, tag)
    assert inner.startswith(f"/v2/{name}/") if name else inner == asked
    sent = head.rewritten(inner).decode()
    assert sent.startswith(f"GET {inner} HTTP/1.1\r\n") and sent.endswith("\r\n\r\n")
    assert sent.count("Connection:") == 1 and "Connection: close" in sent, "one request for each connection"


def test_a_stand_in_is_pushed_once_tagged_as_asked_and_not_made_for_a_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[str, ...]] = []
    item = standins.StandIn(standins.HUB, "some/image", lambda: ContainerImage("some/image", {}, ("x",)))
    packed = standins.Packed.of(ContainerImage("some/image", {}, ("x",), labels={standins.LABEL: "told"}))
    monkeypatch.setattr(standins, "packed", lambda _: packed)
    monkeypatch.setattr(standins, "upload", lambda _, name, tags, __: done.append(("push", name, *tags)))
    monkeypatch.setattr(standins, "tag_manifest", lambda _, name, tag, __: done.append(("tag", name, tag)))
    shelf = standins.Shelf()
    for tag in (f"sha256:{'0' * 64}", "1", "1", "2"):
        shelf.provide(item, tag, "http://x")
    assert done == [("push", "some/image", "1"), ("tag", "some/image", "2")]


@pytest.mark.parametrize(
    ("version", "upstream"), [("3.5.3+ds1-6", "3.5.3"), ("1:0.33.1-5", "0.33.1"), ("2.42.0+ds-5+deb12u1", "2.42.0")]
)
def test_the_version_of_a_program_is_told_from_the_packages(version: str, upstream: str) -> None:
    assert debian.Unpacked(Path("/x"), version).upstream == upstream
