"""A stand-in for Pulumi's EKS provider (``eks:index:Cluster``). See docs/sandbox-provider-eks.md."""
