"""Every row of the table is held against pulumi_aws, botocore's service models and CloudFormation's schemas."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
import pytest

from sandbox.providers.aws import cloudformation, compare, expressions, hooks, lifecycle, shapes, table
from sandbox.providers.aws.table import Call, Row
from sandbox.providers.schema import Type
from tests.unit.providers.driver import PACKAGE

RESOURCES = table.tokens()
FUNCTIONS = table.tokens("functions")
FACTS = {"id", "region", "account", "partition", "old", "state", "kind", "added", "removed", "item", "answer"}
"""What expressions see besides properties."""


@cache
def model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def row_of(token: str) -> Row:
    row = table.row(token)
    assert row is not None
    return row


def calls(row: Row) -> Iterator[Call]:
    yield from (call for call in row.calls() if call.op)
    if row.tags:
        style = table.tag_style(row.tags)
        yield from (call for call in (style.add, style.remove, style.whole, style.read) if call)


def check_names(template: Any, shape: Any, names: Mapping[str, str], path: str = "") -> None:
    """Every key of an argument tree is a member of the API's shape."""
    if isinstance(template, Mapping) and shape.type_name == "structure":
        for key, inner in template.items():
            where = f"{path}.{key}" if path else key
            member = shapes._renamed(names, where) or shapes.member_name(shape, key)
            assert member in shape.members, f"{where}: {shape.name} has no such member; it has {list(shape.members)}"
            check_names(inner, shape.members[member], names, where)
    elif isinstance(template, list) and shape.type_name == "list":
        for inner in template:
            check_names(inner, shape.member, names, path)


def check_type(kind: Type, shape: Any, row: Row, path: str) -> list[str]:
    """Nested properties of a type that the API's shape does not have, and that the row does not refuse."""
    if path in row.unsupported:
        return []
    if kind["kind"] == "list" and shape.type_name == "list":
        return check_type(kind["of"], shape.member, row, path)
    if kind["kind"] == "list" and shape.type_name == "structure":
        return check_type(kind["of"], shape, row, path)
    if kind["kind"] != "object" or shape.type_name != "structure":
        return []
    missing = []
    for name, item in kind.get("properties", {}).items():
        inner = f"{path}.{name}"
        member = shapes._renamed(row.names, inner) or shapes.member_name(shape, name)
        if member not in shape.members:
            missing += [] if inner in row.unsupported else [inner]
        else:
            missing += check_type(item["type"], shape.members[member], row, inner)
    return missing


@pytest.mark.parametrize("token", RESOURCES)
def test_every_operation_and_argument_of_a_row_exists_in_the_api(token: str) -> None:
    row = row_of(token)
    for call in calls(row):
        service = model(call.service or row.service)
        assert call.op in service.operation_names, f"{call.op} is no operation of {row.service}"
        shape = service.operation_model(call.op).input_shape
        arguments = {**{name: name for name in call.take}, **call.args}
        if call is row.create and row.tags:
            arguments |= table.tag_style(row.tags).create
        assert shape is not None or not arguments
        if shape is not None:
            check_names(arguments, shape, row.names)


@pytest.mark.parametrize("token", RESOURCES)
def test_every_nested_property_that_is_passed_on_exists_in_the_api_or_is_refused_by_name(token: str) -> None:
    row, schema = row_of(token), PACKAGE.resource(token)
    missing = []
    for call in (row.create, *row.steps):
        if call.op:
            shape = model(row.service).operation_model(call.op).input_shape
            for name in call.take:
                member = shapes._renamed(row.names, name) or shapes.member_name(shape, name)
                missing += check_type(schema["inputs"][name]["type"], shape.members[member], row, name)
    assert not missing, "state them as `unsupported`, or their API name under `names`"


@pytest.mark.parametrize("token", RESOURCES)
def test_every_property_that_a_row_names_exists_in_pulumi_aws(token: str) -> None:
    row, schema = row_of(token), PACKAGE.resource(token)
    inputs, outputs = set(schema["inputs"]), set(schema["outputs"])
    named = {*row.local, *row.update, *row.defaults, *row.cfn_names, *row.replace_when}
    named |= {path.partition(".")[0] for path in (*row.replace, *row.unsupported, *row.blind)}
    named |= {name for group in row.one_of for name in group}
    for call in (row.create, *row.steps):
        named |= {*call.take, *call.triggers}
    assert not named - inputs, "a typing error would drop the property silently"
    given = {*row.computed, *row.volatile} | {name for call in row.read for name in (*call.out, *call.give)}
    given |= {path.partition(".")[0] for path in (*row.sets, *row.json, *row.names)}
    assert not given - outputs - inputs, "a typing error would lose the output silently"


@pytest.mark.parametrize("token", RESOURCES)
def test_every_expression_of_a_call_reads_properties_or_facts(token: str) -> None:
    row, schema = row_of(token), PACKAGE.resource(token)
    known = FACTS | set(schema["inputs"]) | set(schema["outputs"]) | {"tagsAll", "versionId"}
    for call in (row.create, *row.steps, *row.read, *row.delete):
        read = expressions.field_names(call.args) | (expressions.field_names(call.when) if call.when else set())
        assert not read - known, f"{call.op}: nothing has this name, so it would always be null"


@pytest.mark.parametrize("token", RESOURCES)
def test_every_supported_input_can_be_changed_in_place_or_replaces(token: str) -> None:
    row, schema = row_of(token), PACKAGE.resource(token)
    changeable = {name for step in row.steps if step.phase != "create" for name in lifecycle._triggers(step)}
    changeable |= {*row.local, "tags", *row.replace_when}
    for name in lifecycle.supported(row, schema):
        assert name in changeable or compare.replaces(row, name), f"a change of {name} would be dropped silently"


@pytest.mark.parametrize("token", RESOURCES)
def test_the_hooks_and_the_cloudformation_type_of_a_row_exist(token: str) -> None:
    row = row_of(token)
    for call in row.calls():
        if call.hook:
            assert callable(hooks.find(call.hook))
    if row.cfn:
        properties = {name.lower() for name in cloudformation.schema(row.cfn)["properties"]}
        for mapped in row.cfn_names.values():
            assert mapped.lower() in properties, f"{row.cfn} has no {mapped}"


@pytest.mark.parametrize("token", FUNCTIONS)
def test_every_name_of_a_function_exists(token: str) -> None:
    row, schema = table.function(token), PACKAGE.function(token)
    assert row is not None
    assert not {*row.take, *row.inputs} - set(schema["inputs"])
    assert not set(row.out) - set(schema["outputs"])
    for call in (Call(op=row.op, take=row.take, args=row.args), *row.more):
        if call.op:
            shape = model(row.service).operation_model(call.op).input_shape
            if shape is not None:
                check_names({**{name: name for name in call.take}, **call.args}, shape, row.names)
