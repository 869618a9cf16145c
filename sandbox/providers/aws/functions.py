"""Functions (invokes): reads by the table, and the few that a table cannot say."""

import json
from collections.abc import Mapping
from typing import Any

from sandbox.providers.aws import expressions, function_hooks
from sandbox.providers.aws.client import Api, ApiError
from sandbox.providers.aws.shapes import from_api, lookup
from sandbox.providers.aws.table import Function
from sandbox.providers.schema import FunctionSchema
from sandbox.providers.serve import ProviderError


def supported(row: Function, schema: FunctionSchema) -> frozenset[str]:
    """Give the arguments that the row does something with."""
    names = {*row.take, *row.inputs, *expressions.field_names(row.args), "region"}
    return frozenset(names & set(schema["inputs"]))


def call(api: Api, row: Function, schema: FunctionSchema, given: Mapping[str, Any]) -> dict[str, Any]:
    """Call the function and give its results. Raises ProviderError when nothing, or not exactly one, is found."""
    region = given.get("region") or api.settings.region
    facts = {**given, **_identity(api), "region": region}
    item, values = _item(api, row, facts, region) if row.op else ({}, {})
    data = {**facts, **item, "item": item}
    if row.hook and not row.op:
        values = function_hooks.MAKERS[row.hook](api, facts)
    values |= {name: expressions.evaluate(expression, data) for name, expression in row.out.items()}
    for more in row.more:
        arguments = expressions.render(more.args, data)
        answer = api.call(more.service or row.service, more.op, arguments, region)
        values |= {name: expressions.evaluate(text, {**data, **answer}) for name, text in more.out.items()}
    result: dict[str, Any] = {}
    for name, known in schema["outputs"].items():
        value = values[name] if name in values else lookup(item, row.names.get(name, name))
        if value is None and name not in values:
            value = given.get(name)
        made = from_api(value, known["type"], name, row.names)
        if made is None and known["required"]:
            # What AWS does not say is the type's zero, as with the genuine provider.
            zeros: dict[str, Any] = {"list": [], "map": {}, "string": "", "boolean": False, "integer": 0, "number": 0}
            made = zeros.get(known["type"]["kind"])
        if made is not None:
            result[name] = made
    result.setdefault("id", str(result.get("arn") or region))
    if "region" in schema["outputs"]:
        result["region"] = result.get("region") or region
    return result


def _identity(api: Api) -> Mapping[str, str]:
    known = api.identity()
    return {"account": known["account"], "partition": known["partition"]}


def _item(api: Api, row: Function, facts: Mapping[str, Any], region: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the found item, and values that a hook made beside it."""
    taken = {name: facts.get(name) for name in row.take}
    arguments = {**taken, **expressions.render(row.args, facts)}
    try:
        answer = api.call(row.service, row.op, arguments, region, row.names)
    except ApiError as error:
        raise ProviderError(f"{row.token}: {error}") from None
    answer.pop("ResponseMetadata", None)
    if row.hook:
        return function_hooks.FINDERS[row.hook](answer, facts)
    found: Any = expressions.evaluate(row.item, {**facts, **answer}) if row.item else answer
    if row.single:
        if not found:
            raise ProviderError(f"{row.token}: nothing matches; the search was {json.dumps(arguments, default=str)}")
        if len(found) > 1:
            raise ProviderError(f"{row.token}: {len(found)} match and one is asked for; narrow the search")
        found = found[0]
    return (dict(found) if isinstance(found, Mapping) else {"items": found}), {}
