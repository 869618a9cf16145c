"""The policy evaluator against AWS's documented examples (IAM User Guide, S3 User Guide)."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.aws.policy import Decision, evaluate, like


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


OBJECT = "arn:aws:s3:::bucket/managers/record.json"


def test_nothing_said_is_neutral_and_deny_beats_allow() -> None:
    assert evaluate([document()], "s3:GetObject", OBJECT, {}) is Decision.NEUTRAL
    assert evaluate([document(allow("s3:*"))], "s3:GetObject", OBJECT, {}) is Decision.ALLOW
    both = [document(allow("s3:*")), document(deny("s3:GetObject"))]
    assert evaluate(both, "s3:GetObject", OBJECT, {}) is Decision.DENY, "order and document do not matter"


def test_actions_ignore_case_and_resources_do_not() -> None:
    policy = [document(allow("S3:getobject", "arn:aws:s3:::bucket/*"))]
    assert evaluate(policy, "s3:GetObject", OBJECT, {}) is Decision.ALLOW
    assert evaluate(policy, "s3:GetObject", OBJECT.replace("bucket", "Bucket"), {}) is Decision.NEUTRAL


def test_brackets_are_no_wildcards_but_star_and_question_mark_are() -> None:
    assert like("a[bc]*", "a[bc]d") and not like("a[bc]", "ab")
    assert like("i-?", "i-1") and not like("i-?", "i-12")


def test_not_action_and_not_resource_take_everything_else() -> None:
    policy = [document({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})]
    assert evaluate(policy, "s3:GetObject", OBJECT, {}) is Decision.ALLOW
    assert evaluate(policy, "iam:CreateUser", "*", {}) is Decision.NEUTRAL
    policy = [document({"Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::bucket/artefacts/*"})]
    assert evaluate(policy, "s3:GetObject", OBJECT, {}) is Decision.DENY


def test_the_tls_only_policy_of_the_s3_guide_denies_plain_http_only() -> None:
    policy = document(
        deny("s3:*", ["arn:aws:s3:::bucket/*"], Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}})
    )
    asked = ("s3:PutObject", OBJECT)
    assert evaluate([policy], *asked, {"aws:SecureTransport": ["false"]}, "arn:aws:iam::1:user/x") is Decision.DENY
    assert evaluate([policy], *asked, {"aws:SecureTransport": ["true"]}, "arn:aws:iam::1:user/x") is Decision.NEUTRAL


def test_the_encryption_policy_of_the_s3_guide_needs_the_header() -> None:
    key = "s3:x-amz-server-side-encryption"
    wrong = deny("s3:PutObject", Condition={"StringNotEquals": {key: "aws:kms"}})
    missing = deny("s3:PutObject", Condition={"Null": {key: "true"}})
    asked = ("s3:PutObject", OBJECT)
    assert evaluate([document(missing)], *asked, {}) is Decision.DENY
    assert evaluate([document(wrong)], *asked, {}) is Decision.DENY, "a negated operator passes on a missing key"
    assert evaluate([document(wrong, missing)], *asked, {key: ["aws:kms"]}) is Decision.NEUTRAL
    assert evaluate([document(wrong, missing)], *asked, {key: ["AES256"]}) is Decision.DENY


def test_the_home_folder_policy_of_the_iam_guide_limits_list_by_prefix_and_variable() -> None:
    policy = document(
        allow(
            "s3:ListBucket", "arn:aws:s3:::b", Condition={"StringLike": {"s3:prefix": ["", "home/${aws:username}/*"]}}
        ),
        allow("s3:*", "arn:aws:s3:::b/home/${aws:username}/*"),
    )
    context = {"aws:username": ["ann"]}
    assert evaluate([policy], "s3:GetObject", "arn:aws:s3:::b/home/ann/x", context) is Decision.ALLOW
    assert evaluate([policy], "s3:GetObject", "arn:aws:s3:::b/home/bob/x", context) is Decision.NEUTRAL
    listed = {**context, "s3:prefix": ["home/ann/y"]}
    assert evaluate([policy], "s3:ListBucket", "arn:aws:s3:::b", listed) is Decision.ALLOW
    listed = {**context, "s3:prefix": ["home/bob/"]}
    assert evaluate([policy], "s3:ListBucket", "arn:aws:s3:::b", listed) is Decision.NEUTRAL


def test_the_tagged_instances_policy_of_the_iam_guide() -> None:
    resource = "arn:aws:ec2:us-east-1:1:instance/i-1"
    condition = {"StringEquals": {"aws:ResourceTag/Owner": "${aws:username}"}}
    policy = [
        document(allow(["ec2:StartInstances", "ec2:StopInstances"], "arn:aws:ec2:*:*:instance/*", Condition=condition))
    ]
    mine = {"aws:username": ["ann"], "aws:ResourceTag/Owner": ["ann"]}
    assert evaluate(policy, "ec2:StopInstances", resource, mine) is Decision.ALLOW
    assert (
        evaluate(policy, "ec2:StopInstances", resource, mine | {"aws:ResourceTag/Owner": ["bob"]}) is Decision.NEUTRAL
    )
    assert evaluate(policy, "ec2:StopInstances", resource, {"aws:username": ["ann"]}) is Decision.NEUTRAL, "no tag"


@pytest.mark.parametrize(
    ("operator", "got", "expected"),
    [
        ("StringEqualsIfExists", None, Decision.ALLOW),
        ("StringEquals", None, Decision.NEUTRAL),
        ("StringNotEquals", None, Decision.ALLOW),
        ("ForAllValues:StringEquals", None, Decision.ALLOW),
        ("ForAnyValue:StringEquals", None, Decision.NEUTRAL),
        ("ForAllValues:StringEquals", ["v", "other"], Decision.NEUTRAL),
        ("ForAnyValue:StringEquals", ["v", "other"], Decision.ALLOW),
        ("StringEqualsIgnoreCase", ["V"], Decision.ALLOW),
    ],
)
def test_missing_and_many_values(operator: str, got: list[str] | None, expected: Decision) -> None:
    policy = [document(allow("x:Y", Condition={operator: {"k": "v"}}))]
    assert evaluate(policy, "x:Y", "*", {} if got is None else {"K": got}) is expected


def test_ip_numbers_and_dates() -> None:
    def one(operator: str, wanted: str, got: str) -> bool:
        policy = [document(allow("x:Y", Condition={operator: {"k": wanted}}))]
        return evaluate(policy, "x:Y", "*", {"k": [got]}) is Decision.ALLOW

    assert one("IpAddress", "203.0.113.0/24", "203.0.113.9") and not one("IpAddress", "203.0.113.0/24", "198.51.100.1")
    assert one("NotIpAddress", "203.0.113.0/24", "198.51.100.1")
    assert one("NumericLessThanEquals", "10", "10") and not one("NumericLessThan", "10", "10")
    assert one("DateGreaterThan", "2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00")


def test_an_operator_that_is_not_modelled_is_an_error_and_no_guess() -> None:
    with pytest.raises(ValueError, match="BinaryEquals"):
        evaluate([document(allow("x:Y", Condition={"BinaryEquals": {"k": "v"}}))], "x:Y", "*", {"k": ["v"]})
