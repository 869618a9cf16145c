"""The Pulumi package schema of what the table supports, for commands that write programs (``pulumi import``)."""

import json
from typing import Any

from sandbox.providers.aws import lifecycle, table
from sandbox.providers.schema import Package, Property, Type


def package_schema(package: Package) -> str:
    """Make the schema as JSON: every resource of the table with the inputs that it supports."""
    types: dict[str, Any] = {}
    resources = {}
    for token in table.tokens():
        row, known = table.row(token), package.resource(token)
        if row is None:
            continue
        supported = lifecycle.supported(row, known)
        module, name = token.split(":")[1], token.split(":")[2]
        inputs = {key: item for key, item in known["inputs"].items() if key in supported}
        resources[token] = {
            "inputProperties": _properties(inputs, module, name, types),
            "requiredInputs": sorted(key for key, item in inputs.items() if item["required"]),
            "properties": _properties(known["outputs"], module, name, types),
            "required": sorted(key for key, item in known["outputs"].items() if item["required"]),
        }
    return json.dumps(
        {
            "name": package.package,
            "version": package.version,
            "description": "The sandbox's stand-in for Pulumi's AWS provider",
            # The same place in the SDK as the genuine schema says: `aws:ec2/vpc:Vpc` is `aws.ec2.Vpc`.
            "meta": {"moduleFormat": "(.*)(?:/[^/]*)"},
            "language": {"python": {"compatibility": "tfbridge20"}},
            "types": types,
            "resources": resources,
        }
    )


def _properties(known: dict[str, Property], module: str, prefix: str, types: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _type(item["type"], module, prefix + name[0].upper() + name[1:], types) for name, item in known.items()
    }


def _type(kind: Type, module: str, name: str, types: dict[str, Any]) -> dict[str, Any]:
    match kind["kind"]:
        case "list":
            return {"type": "array", "items": _type(kind["of"], module, name, types)}
        case "map":
            return {"type": "object", "additionalProperties": _type(kind["of"], module, name, types)}
        case "object" if kind.get("properties"):
            token = f"aws:{module}:{name}"
            if token not in types:
                types[token] = {"type": "object"}
                types[token]["properties"] = _properties(kind["properties"], module, name, types)
                types[token]["required"] = sorted(key for key, item in kind["properties"].items() if item["required"])
            return {"$ref": f"#/types/{token}"}
        case "asset":
            return {"$ref": "pulumi.json#/Asset"}
        case "string" | "integer" | "number" | "boolean" as scalar:
            return {"type": scalar}
    return {"$ref": "pulumi.json#/Any"}
