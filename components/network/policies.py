"""IAM policy documents of Network."""

from components.hosts.policies import Place, allow, document


def flow_logs_trust(place: Place) -> str:
    """Trust policy: the flow logs of this account and region, and no other customer's, may take the role.

    Source: VPC User Guide, "IAM role for publishing flow logs to CloudWatch Logs" (confused deputy conditions).
    """
    return document(
        [
            {
                "Effect": "Allow",
                "Principal": {"Service": "vpc-flow-logs.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": place.account},
                    "ArnLike": {"aws:SourceArn": place.arn("ec2", "vpc-flow-log/*")},
                },
            }
        ]
    )


def flow_logs_write(log_group_arn: str) -> str:
    """What flow logs may do: write streams of one log group.

    AWS's example also grants CreateLogGroup, on everything. The stack owns the group, so a write that comes late must
    not bring it back after its deletion.
    """
    return document(
        [
            allow(
                "WriteFlowLogs",
                ["logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                [log_group_arn, f"{log_group_arn}:*"],
            )
        ]
    )
