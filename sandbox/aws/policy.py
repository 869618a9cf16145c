"""One evaluator of IAM policies: Action, Resource and Condition. Pure; no moto.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html: an explicit Deny wins, then
an Allow, else it is denied.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html: conditions of a
statement are all needed (AND), values of one key are alternatives (OR); negated operators need that no value matches; a
missing key fails a condition, except with IfExists, Null, and negated operators, where it passes. ForAnyValue and
ForAllValues for keys with many values. Modelled: String*, Arn*, Numeric*, Date*, Bool, Null, IpAddress, NotAction,
NotResource, Principal, ${variables}. A condition operator that is not modelled is an error, never a guess.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

Context = Mapping[str, Sequence[str]]
"""Condition key (any case) -> its values; a missing key is not in the request."""


class Decision(StrEnum):
    """What a set of policies says of a request."""

    ALLOW = "allow"
    DENY = "deny"
    NEUTRAL = "neutral"
    """Nothing said: denied, unless another kind of policy allows."""


def evaluate(
    documents: Iterable[Mapping[str, Any]], action: str, resource: str, context: Context, principal: str | None = None
) -> Decision:
    """What policies say of one action on one resource.

    Args:
        documents: policy documents; identity policies, or one resource policy with `principal`.
        action: "s3:GetObject".
        resource: an ARN, or "*" for actions without resources.
        context: the request's condition keys.
        principal: ARN of the caller, for resource policies; statements without Principal ignore it.

    Raises:
        ValueError: a condition operator that is not modelled.
    """
    decision = Decision.NEUTRAL
    lowered = {key.lower(): values for key, values in context.items()}
    for document in documents:
        for statement in _list(document.get("Statement")):
            if not _applies(statement, action, resource, lowered, principal):
                continue
            if statement["Effect"] == "Deny":
                return Decision.DENY
            decision = Decision.ALLOW
    return decision


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Context, principal: str | None) -> bool:
    return (
        _principal(statement, principal)
        and _named(statement, "Action", lambda pattern: like(pattern.lower(), action.lower()))
        and _named(statement, "Resource", lambda pattern: like(substitute(pattern, context), resource))
        and all(
            _condition(operator, key, _list(values), context)
            for operator, keys in (statement.get("Condition") or {}).items()
            for key, values in keys.items()
        )
    )


def _principal(statement: Mapping[str, Any], principal: str | None) -> bool:
    if "Principal" not in statement and "NotPrincipal" not in statement:
        return True
    key = "Principal" if "Principal" in statement else "NotPrincipal"
    content = statement[key]
    names = [content] if isinstance(content, str) else [n for v in content.values() for n in _list(v)]
    account = (principal or "").split(":")[4:5]
    matches = any(
        n in {"*", principal, *account} or (account and n == f"arn:aws:iam::{account[0]}:root") for n in names
    )
    return matches == (key == "Principal")


def _named(statement: Mapping[str, Any], element: str, matches: Callable[[str], bool]) -> bool:
    if element in statement:
        return any(matches(pattern) for pattern in _list(statement[element]))
    if f"Not{element}" in statement:
        return not any(matches(pattern) for pattern in _list(statement[f"Not{element}"]))
    return element == "Resource"


def like(pattern: str, value: str) -> bool:
    """IAM's wildcards: * for any number of characters, ? for one. Nothing else is special."""
    return fnmatch.fnmatchcase(value, pattern.replace("[", "[[]"))


def substitute(pattern: str, context: Context) -> str:
    """Policy variables replaced by the request's values; an unknown one matches nothing."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in {"*", "?", "$"}:
            return f"[{name}]" if name != "$" else "$"
        found = context.get(name.lower())
        return found[0] if found else "\0"

    return re.sub(r"\$\{([^}]+)\}", value, pattern)


_Test = Callable[[str, str], bool]


def _number(test: Callable[[float, float], bool]) -> _Test:
    return lambda wanted, got: test(float(got), float(wanted))


def _date(test: Callable[[datetime, datetime], bool]) -> _Test:
    return lambda wanted, got: test(datetime.fromisoformat(got), datetime.fromisoformat(wanted))


_TESTS: dict[str, _Test] = {
    "StringEquals": lambda wanted, got: wanted == got,
    "StringEqualsIgnoreCase": lambda wanted, got: wanted.lower() == got.lower(),
    "StringLike": like,
    "ArnEquals": like,
    "ArnLike": like,
    "Bool": lambda wanted, got: wanted.lower() == got.lower(),
    "IpAddress": lambda wanted, got: ipaddress.ip_address(got) in ipaddress.ip_network(wanted, strict=False),
    "NumericEquals": _number(lambda a, b: a == b),
    "NumericLessThan": _number(lambda a, b: a < b),
    "NumericLessThanEquals": _number(lambda a, b: a <= b),
    "NumericGreaterThan": _number(lambda a, b: a > b),
    "NumericGreaterThanEquals": _number(lambda a, b: a >= b),
    "DateEquals": _date(lambda a, b: a == b),
    "DateLessThan": _date(lambda a, b: a < b),
    "DateLessThanEquals": _date(lambda a, b: a <= b),
    "DateGreaterThan": _date(lambda a, b: a > b),
    "DateGreaterThanEquals": _date(lambda a, b: a >= b),
}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
}


def _condition(operator: str, key: str, wanted: Sequence[Any], context: Context) -> bool:
    quantifier, _, rest = operator.rpartition(":")
    name = rest.removesuffix("IfExists")
    got = context.get(key.lower())
    texts = [substitute(_text(w), context) for w in wanted]
    if name == "Null":
        return (got is None) == (texts[0].lower() == "true")
    negated = name in _NEGATED
    test = _TESTS.get(_NEGATED.get(name, name))
    if test is None:
        raise ValueError(f"condition operator {operator!r} is not modelled")
    if got is None or (not got and quantifier):
        return rest.endswith("IfExists") or negated or quantifier == "ForAllValues"
    outcomes = [any(test(text, value) for text in texts) != negated for value in got]
    return all(outcomes) if quantifier == "ForAllValues" or (negated and not quantifier) else any(outcomes)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
