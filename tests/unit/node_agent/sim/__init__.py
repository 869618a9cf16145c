"""A deterministic world for the agents: one clock, a bucket with ETags, raft as far as membership goes, EC2 and Auto
Scaling. The agents are the real ones; every call to the world takes time, so that they interleave, and may be the
last before a crash.

What it models of Swarm is what was seen on real daemons: a forced cluster keeps its swarm id, tokens and the raft
address it had; a joiner that cannot dial that address leaves the cluster without a leader; without a majority nothing
is written; a manager that leaves by force stays in the member list.

parts       an instance, a raft lineage, and a process that the world lets run
world       clock, elections, Auto Scaling, and what a test does to them
bucket      S3 and Secrets Manager, as an agent calls them
groups      EC2 and Auto Scaling, as an agent calls them
swarm       dockerd, as an agent calls it
agents      the host and the clock of an agent, and its process
promises    what holds at every moment
"""

from tests.unit.node_agent.sim.parts import Host
from tests.unit.node_agent.sim.world import World

__all__ = ["Host", "World"]
