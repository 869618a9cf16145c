"""The protocol under faults: real agents in a simulated world. Seconds are the world's, not the machine's."""

import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import pytest

from node_agent.records import CLOSING, LEDGER, RECORD, SNAPSHOTS, Entry
from tests.unit.node_agent.sim import Host, World

T = TypeVar("T")
Make = Callable[..., World]
FULL = os.environ.get("TIMONEL_SIM") == "full"
"""TIMONEL_SIM=full plays every seed and every step (ten minutes); without it a sample of them (under one)."""


def some(values: Iterable[T], keep: int) -> list[T]:
    """All values when FULL, else ``keep`` of them, evenly spread."""
    everything = list(values)
    return everything if FULL else everything[:: max(1, -(-len(everything) // keep))]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[World] = []

    def build(**kwargs: int) -> World:
        world = World(**kwargs)
        made.append(world)
        return world

    yield build
    for world in made:
        world.close()


def formed(make: Make, **kwargs: int) -> World:
    world = make(**kwargs)
    world.converge()
    return world


def leader(world: World) -> str:
    raft = world.the_raft()
    return raft.members[raft.leader or ""][0]


def followers(world: World) -> list[str]:
    raft = world.the_raft()
    return sorted(i for n, (i, _) in raft.members.items() if n != raft.leader)


def epoch(world: World) -> int:
    record = world.record()
    assert record is not None
    return record.epoch


@pytest.mark.parametrize("managers", [1, 3, 5, 7])
def test_managers_and_workers_form_one_swarm(make: Make, managers: int) -> None:
    world = make(managers=managers, workers=2)
    assert world.converge() < 180, "forming is a matter of a few passes for each manager"
    assert epoch(world) == 1 and len(world.rafts) == 1, "one swarm, first epoch"


@pytest.mark.parametrize("seed", some(range(4), 1))
def test_a_dead_leader_is_replaced_and_its_node_removed(make: Make, seed: int) -> None:
    world = formed(make, seed=seed)
    dead, zone = leader(world), world.hosts[leader(world)].zone
    world.write("before")
    world.terminate(dead)
    assert world.converge() < 120
    assert epoch(world) == 1, "a majority lives: nothing is recovered"
    assert "before" in world.the_raft().data
    new = [h for h in world.managers_up() if h.zone == zone]
    assert len(new) == 1 and new[0].instance != dead, "the replacement stands in the right zone"


@pytest.mark.parametrize(("managers", "kill"), some([(3, 2), (5, 3), (5, 4), (7, 4)], 2))
@pytest.mark.parametrize("seed", some(range(3), 1))
def test_a_lost_majority_is_recovered_by_one_survivor(make: Make, managers: int, kill: int, seed: int) -> None:
    world = formed(make, managers=managers, seed=seed)
    world.write("before")
    world.terminate(*[leader(world), *followers(world)][:kill])
    world.converge()
    assert epoch(world) == 2, "one recovery"
    assert "before" in world.the_raft().data, "a survivor had the write"
    assert world.the_raft().tokens.manager != "M1", "tokens are rotated after a recovery"


@pytest.mark.parametrize("managers", [1, 3, 5])
@pytest.mark.parametrize("seed", some(range(3), 1))
def test_all_managers_lost_are_restored_from_the_newest_snapshot(make: Make, managers: int, seed: int) -> None:
    world = formed(make, managers=managers, seed=seed, workers=2)
    world.write("long ago")
    world.run(1000)
    world.write("just now")
    world.terminate(*[h.instance for h in world.managers_up()])
    world.converge()
    record = world.record()
    assert record is not None and record.epoch == 2 and record.recovered is not None
    data = world.the_raft().data
    assert "long ago" in data and "just now" not in data, "data as of the snapshot, and the record says when"
    assert record.recovered["data_as_of"] <= record.recovered["at"]


def test_a_corrupt_newest_snapshot_is_passed_over(make: Make) -> None:
    world = formed(make)
    world.run(2000)
    newest = max(k for k in world.objects if k.startswith(SNAPSHOTS) and k.endswith(".tar.gz"))
    world.objects[newest] = (b"rubbish", 1, world.now)
    world.terminate(*[h.instance for h in world.managers_up()])
    world.converge()
    record = world.record()
    assert record is not None and record.recovered is not None and record.recovered["from"] != newest


def test_without_any_good_snapshot_the_agents_say_so_and_do_not_begin_anew(make: Make) -> None:
    world = formed(make)
    for key in [k for k in world.objects if k.startswith(SNAPSHOTS) and k.endswith(".tar.gz")]:
        world.objects[key] = (b"rubbish", 1, world.now)
    world.terminate(*[h.instance for h in world.managers_up()])
    world.run(900)
    assert not world.led(), "an empty swarm in place of the lost one would look healthy"
    assert any("no good snapshot" in detail for *_, detail in world.logs)


@pytest.mark.parametrize("seed", some(range(3), 1))
def test_a_worker_that_was_off_during_the_recovery_comes_back(make: Make, seed: int) -> None:
    world = formed(make, seed=seed, workers=2)
    worker = next(h for h in world.hosts.values() if h.role == "worker")
    worker.docker = False
    world.terminate(*[h.instance for h in world.managers_up()])
    world.run(400)
    worker.docker = True
    world.converge()


@pytest.mark.parametrize("seed", some(range(5), 1))
def test_a_manager_cut_off_during_a_recovery_leaves_by_force_and_joins(make: Make, seed: int) -> None:
    world = formed(make, managers=5, seed=seed)
    cut = followers(world)[0]
    rest = [h.instance for h in world.hosts.values() if h.instance != cut]
    world.cut([cut], rest)
    world.away = lambda instance, service: instance == cut
    world.terminate(*[i for i in [leader(world), *followers(world)] if i != cut][:3])
    world.run(600)
    assert epoch(world) <= 2 and not any(r.leader and r.parent for r in world.rafts.values()), (
        "the cut-off manager still holds the old state: nobody forces a new cluster over its head"
    )
    world.cuts.clear()
    world.away = lambda instance, service: False
    world.converge()
    assert world.hosts[cut].up, "it came back as it was, not by replacement"


@pytest.mark.parametrize("seed", some(range(4), 1))
def test_a_zone_cut_off_and_healed_leaves_one_leader(make: Make, seed: int) -> None:
    world = formed(make, seed=seed)
    lost = leader(world)
    world.cut([lost], [h.instance for h in world.hosts.values() if h.instance != lost])
    world.run(300)
    assert epoch(world) == 1, "the majority elected; the minority only waits"
    world.cuts.clear()
    world.converge()
    assert epoch(world) == 1 and world.hosts[lost].up, "healed, nothing replaced"


@pytest.mark.parametrize("seed", some(range(4), 1))
def test_two_halves_that_see_each_other_no_more_never_fence(make: Make, seed: int) -> None:
    world = formed(make, managers=3, seed=seed)
    a, b = followers(world)
    world.terminate(leader(world))
    world.cut([a], [b])
    world.run(1200)
    assert len([r for r in world.rafts.values() if r.parent]) == 0, "two of three live: no recovery, however long"
    world.cuts.clear()
    world.converge()
    assert epoch(world) == 1


def test_a_zone_that_stays_dead_is_blocked_until_a_human_fences(make: Make) -> None:
    world = formed(make)
    lost = [leader(world), followers(world)[0]]
    for instance in lost:
        world.hosts[instance].frozen = True
    world.run(900)
    assert epoch(world) == 1, "EC2 calls them running: a minority never fences a majority"
    assert any(outcome == "blocked" for _, _, _, outcome, _ in world.logs), "the alert"
    for instance in lost:
        key = f"{LEDGER}{instance}.json"
        entry = Entry.from_json(json.loads(world.objects[key][0]))
        world.objects[key] = (json.dumps(dataclasses.replace(entry, fenced=True).to_json()).encode(), 10**9, world.now)
        world.terminate(instance)
    world.converge()
    assert epoch(world) == 2


def test_fenced_managers_that_wake_leave_by_force(make: Make) -> None:
    world = formed(make)
    lost = [leader(world), followers(world)[0]]
    for instance in lost:
        world.hosts[instance].frozen = True
        key = f"{LEDGER}{instance}.json"
        entry = Entry.from_json(json.loads(world.objects[key][0]))
        world.objects[key] = (json.dumps(dataclasses.replace(entry, fenced=True).to_json()).encode(), 10**9, world.now)
    world.run(600)
    assert epoch(world) == 2, "the human's word counts as gone"
    for instance in lost:
        world.hosts[instance].frozen = False
    world.converge()


@pytest.mark.parametrize("seed", some(range(4), 1))
def test_stale_and_empty_answers_of_ec2_delay_but_recover_nothing_that_lives(make: Make, seed: int) -> None:
    world = formed(make, seed=seed)
    world.empty_ec2 = True
    lost = leader(world)
    world.cut([lost], [h.instance for h in world.hosts.values() if h.instance != lost])
    world.run(400)
    assert epoch(world) == 1
    world.cuts.clear()
    world.empty_ec2 = False
    world.stale = 120.0
    world.terminate(leader(world), followers(world)[0])
    world.converge()
    assert epoch(world) == 2


@pytest.mark.parametrize("seed", some(range(3), 1))
def test_s3_away_for_two_minutes_changes_nothing(make: Make, seed: int) -> None:
    world = formed(make, seed=seed)
    end = world.now + 120
    world.away = lambda instance, service: service == "s3" and world.now < end
    world.run(200)
    assert not world.why_not_converged()
    end = world.now + 120
    world.terminate(leader(world))
    world.converge()
    assert epoch(world) == 1


@pytest.mark.parametrize("seed", some(range(6), 1))
def test_calls_that_fail_now_and_then_delay_but_change_nothing(make: Make, seed: int) -> None:
    world = make(seed=seed)
    world.away = lambda instance, service: world.rng.random() < 0.05  # what boto3's retries leave of 30 % throttling
    world.converge()
    world.terminate(leader(world))
    world.converge()
    world.terminate(*followers(world))
    world.converge()
    assert epoch(world) == 2


@pytest.mark.parametrize("seed", some(range(4), 1))
def test_two_termination_notices_at_once_go_one_after_the_other(make: Make, seed: int) -> None:
    world = formed(make, seed=seed)
    pair = [leader(world), followers(world)[0]]
    world.group_terminate(*pair)
    world.converge()
    assert epoch(world) == 1, "the quorum was never given away, so nothing had to be recovered"
    world.run(120, until=lambda: not any(world.hosts[i].up for i in pair))
    assert not any(world.hosts[i].up for i in pair), "both went"


@pytest.mark.parametrize("managers", [1, 3])
def test_a_rolling_replacement_of_every_manager_keeps_the_swarm(make: Make, managers: int) -> None:
    world = formed(make, managers=managers)
    world.write("before")
    for host in list(world.managers_up()):
        world.group_terminate(host.instance)
        world.converge()
    assert epoch(world) == 1 and "before" in world.the_raft().data


@pytest.mark.parametrize("managers", [1, 3])
def test_all_managers_replaced_at_once_hand_the_swarm_over(make: Make, managers: int) -> None:
    world = formed(make, managers=managers)
    world.group_terminate(*[h.instance for h in world.managers_up()])
    world.converge()
    assert epoch(world) == 1, "each waits for its replacement"


def test_managers_grow_and_shrink_live(make: Make) -> None:
    world = formed(make, managers=1)
    world.write("first")
    for size in (3, 5, 3, 1):
        world.desired = {z: size // 3 + (i < size % 3) for i, z in enumerate(world.zones)}
        world.converge()
        assert epoch(world) == 1, f"at {size}"
    assert "first" in world.the_raft().data


def test_a_leaving_worker_is_out_of_the_load_balancer_and_drained_before_it_goes(make: Make) -> None:
    world = formed(make, workers=2)
    worker = next(h for h in world.hosts.values() if h.role == "worker")
    world.group_terminate(worker.instance)
    assert world.run(200, until=lambda: not worker.up)
    assert worker.instance in world.deregistered
    drained = [at for at, _, action, _, _ in world.logs if action == "drain"]
    assert drained, "the steward drained it"
    world.converge()


def test_a_spot_notice_goes_the_way_of_the_hook(make: Make) -> None:
    world = formed(make, workers=2)
    worker = next(h for h in world.hosts.values() if h.role == "worker")
    worker.spot = True
    began = world.now
    assert world.run(120, until=lambda: not worker.up), "a spot notice gives two minutes"
    assert world.now - began < 120 and worker.instance in world.deregistered
    world.converge()


def test_a_manager_unreachable_for_ten_minutes_is_reported_and_replaced(make: Make) -> None:
    world = formed(make)
    hung = followers(world)[0]
    world.hosts[hung].docker = False
    world.run(500)
    assert not world.unhealthy, "not at once: a reboot is not a death"
    world.converge()
    assert world.unhealthy == [hung]
    assert epoch(world) == 1


def test_a_manager_that_auto_scaling_takes_out_and_that_is_silent_is_not_waited_for(make: Make) -> None:
    world = formed(make)
    dead = followers(world)[0]
    world.hosts[dead].docker = False
    began = world.now
    world.group_terminate(dead)
    world.run(250)
    gone = next(at for at, state in world.states[dead] if state == "terminated")
    assert gone - began < 150, "its hook would have held it for five minutes"
    world.converge()
    assert epoch(world) == 1


def test_the_closing_mark_lets_everything_go_and_recovers_nothing(make: Make) -> None:
    world = formed(make)
    world.objects[CLOSING] = (b"{}", 1, world.now)
    world.desired = dict.fromkeys(world.zones, 0)
    world.workers = 0
    everything = [h.instance for h in world.hosts.values() if h.up]
    world.group_terminate(*everything)
    assert world.run(20, until=lambda: not any(h.up for h in world.hosts.values())), "hooks complete at once"
    assert epoch(world) == 1


def test_after_the_closing_mark_a_node_without_dockerd_goes_too(make: Make) -> None:
    world = formed(make)
    world.objects[CLOSING] = (b"{}", 1, world.now)
    world.desired = dict.fromkeys(world.zones, 0)
    world.workers = 0
    everything = [h for h in world.hosts.values() if h.up]
    for role in ("manager", "worker"):
        next(h for h in everything if h.role == role).docker = False
    world.group_terminate(*[h.instance for h in everything])
    assert world.run(60, until=lambda: not any(h.up for h in world.hosts.values())), "not after the hook's time-out"


def test_size_zero_lets_go_without_a_mark(make: Make) -> None:
    world = formed(make)
    world.desired = dict.fromkeys(world.zones, 0)
    world.group_terminate(*[h.instance for h in world.managers_up()])
    assert world.run(120, until=lambda: not world.managers_up())


def test_a_missing_record_stops_the_agents_instead_of_beginning_anew(make: Make) -> None:
    world = formed(make)
    del world.objects[RECORD]
    world.terminate(leader(world))
    world.run(300)
    assert RECORD not in world.objects and len(world.rafts) == 1
    assert any("record is missing" in detail for *_, detail in world.logs)


# --- crash at every step


READS = ("store.get", "store.keys", "store.read", "secret.get", "swarm.state", "swarm.nodes", "swarm.tokens",
         "cloud.instances", "cloud.groups")  # fmt: skip


def effects(name: str) -> bool:
    """Calls that change the world; a crash at a read is a crash before the next of these."""
    return not name.startswith(READS)


def effect_counter(target: int) -> Callable[[str, int], bool]:
    seen = 0

    def hit(name: str, _: int) -> bool:
        nonlocal seen
        if not effects(name):
            return False
        seen += 1
        return seen == target

    return hit


@pytest.mark.parametrize("when", ["after", "before"])
@pytest.mark.parametrize("fate", ["restart", "terminate", "pause"])
@pytest.mark.parametrize("step", some(range(1, 13), 4))
def test_the_init_winner_dies_at_any_step(make: Make, step: int, fate: str, when: str) -> None:
    world = make(seed=step)
    world.restart = fate == "restart"
    world.run(1, until=lambda: len(world.hosts) >= 3)
    for process in list(world.agents.values()):
        process.crash_at = (effect_counter(step), when)
    world.run(60, until=lambda: bool(world.crashed))
    if not world.crashed:
        pytest.skip("the winner has fewer steps")
    died = world.crashed[0][1]
    for process in world.agents.values():
        process.crash_at = None
    for _, other in world.crashed[1:]:
        if other not in world.agents:
            world._start_agent(world.hosts[other], 5.0)
    meet_fate(world, world.hosts[died], fate)
    world.converge()
    assert len(world.led()) == 1


def meet_fate(world: World, host: Host, fate: str) -> None:
    if fate == "terminate":
        world.terminate(host.instance)
    elif fate == "pause":  # EC2 takes it for dead; it wakes later and acts on what it remembers
        host.frozen = True
        world.states[host.instance].append((world.now, "terminated"))
        world._start_agent(host, 1.0)
        world.run(240)
        host.frozen = False
        world.run(30)
        world.states[host.instance].append((world.now, "running"))
        world.run(120)
        if host.up and sum(h.zone == host.zone for h in world.managers_up()) > world.desired[host.zone]:
            world.terminate(host.instance)
    world.restart = True


@pytest.mark.parametrize("when", ["after", "before"])
@pytest.mark.parametrize("fate", ["restart", "terminate"])
@pytest.mark.parametrize("step", some(range(1, 8), 3))
def test_a_replacement_dies_while_joining(make: Make, step: int, fate: str, when: str) -> None:
    world = formed(make, seed=step)
    world.restart = fate == "restart"
    known = set(world.hosts)
    world.terminate(leader(world))
    world.run(120, until=lambda: bool(set(world.hosts) - known))
    new = (set(world.hosts) - known).pop()
    world.agents[new].crash_at = (effect_counter(step), when)
    world.run(120, until=lambda: bool(world.crashed))
    if world.crashed:
        meet_fate(world, world.hosts[new], fate)
    world.converge()
    assert epoch(world) == 1


@pytest.mark.parametrize("when", ["after", "before"])
@pytest.mark.parametrize("fate", ["restart", "terminate"])
@pytest.mark.parametrize("lost", [3, 5, 6])
@pytest.mark.parametrize("step", some(range(1, 14), 2))
def test_a_recoverer_dies_at_any_step(make: Make, step: int, lost: int, fate: str, when: str) -> None:
    managers = 3 if lost == 3 else 5
    kill = {3: 3, 5: 3, 6: 5}[lost]
    world = formed(make, managers=managers, seed=step)
    world.write("before")
    world.run(1000)
    world.restart = fate == "restart"
    known = set(world.hosts)
    world.terminate(*[leader(world), *followers(world)][:kill])

    def claimed() -> bool:
        record = world.record()
        return record is not None and record.epoch > 1

    if not world.run(300, until=claimed):
        raise AssertionError("nobody claimed the recovery")
    record = world.record()
    assert record is not None
    world.agents[record.holder].crash_at = (effect_counter(step), when)
    world.run(120, until=lambda: bool(world.crashed))
    if world.crashed:
        meet_fate(world, world.hosts[record.holder], fate)
    world.converge()
    assert known, "some lived before"
    assert "before" in world.the_raft().data, "whoever recovers goes on from a good state"


@pytest.mark.parametrize("seed", some(range(12), 3))
def test_a_storm_of_faults_always_ends_whole(make: Make, seed: int) -> None:
    world = formed(make, seed=seed, managers=[3, 3, 5][seed % 3], workers=2)
    rng = world.rng
    for _ in range(6):
        up = [h.instance for h in world.managers_up()]
        fault = rng.choice(["kill", "notice", "cut", "s3", "crash", "ec2", "worker"])
        if fault == "kill":
            world.terminate(*rng.sample(up, rng.randint(1, len(up))))
        elif fault == "notice":
            world.group_terminate(*rng.sample(up, rng.randint(1, len(up))))
        elif fault == "cut":
            one = rng.sample(up, rng.randint(1, max(1, len(up) - 1)))
            world.cut(one, [i for i in world.hosts if i not in one])
        elif fault == "s3":
            until = world.now + 120
            world.away = lambda instance, service, until=until: world.now < until  # type: ignore[misc]
        elif fault == "crash":
            world.agents[rng.choice(up)].crash_at = (effect_counter(rng.randint(1, 9)), "after")
        elif fault == "ec2":
            world.stale = rng.uniform(0, 90)
        else:
            for host in world.hosts.values():
                if host.role == "worker":
                    host.docker = rng.random() < 0.5
        world.run(rng.uniform(5, 400))
        if rng.random() < 0.6:
            heal(world)
    heal(world)
    world.converge(7200)


def heal(world: World) -> None:
    world.cuts.clear()
    world.stale = 0.0
    for host in world.hosts.values():
        host.docker = True
