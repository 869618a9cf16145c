"""What EKS checks in IAM, EC2 and KMS before it takes a request."""

from __future__ import annotations

import json
import re
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import EC2Backend, ec2_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends

from sandbox.aws.eks.errors import InvalidParameterError

OWN_USER = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:user/sandbox"
"""The sandbox's own user, which IAM here does not list."""
_PRINCIPAL = re.compile(r"arn:[\w-]+:iam::\d{12}:(role|user)/(?:.*/)?([^/]+)")


def iam() -> Any:
    """IAM of the sandbox's account."""
    return iam_backends[DEFAULT_ACCOUNT_ID]["aws"]


def ec2(region: str) -> EC2Backend:
    """EC2 of a region."""
    return ec2_backends[DEFAULT_ACCOUNT_ID][region]


def role_named(name: str) -> Any:
    """A role by its name; None when there is none."""
    return next((role for role in iam().roles.values() if role.name == name), None)


def role(arn: Any, service: str, field: str) -> Any:
    """The role of an ARN, which must trust a service.

    Raises:
        InvalidParameterError: there is no such role, or its trust policy does not name the service.
    """
    found = next((known for known in iam().roles.values() if known.arn == arn), None)
    if found is None:
        raise InvalidParameterError(
            f"{field}: Role with arn: {arn} could not be assumed because it does not exist or the trusted entity is "
            "not correct"
        )
    trust = found.assume_role_policy_document
    if service not in (trust if isinstance(trust, str) else json.dumps(trust)):
        raise InvalidParameterError(
            f"{field}: Role with arn: {arn} could not be assumed because the trusted entity is not correct: "
            f"{service} is not in it"
        )
    return found


def principal(arn: str) -> None:
    """Refuse what is no IAM principal that exists.

    Raises:
        InvalidParameterError: as AWS says it.
    """
    match = _PRINCIPAL.fullmatch(arn)
    kind, name = match.groups() if match else ("", "")
    known = arn == OWN_USER or arn.endswith(":root")
    known = known or (kind == "role" and any(r.arn == arn for r in iam().roles.values()))
    known = known or (kind == "user" and name in iam().users and iam().users[name].arn == arn)
    if not known:
        raise InvalidParameterError(f"The specified principalArn is invalid: invalid principal. {arn}")


def subnets(region: str, ids: list[str], zones: int) -> list[Any]:
    """Subnets by id, of one VPC and in enough zones.

    Raises:
        InvalidParameterError: one is missing, there are several VPCs, or too few zones.
    """
    known = {s.id: s for zone in ec2(region).subnets.values() for s in zone.values()}
    missing = [i for i in ids if i not in known]
    if missing or not ids:
        raise InvalidParameterError(f"The subnet ID '{', '.join(missing)}' does not exist")
    found = [known[i] for i in ids]
    if len({s.vpc_id for s in found}) > 1:
        raise InvalidParameterError("Subnets specified must be in the same VPC")
    if len({s.availability_zone for s in found}) < zones:
        raise InvalidParameterError("Subnets specified must be in at least two different AZs")
    return found


def security_groups(region: str, ids: list[str]) -> None:
    """Refuse security groups that do not exist.

    Raises:
        InvalidParameterError: one is missing.
    """
    for identifier in ids:
        if ec2(region).get_security_group_from_id(identifier) is None:
            raise InvalidParameterError(f"The security group '{identifier}' does not exist")


def key(region: str, arn: str) -> None:
    """Refuse a KMS key that does not exist or is symmetric for something else.

    Raises:
        InvalidParameterError: there is no such key.
    """
    backend = kms_backends[DEFAULT_ACCOUNT_ID][region]
    if backend.any_id_to_key_id(arn) not in backend.keys:
        raise InvalidParameterError(f"KeyArn in encryptionConfig provider, {arn}, is invalid")
