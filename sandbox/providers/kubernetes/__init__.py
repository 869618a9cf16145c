"""A stand-in for Pulumi's Kubernetes provider. See docs/sandbox-provider-kubernetes.md."""
