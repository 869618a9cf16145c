"""Every other service's part."""

from __future__ import annotations

from collections.abc import Iterator

from botocore.exceptions import ClientError

from sandbox.leaks.model import Client, Finding, pages, tags_of


def groups(client: Client) -> Iterator[Finding]:
    """Auto Scaling groups."""
    for group in pages(client("autoscaling"), "describe_auto_scaling_groups", "AutoScalingGroups"):
        status = group.get("Status", "")
        ending = status == "Delete in progress"
        yield Finding(
            "auto scaling group", group["AutoScalingGroupName"], tags_of(group["Tags"]), ending=ending, note=status
        )


def balancers(client: Client) -> Iterator[Finding]:
    """Load balancers with their listeners."""
    elb = client("elbv2")
    for balancer in pages(elb, "describe_load_balancers", "LoadBalancers"):
        arn = balancer["LoadBalancerArn"]
        [described] = elb.describe_tags(ResourceArns=[arn])["TagDescriptions"]
        name, vpc = balancer["LoadBalancerName"], balancer.get("VpcId", "")
        yield Finding("load balancer", arn, tags_of(described["Tags"]), note=name, vpc=vpc)


def classic_balancers(client: Client) -> Iterator[Finding]:
    """Classic load balancers: what a Service gets from the cloud controller manager unless it asks for another."""
    elb = client("elb")
    for balancer in pages(elb, "describe_load_balancers", "LoadBalancerDescriptions"):
        name = balancer["LoadBalancerName"]
        [described] = elb.describe_tags(LoadBalancerNames=[name])["TagDescriptions"]
        yield Finding("classic load balancer", name, tags_of(described["Tags"]), vpc=balancer.get("VPCId", ""))


def target_groups(client: Client) -> Iterator[Finding]:
    """Target groups."""
    elb = client("elbv2")
    for group in pages(elb, "describe_target_groups", "TargetGroups"):
        arn = group["TargetGroupArn"]
        [described] = elb.describe_tags(ResourceArns=[arn])["TagDescriptions"]
        name, vpc = group["TargetGroupName"], group.get("VpcId", "")
        yield Finding("target group", arn, tags_of(described["Tags"]), note=name, vpc=vpc)


def clusters(client: Client) -> Iterator[Finding]:
    """EKS clusters with their node groups and add-ons: EKS deletes no cluster that still has a node group."""
    eks = client("eks")
    for name in pages(eks, "list_clusters", "clusters"):
        cluster = eks.describe_cluster(name=name)["cluster"]
        groups = ", ".join(pages(eks, "list_nodegroups", "nodegroups", clusterName=name))
        note = f"{cluster['status']}{', node groups ' + groups if groups else ''}"
        vpc = (cluster.get("resourcesVpcConfig") or {}).get("vpcId") or ""
        yield Finding("eks cluster", name, cluster.get("tags") or {}, note=note, vpc=vpc)


