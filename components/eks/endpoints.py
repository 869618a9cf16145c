"""Which interface endpoints a cluster needs in a VPC without a way out. S3 has a gateway endpoint always."""

_ALWAYS = (
    "ec2",  # the VPC CNI plugin, the EBS CSI driver and the nodes' start
    "ecr.api",  # log in and resolve images: without internet, ECR is the only registry
    "ecr.dkr",  # pull them
    "eks",  # the nodes' start reads the cluster
    "eks-auth",  # Pod Identity
    "logs",  # containers' logs
    "ssm",  # shell access: the SSM agent registers
    "ssmmessages",  # shell access: the session
    "sts",  # tokens of the cluster's API
)


def required() -> list[str]:
    """Short service names, sorted. Source: Amazon EKS User Guide, "Deploy private clusters with limited internet"."""
    return sorted(_ALWAYS)
