"""Volumes of services that are gone: which the agent removes, when, and which it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from components.monitoring.objects import volume
from node_agent import volumes
from node_agent.docker_api import ApiError
from node_agent.engine import DockerSwarm
from node_agent.ports import Identity, NoLeaderError
from node_agent.volumes import EVERY, GRACE, Volumes
from tests.unit.node_agent.test_host_parts import config


class Docker:
    """Stands in for a manager's dockerd."""

    def __init__(self, labelled: set[str], mounted: set[str]) -> None:
        self.labelled, self.mounted = labelled, mounted
        self.in_use: set[str] = set()
        self.leader = True

    def labelled_volumes(self, label: str, value: str) -> list[str]:
        assert (label, value) == ("timonel.unused", "remove")
        return sorted(self.labelled)

    def mounted_volumes(self) -> set[str]:
        if not self.leader:
            raise NoLeaderError("none")
        return self.mounted

    def remove_volume(self, volume: str) -> bool:
        if volume in self.in_use:
            return False
        self.labelled.remove(volume)
        return True


def watch(docker: Docker, since: float, until: float) -> list[str]:
    """What the agent removes in a stretch of time."""
    logged: list[str] = []
    looking = Volumes(docker, lambda *a, **k: logged.append(k.get("target", a[1])))
    now = since
    while now <= until:
        looking.look(now)
        now += 10
    return logged


def test_a_volume_that_no_service_mounts_goes_after_the_grace() -> None:
    docker = Docker({"history", "other"}, {"other"})
    assert watch(docker, 0, GRACE - 10) == []
    assert watch(docker, 0, GRACE + EVERY) == ["history"]
    assert docker.labelled == {"other"}, "a service mounts it"


def test_one_that_a_service_mounts_again_starts_its_time_anew() -> None:
    docker = Docker({"history"}, set())
    logged: list[Any] = []
    looking = Volumes(docker, lambda *a, **k: logged.append(a))
    looking.look(0)
    docker.mounted = {"history"}
    looking.look(GRACE - EVERY)
    docker.mounted = set()
    looking.look(GRACE)
    looking.look(GRACE + EVERY)
    assert docker.labelled == {"history"} and not logged


def test_without_a_leader_nothing_is_removed_and_the_time_starts_anew() -> None:
    docker = Docker({"history"}, set())
    logged: list[str] = []
    looking = Volumes(docker, lambda *a, **k: logged.append(a[1]))
    looking.look(0)
    docker.leader = False
    looking.look(GRACE)
    docker.leader = True
    looking.look(GRACE + EVERY)
    assert docker.labelled == {"history"} and logged == ["away"]


def test_one_that_a_container_still_has_is_tried_again() -> None:
    docker = Docker({"history"}, set())
    docker.in_use = {"history"}
    looking = Volumes(docker, lambda *a, **k: None, grace=0)
    looking.look(0)
    assert docker.labelled == {"history"}
    docker.in_use = set()
    looking.look(EVERY)
    assert docker.labelled == set()


def test_the_label_is_the_one_that_services_give_their_volumes() -> None:
    [label] = volume("history", "/data", goes=True)["volume_options"]["labels"]
    assert label == {"label": volumes.LABEL, "value": volumes.REMOVE}
    assert "volume_options" not in volume("history", "/data"), "kept unless the stack says otherwise"


@pytest.mark.parametrize(("status", "gone"), [(None, True), (404, True), (409, False)])
def test_dockerd_s_answers_are_understood(status: int | None, gone: bool) -> None:
    class Api:
        def call(self, method: str, path: str, query: Any = None) -> Any:
            if method == "DELETE" and status:
                raise ApiError(status, "no")
            if path == "/volumes":
                assert query == {"filters": {"label": ["timonel.unused=remove"]}}
                return {"Volumes": None}
            mounts = [{"Type": "volume", "Source": "v"}, {"Type": "bind", "Source": "/run"}, {"Type": "volume"}]
            task = {"ContainerSpec": {"Mounts": mounts}}
            return [{"Spec": {"TaskTemplate": task}}, {"Spec": {"TaskTemplate": {"ContainerSpec": {}}}}]

    api: Any = Api()
    docker = DockerSwarm(api, config(), Identity("i-1", "10.0.0.4", "z", "h"))
    assert docker.remove_volume("v") is gone
    assert docker.labelled_volumes(volumes.LABEL, volumes.REMOVE) == []
    assert docker.mounted_volumes() == {"v"}
