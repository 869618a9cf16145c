"""SwarmState: everything that nodes write into, owned by the stack so that destroy has no stray objects to hunt."""

from typing import TypedDict

import pulumi
import pulumi_aws as aws

from components import tags
from components.hosts.artefact import Artefact
from components.hosts.policies import Place
from components.swarm import policies

NONCURRENT_DAYS = 7
"""Days that overwritten objects stay: long enough to see what happened; the status is rewritten all the time."""
KEY_DELETION_DAYS = 7
"""Days that a deleted key waits; AWS allows 7 to 30. Source: AWS KMS API reference, ScheduleKeyDeletion."""
PROTECTED_DELETION_DAYS = 30


class SwarmStateArgs(TypedDict):
    """Arguments of SwarmState."""

    manager_role_arn: pulumi.Input[str]
    """Required. Who uses the managers' key."""
    log_retention_days: int
    """Required. Days that the containers' logs stay."""
    enable_protection: bool
    """Required. Refuse to delete bucket, key and secrets."""
    tags: dict[str, pulumi.Input[str]]
    """Required. Tags besides ``Name``."""


class SwarmState(pulumi.ComponentResource):
    """The state bucket, the managers' key, the secrets, the log group and the agent's artefact.

    The bucket's name is the cluster's id.
    """

    bucket: pulumi.Output[str]
    """Name of the state bucket."""
    key_arn: pulumi.Output[str]
    """The managers' KMS key."""
    ca_secret_arn: pulumi.Output[str]
    """Secret of the Docker API's certificate authority."""
    managers_secret_arn: pulumi.Output[str]
    """Secret of the manager token."""
    workers_secret_arn: pulumi.Output[str]
    """Secret of the worker token and the managers' addresses."""
    log_group_name: pulumi.Output[str]
    """Log group of the containers."""
    log_group_arn: pulumi.Output[str]
    """The same, as ARN without ``:*``."""

    def __init__(
        self,
        name: str,
        args: SwarmStateArgs,
        place: Place,
        artefact: Artefact,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make bucket, key, secrets, log group and artefact.

        Args:
            name: logical name.
            args: see :class:`SwarmStateArgs`.
            place: where ARNs point to.
            artefact: the agent.
            opts: resource options.
        """
        super().__init__("timonel:index:SwarmState", name, {}, opts)
        self._name = name
        self._args = args
        self._place = place
        self._child = pulumi.ResourceOptions(parent=self)
        self._keep = pulumi.ResourceOptions(parent=self, protect=args["enable_protection"])

        key = self._create_key()
        self.lifeline = self._create_bucket(key)
        """The bucket: without it there is no such cluster."""
        self.agent = self._create_artefact(artefact)
        """The agent's object; nodes must not start before it is there."""
        ca = self._create_secret("ca", "Certificate authority of the Docker API", key)
        managers = self._create_secret("managers", "Manager join token", key)
        workers = self._create_secret("workers", "Worker join token and manager addresses", None)
        logs = aws.cloudwatch.LogGroup(
            f"{name}-logs", retention_in_days=args["log_retention_days"], tags=self._tags("logs"), opts=self._child
        )
        self.bucket = self.lifeline.id
        self.key_arn = key.arn
        self.ca_secret_arn = ca.arn
        self.managers_secret_arn = managers.arn
        self.workers_secret_arn = workers.arn
        self.log_group_name = logs.name
        self.log_group_arn = logs.arn
        self.register_outputs({"bucket": self.bucket, "key_arn": self.key_arn})

    def _tags(self, suffix: str) -> dict[str, pulumi.Input[str]]:
        return tags.named(self._args["tags"], f"{self._name}-{suffix}")

    def _create_key(self) -> aws.kms.Key:
        return aws.kms.Key(
            f"{self._name}-key",
            description="State and secrets of the swarm's managers",
            enable_key_rotation=True,
            deletion_window_in_days=PROTECTED_DELETION_DAYS if self._args["enable_protection"] else KEY_DELETION_DAYS,
            policy=pulumi.Output.from_input(self._args["manager_role_arn"]).apply(
                lambda arn: policies.managers_key(self._place, arn)
            ),
            tags=self._tags("key"),
            opts=self._keep,
        )

    def _create_bucket(self, key: aws.kms.Key) -> aws.s3.Bucket:
        name, child = self._name, self._child
        bucket = aws.s3.Bucket(
            f"{name}-bucket",
            force_destroy=not self._args["enable_protection"],
            tags=self._tags("bucket"),
            opts=self._keep,
        )
        versioning = aws.s3.BucketVersioning(
            f"{name}-versioning", bucket=bucket.id, versioning_configuration={"status": "Enabled"}, opts=child
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption",
            bucket=bucket.id,
            rules=[
                {
                    "apply_server_side_encryption_by_default": {
                        "sse_algorithm": "aws:kms",
                        "kms_master_key_id": key.arn,
                    },
                    "bucket_key_enabled": True,
                }
            ],
            opts=child,
        )
        private = aws.s3.BucketPublicAccessBlock(
            f"{name}-public-access",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        # S3 answers OperationAborted when policy and public access block are written at the same time.
        self.bucket_policy = aws.s3.BucketPolicy(
            f"{name}-bucket-policy",
            bucket=bucket.id,
            policy=pulumi.Output.all(bucket.id, key.arn).apply(
                lambda values: policies.state_bucket(self._place, values[0], values[1])
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[private]),
        )
        aws.s3.BucketLifecycleConfiguration(
            f"{name}-lifecycle",
            bucket=bucket.id,
            rules=[
                {
                    "id": "overwritten",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "noncurrent_version_expiration": {"noncurrent_days": NONCURRENT_DAYS},
                    "abort_incomplete_multipart_upload": {"days_after_initiation": 1},
                }
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioning]),
        )
        return bucket

    def _create_artefact(self, artefact: Artefact) -> aws.s3.BucketObject:
        return aws.s3.BucketObject(
            f"{self._name}-agent",
            bucket=self.lifeline.id,
            key=artefact.key,
            source=artefact.asset(),
            content_type="application/zip",
            # Not the bucket's default, which is the managers' key: workers read it too.
            server_side_encryption="AES256",
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.bucket_policy]),
        )

    def _create_secret(self, suffix: str, description: str, key: aws.kms.Key | None) -> aws.secretsmanager.Secret:
        return aws.secretsmanager.Secret(
            f"{self._name}-{suffix}",
            description=description,
            kms_key_id=key.arn if key else None,
            # 0: the name and what it costs are gone at once, and destroy needs no flag.
            recovery_window_in_days=PROTECTED_DELETION_DAYS if self._args["enable_protection"] else 0,
            tags=self._tags(suffix),
            opts=self._keep,
        )
