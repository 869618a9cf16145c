"""EKS's API in place of moto's, which has clusters and node groups without a life of their own and nothing else."""
