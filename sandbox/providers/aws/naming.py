"""Physical names: ``<logical name>-<7 hex>``, as the genuine provider makes them."""

import secrets
from collections.abc import Mapping
from typing import Any

from sandbox.providers.aws.compare import DEFAULTS
from sandbox.providers.aws.table import Row

DIGITS = 7


class NameTooLongError(Exception):
    """The logical name leaves no room for the random part."""


def with_name(row: Row, logical: str, new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """Give the inputs with a physical name; one made up earlier stays.

    Args:
        row: the resource's row.
        logical: the resource's name in the program.
        new: the program's inputs.
        old: the inputs of the last update, empty on the first.

    Raises:
        NameTooLongError: with the reason.
    """
    rule = row.name
    if rule is None or new.get(rule.property) is not None or (rule.prefix and new.get(rule.prefix) is not None):
        return {**new, DEFAULTS: []}
    if rule.property in (old.get(DEFAULTS) or []) and old.get(rule.property) is not None:
        return {**new, rule.property: old[rule.property], DEFAULTS: [rule.property]}
    if rule.exact:
        return {**new, rule.property: logical, DEFAULTS: [rule.property]}
    prefix = rule.begin + (logical.lower() if rule.lower else logical) + "-"
    if len(prefix) + DIGITS > rule.max:
        raise NameTooLongError(
            f"the name made from {logical!r} would have {len(prefix) + DIGITS} characters, and AWS allows {rule.max}: "
            f"give a shorter resource name, or the property {rule.property!r}"
        )
    return {**new, rule.property: prefix + secrets.token_hex(4)[:DIGITS], DEFAULTS: [rule.property]}
