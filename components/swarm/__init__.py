"""SwarmCluster: Docker Swarm that heals itself."""
