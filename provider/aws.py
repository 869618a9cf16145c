"""boto3 clients for one resource's region and credentials."""

from typing import Any

from provider.properties import Plain

SESSION_NAME = "timonel-provider"

ATTEMPTS = 6
"""Six in a row fail once in a million when every tenth call is throttled."""


def client(service: str, access: Plain) -> Any:
    """A client that rides out throttling; ``AWS_ENDPOINT_URL`` is honoured by boto3 itself.

    boto3 is imported here, since most previews need no call to AWS and the import costs half of the start.
    """
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    config = Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS}, connect_timeout=10, read_timeout=30)
    session = boto3.Session(profile_name=access.get("profile"), region_name=access["region"])
    if role := access.get("roleArn"):
        answer = session.client("sts", config=config).assume_role(RoleArn=role, RoleSessionName=SESSION_NAME)
        credentials = answer["Credentials"]
        session = boto3.Session(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            region_name=access["region"],
        )
    return session.client(service, config=config)


def error_code(error: Exception) -> str:
    """AWS's code of a botocore ``ClientError``, else an empty string."""
    response = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))
