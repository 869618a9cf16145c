"""The program that runs on an instance: forms a swarm, keeps it whole, recovers it. Standard library and boto3 only."""
