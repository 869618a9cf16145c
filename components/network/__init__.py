"""Network: a VPC with its subnets, or an existing one that is checked."""