def oidc_providers(client: Client) -> Iterator[Finding]:
    """OpenID Connect providers: a cluster's outlives it when IRSA was used."""
    iam = client("iam")
    for provider in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        arn = provider["Arn"]
        tags = tags_of(iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"])
        yield Finding("oidc provider", arn, tags, region="global")


def roles(client: Client) -> Iterator[Finding]:
    """IAM roles but AWS's service-linked ones."""
    iam = client("iam")
    for role in pages(iam, "list_roles", "Roles"):
        if not role["Path"].startswith("/aws-service-role/"):
            tags = tags_of(iam.list_role_tags(RoleName=role["RoleName"])["Tags"])
            yield Finding("iam role", role["RoleName"], tags, region="global")


def policies(client: Client) -> Iterator[Finding]:
    """Customer-managed IAM policies."""
    iam = client("iam")
    for policy in pages(iam, "list_policies", "Policies", Scope="Local"):
        tags = tags_of(iam.list_policy_tags(PolicyArn=policy["Arn"])["Tags"])
        yield Finding("iam policy", policy["Arn"], tags, region="global")


def profiles(client: Client) -> Iterator[Finding]:
    """Instance profiles."""
    iam = client("iam")
    for profile in pages(iam, "list_instance_profiles", "InstanceProfiles"):
        name = profile["InstanceProfileName"]
        described = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        yield Finding("instance profile", name, tags_of(described.get("Tags")), region="global")


def keys(client: Client) -> Iterator[Finding]:
    """KMS keys but AWS's own; those with a scheduled deletion end on its date."""
    kms = client("kms")
    aws_made = {
        alias["TargetKeyId"]
        for alias in pages(kms, "list_aliases", "Aliases")
        if alias["AliasName"].startswith("alias/aws/") and "TargetKeyId" in alias
    }
    for listed in pages(kms, "list_keys", "Keys"):
        key = kms.describe_key(KeyId=listed["KeyId"])["KeyMetadata"]
        if key.get("KeyManager") == "AWS" or listed["KeyId"] in aws_made:
            continue
        tags = tags_of(kms.list_resource_tags(KeyId=listed["KeyId"])["Tags"], "TagKey", "TagValue")
        yield Finding("kms key", key["KeyId"], tags, ends=key.get("DeletionDate"), note=key.get("Description", ""))


def aliases(client: Client) -> Iterator[Finding]:
    """Aliases of KMS keys. They carry no tags, so only an account-wide search shows them."""
    for alias in pages(client("kms"), "list_aliases", "Aliases"):
        if not alias["AliasName"].startswith("alias/aws/"):
            yield Finding("kms alias", alias["AliasName"])


def buckets(client: Client) -> Iterator[Finding]:
    """S3 buckets with everything in them."""
    s3 = client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        try:
            tags = tags_of(s3.get_bucket_tagging(Bucket=bucket["Name"])["TagSet"])
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"NoSuchTagSet", "NoSuchBucket"}:
                raise
            tags = {}
        yield Finding("bucket", bucket["Name"], tags)


def secrets(client: Client) -> Iterator[Finding]:
    """Secrets; those with a scheduled deletion end on its date."""
    for secret in pages(client("secretsmanager"), "list_secrets", "SecretList", IncludePlannedDeletion=True):
        tags = tags_of(secret.get("Tags"))
        yield Finding("secret", secret["ARN"], tags, ends=secret.get("DeletedDate"), note=secret["Name"])


def log_groups(client: Client) -> Iterator[Finding]:
    """CloudWatch log groups."""
    logs = client("logs")
    for group in pages(logs, "describe_log_groups", "logGroups"):
        arn = group.get("logGroupArn") or group["arn"].removesuffix(":*")
        yield Finding("log group", group["logGroupName"], logs.list_tags_for_resource(resourceArn=arn)["tags"])


def alarms(client: Client) -> Iterator[Finding]:
    """CloudWatch alarms."""
    cloudwatch = client("cloudwatch")
    for alarm in pages(cloudwatch, "describe_alarms", "MetricAlarms"):
        tags = tags_of(cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"])
        yield Finding("alarm", alarm["AlarmName"], tags)


def topics(client: Client) -> Iterator[Finding]:
    """SNS topics."""
    sns = client("sns")
    for topic in pages(sns, "list_topics", "Topics"):
        tags = tags_of(sns.list_tags_for_resource(ResourceArn=topic["TopicArn"])["Tags"])
        yield Finding("topic", topic["TopicArn"], tags)


def parameters(client: Client) -> Iterator[Finding]:
    """SSM parameters of this account."""
    ssm = client("ssm")
    for parameter in pages(ssm, "describe_parameters", "Parameters"):
        if not parameter["Name"].startswith("/aws/service/"):
            answer = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=parameter["Name"])
            yield Finding("parameter", parameter["Name"], tags_of(answer["TagList"]))
