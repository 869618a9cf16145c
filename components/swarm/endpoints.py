"""Which interface endpoints nodes need in a VPC without a way out. S3 has a gateway endpoint always."""

_ALWAYS = (
    "autoscaling",  # lifecycle hooks, health
    "ec2",  # is a member gone?
    "ecr.api",  # log in and resolve images: without internet, ECR is the only registry
    "ecr.dkr",  # pull them
    "logs",  # containers' logs
    "secretsmanager",  # join tokens
    "ssm",  # shell access: the SSM agent registers
    "ssmmessages",  # shell access: the session
)
_WITH_PUBLISHED_PORTS = ("elasticloadbalancing",)  # leave the target groups before draining


def required(*, has_published_ports: bool) -> list[str]:
    """Short service names, sorted.

    ``kms`` and ``sts`` are not among them: S3 and Secrets Manager call KMS for the node, and the role's credentials
    come from the instance metadata service.
    """
    return sorted({*_ALWAYS, *(_WITH_PUBLISHED_PORTS if has_published_ports else ())})
