"""Taking the cluster down when dockerd does not answer: nothing on this node is worth waiting for any more."""

from __future__ import annotations

from node_agent.decide import Do
from node_agent.ports import AwayError
from node_agent.records import CLOSING
from node_agent.world import TERMINATE, Ports


def let_go_blindly(p: Ports) -> None:
    """After a pass that could not look at dockerd: completes the termination hook if the closing mark is set."""
    try:
        if p.cloud.leaving() and p.store.keys(CLOSING):
            p.cloud.complete(TERMINATE)
            p.log(Do.LET_GO, "done", why="the cluster is being taken down, and dockerd does not answer")
    except AwayError as error:
        p.log(Do.LET_GO, "away", error=str(error))
