"""CloudFormation's resource schemas, as the installed cfn-lint carries them: which properties replace."""

import functools
import importlib.util
import json
from pathlib import Path
from typing import Any

REGION = "us-east-1"
"""The region with every resource type."""


@functools.cache
def _schemas() -> Path:
    spec = importlib.util.find_spec("cfnlint")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("cfn-lint is not installed; it tells which properties replace")
    return Path(spec.origin).parent / "data" / "schemas"


@functools.cache
def _index() -> dict[str, str]:
    return dict(json.loads((_schemas() / "providers" / f"{REGION}.json").read_text()))


@functools.cache
def schema(kind: str) -> dict[str, Any]:
    """Give the schema of a type such as ``AWS::EC2::VPC``. Raises KeyError for one that does not exist."""
    return dict(json.loads((_schemas() / "resources" / f"{_index()[kind]}.json").read_text()))


@functools.cache
def create_only(kind: str) -> frozenset[str]:
    """Give the top-level properties that cannot be changed after creation."""
    pointers = schema(kind).get("createOnlyProperties") or []
    paths = [pointer.removeprefix("/properties/").split("/") for pointer in pointers]
    return frozenset(path[0] for path in paths if len(path) == 1)
