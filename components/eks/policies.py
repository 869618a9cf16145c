"""IAM policy documents and names of AWS's managed ones. Pure."""

from components.eks.args import AccessPolicy
from components.hosts.policies import document

NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly")
"""What a node needs; the VPC CNI plugin has a role of its own. Source: Amazon EKS User Guide, "Amazon EKS node IAM
role"."""
CNI_POLICY = "AmazonEKS_CNI_Policy"
EBS_CSI_POLICY = "service-role/AmazonEBSCSIDriverPolicy"

_ACCESS = {
    AccessPolicy.CLUSTER_ADMIN: "AmazonEKSClusterAdminPolicy",
    AccessPolicy.ADMIN: "AmazonEKSAdminPolicy",
    AccessPolicy.EDIT: "AmazonEKSEditPolicy",
    AccessPolicy.VIEW: "AmazonEKSViewPolicy",
}


def access_policy_arn(partition: str, policy: AccessPolicy) -> str:
    """ARN of an access policy of EKS."""
    return f"arn:{partition}:eks::aws:cluster-access-policy/{_ACCESS[policy]}"


def managed_policy_arn(partition: str, name: str) -> str:
    """ARN of a policy that AWS maintains."""
    return f"arn:{partition}:iam::aws:policy/{name}"


def pod_identity_trust(cluster_arn: str, account: str) -> str:
    """Trust policy: EKS may hand the role to pods of this cluster, and no other.

    Source: Amazon EKS User Guide, "Create IAM role with trust policy required by EKS Pod Identity".
    """
    return document(
        [
            {
                "Effect": "Allow",
                "Principal": {"Service": "pods.eks.amazonaws.com"},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": account},
                    "ArnEquals": {"aws:SourceArn": cluster_arn},
                },
            }
        ]
    )
