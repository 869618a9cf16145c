"""What a destroy of an EKS cluster cleans up that Pulumi never made: see docs/eks-teardown.md."""
