"""Auto Scaling groups that move as AWS's do: spread, lifecycle hooks, health, instance refresh."""
