"""EKS: a managed Kubernetes control plane, node pools, add-ons, and what leaves with it."""
