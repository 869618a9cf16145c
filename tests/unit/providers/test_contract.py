"""Every resource of the table goes through its whole life against moto, by its example in ``examples/``."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.providers.aws import table
from tests.unit.providers.driver import Driver, Resource

EXAMPLES: dict[str, Any] = {
    token: example
    for path in sorted((Path(__file__).parent / "examples").glob("*.yaml"))
    for token, example in yaml.safe_load(path.read_text()).items()
}


def fill(value: Any, made: Mapping[str, Resource]) -> Any:
    """Put ids and outputs of other resources in place of ``${name.property}``."""
    if isinstance(value, Mapping):
        return {key: fill(item, made) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, made) for item in value]
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)\.(\w+)\}", lambda found: str(_part(made[found[1]], found[2])), value)
    return value


def _part(resource: Resource, name: str) -> Any:
    return resource.id if name == "id" else resource.outputs[name]


def needed(driver: Driver, example: Mapping[str, Any]) -> dict[str, Resource]:
    """Make what the example needs."""
    made: dict[str, Resource] = {}
    for name, need in (example.get("needs") or {}).items():
        token = need if isinstance(need, str) else need["token"]
        other = EXAMPLES[token] if isinstance(need, str) else {"needs": need.get("needs"), **need}
        inner = {**made, **needed(driver, other)}
        made[name] = driver.create(token, fill(other["inputs"], inner), name=f"needed-{name}")
    return made


def test_every_row_has_an_example_and_every_example_a_row() -> None:
    assert set(EXAMPLES) == set(table.tokens()), "a row without a tested example is a guess"


@pytest.mark.parametrize("token", sorted(EXAMPLES))
def test_a_resource_lives_its_whole_life_without_a_diff_that_nobody_made(token: str, driver: Driver) -> None:
    example = EXAMPLES[token]
    made = needed(driver, example)
    given = fill(example["inputs"], made)
    resource = driver.create(token, given, secrets=tuple(example.get("secrets", ())))
    for name in example.get("outputs", []):
        assert resource.outputs.get(name) not in (None, ""), f"{name} is computed by AWS; got {resource.outputs}"
    _no_diff(driver, resource, given, "after create")
    if "update" in example:
        changed = {key: item for key, item in {**given, **fill(example["update"], made)}.items() if item is not None}
        difference = driver.diff(resource, changed)
        assert difference.changes and not difference.replaces, f"an update, but got {vars(difference)}"
        driver.update(resource, changed)
        given = changed
        _no_diff(driver, resource, given, "after update")
    if "replace" in example:
        difference = driver.diff(resource, {**given, **fill(example["replace"], made)})
        assert set(difference.replaces) == set(example["replace"]), "AWS cannot change this in place"
    identity = fill(example.get("import_id", resource.id), {**made, "resource": resource})
    imported = driver.imported(token, identity)
    assert imported.id == resource.id, "an imported resource has the id that create gave"
    difference = driver.diff(imported, {**given, **_fixed_name(resource)})
    unexpected = set(difference.diffs) - set(example.get("import_ignores", []))
    assert not unexpected, f"import: {unexpected}: {imported.outputs} against {given}"
    driver.delete(resource)
    assert driver.refresh(resource) == bool(example.get("stays")), "deleted is gone"
    driver.delete(resource)


def _fixed_name(resource: Resource) -> dict[str, Any]:
    row = table.row(resource.token)
    if row is None or row.name is None:
        return {}
    return {row.name.property: resource.outputs[row.name.property]}


def _no_diff(driver: Driver, resource: Resource, given: Mapping[str, Any], when: str) -> None:
    difference = driver.diff(resource, given)
    assert not difference.changes, f"{when}: {difference.diffs}"
    before = (resource.outputs, dict(resource.inputs))
    assert driver.refresh(resource), f"{when}: it is not there"
    assert resource.inputs == before[1], f"{when}, refresh: {resource.outputs}"
    assert resource.outputs == before[0], f"{when}: refresh changes the state"
    difference = driver.diff(resource, given)
    assert not difference.changes, f"{when}, after refresh: {difference.diffs}"
