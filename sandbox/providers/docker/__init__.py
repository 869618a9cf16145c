"""The stand-in for Pulumi's Docker provider: what lives in a swarm, through the docker SDK."""
