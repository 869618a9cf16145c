"""A real Kubernetes control plane for each EKS cluster of the sandbox; see docs/sandbox-kubernetes.md."""
