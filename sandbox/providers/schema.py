"""Property names and types of a Pulumi SDK package, read from its Python source without importing it.

Importing pulumi_aws costs seconds; only the few classes of a token are parsed, and the answer is cached by the
package's version under ``$XDG_CACHE_HOME/timonel``.
"""

import ast
import contextlib
import functools
import importlib.metadata
import importlib.util
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any, TypedDict

FORMAT = 4
"""Raised when what is stored changes its form."""


class Type(TypedDict, total=False):
    """The type of a property."""

    kind: str
    """One of: string, integer, number, boolean, list, map, object, asset, any."""
    of: "Type"
    """Type of the items of a list or map."""
    properties: dict[str, "Property"]
    """Of an object, by wire name (camelCase)."""
    also: str
    """``object`` where a string may be given as an object (a policy document)."""


class Property(TypedDict):
    """One property."""

    type: Type
    required: bool
    """As input: must be given. As output: always has a value, so AWS may fill what was not given."""


class ResourceSchema(TypedDict):
    """What the SDK package knows of a resource."""

    inputs: dict[str, Property]
    outputs: dict[str, Property]


class FunctionSchema(TypedDict):
    """What the SDK package knows of a function."""

    inputs: dict[str, Property]
    outputs: dict[str, Property]


class UnknownTokenError(Exception):
    """The installed SDK package has no such resource or function."""


def snake_case(name: str) -> str:
    """Spell a wire name as Pulumi's Python code does: ``bucketObjectv2`` is ``bucket_objectv2``."""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


_SCALARS = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}


class _Reader:
    """Reads classes from the files of one module of the package (``pulumi_aws/ec2``)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._texts: dict[str, str] = {}
        self._nested: dict[tuple[str, str], dict[str, Property]] = {}

    def text(self, file: str) -> str:
        if file not in self._texts:
            path = self.folder / file
            self._texts[file] = path.read_text() if path.exists() else ""
        return self._texts[file]

    def block(self, file: str, header: str) -> ast.Module | None:
        """Parse one top-level class or function; the files are far too big to parse whole."""
        text = "\n" + self.text(file)
        found = re.search(rf"\n{re.escape(header)}(?!\w)[^\n]*", text)
        if not found:
            return None
        end = re.search(r"\n(?=[^\s#)])", text[found.end() :])
        return ast.parse(text[found.start() + 1 : found.end() + end.start() if end else len(text)])

    def type(self, node: ast.expr, nested_file: str) -> tuple[Type, bool]:  # noqa: PLR0911
        """Give the type of an annotation and whether it is optional."""
        match node:
            case ast.Subscript(value=ast.Attribute(attr="Input" | "Output"), slice=inner):
                return self.type(inner, nested_file)
            case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
                return self.type(inner, nested_file)[0], True
            case ast.Subscript(value=ast.Name(id="Sequence"), slice=inner):
                return {"kind": "list", "of": self.type(inner, nested_file)[0]}, False
            case ast.Subscript(value=ast.Name(id="Mapping"), slice=ast.Tuple(elts=[_, inner])):
                return {"kind": "map", "of": self.type(inner, nested_file)[0]}, False
            case ast.Subscript(value=ast.Name(id="Union"), slice=ast.Tuple(elts=members)):
                return self._union(members, nested_file), False
            case ast.Attribute(attr=name) if name in _SCALARS:
                return {"kind": _SCALARS[name]}, False
            case ast.Attribute(attr="Asset" | "Archive"):
                return {"kind": "asset"}, False
            case ast.Constant(value=str() as name):
                return self._named(name, nested_file), False
        return {"kind": "any"}, False

    def _union(self, members: list[ast.expr], nested_file: str) -> Type:
        types = [self.type(member, nested_file)[0] for member in members]
        kinds = {item["kind"] for item in types}
        if "asset" in kinds:
            return {"kind": "asset"}
        scalars = [member for member in members if isinstance(member, ast.Attribute) and member.attr in _SCALARS]
        objects = [item for item in types if item.get("properties")]
        if objects and not scalars:
            return objects[0]
        if "string" in kinds:
            # A string that may be given as an object is a policy document; one with a resource arrives as its id.
            return {"kind": "string", "also": "object"} if "object" in kinds else {"kind": "string"}
        return types[0]

    def _named(self, name: str, nested_file: str) -> Type:
        short = name.rsplit(".", 1)[-1]
        if short.endswith(("Args", "ArgsDict", "Result")) or nested_file == "outputs.py":
            properties = self.nested(short.removesuffix("Dict"), nested_file)
            if properties:
                return {"kind": "object", "properties": properties}
            if "PolicyDocument" in short:
                return {"kind": "object"}
        # What is left are enums and resources, which arrive as their value or id.
        return {"kind": "string"}

    def nested(self, name: str, file: str) -> dict[str, Property]:
        """Give the properties of a nested class."""
        key = (file, name)
        if key not in self._nested:
            self._nested[key] = {}
            tree = self.block(file, f"class {name}(dict)") or self.block(file, f"class {name}")
            self._nested[key] = self.getters(tree, file) if tree else {}
        return self._nested[key]

    def getters(self, tree: ast.Module, nested_file: str) -> dict[str, Property]:
        """Read a class's ``@pulumi.getter`` properties."""
        result: dict[str, Property] = {}
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for method in body:
            if not isinstance(method, ast.FunctionDef) or method.returns is None:
                continue
            for decorator in method.decorator_list:
                wire = _getter_name(decorator, method.name)
                if wire:
                    type_, optional = self.type(method.returns, nested_file)
                    result[wire] = {"type": type_, "required": not optional}
        return result


def _getter_name(decorator: ast.expr, method: str) -> str | None:
    match decorator:
        case ast.Attribute(attr="getter"):
            return method
        case ast.Call(
            func=ast.Attribute(attr="getter"), keywords=[ast.keyword(value=ast.Constant(value=str() as name))]
        ):
            return name
    return None


class Package:
    """An installed SDK package."""

    def __init__(self, package: str = "aws", cache: Path | None = None) -> None:
        """Find ``pulumi_<package>``.

        Args:
            package: Pulumi's name of it.
            cache: folder for what was read. Default: ``$XDG_CACHE_HOME/timonel``, else ``~/.cache/timonel``.
        """
        self.package = package
        self.version = importlib.metadata.version(f"pulumi_{package}")
        spec = importlib.util.find_spec(f"pulumi_{package}")
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"pulumi_{package} is not installed")
        self.root = Path(spec.origin).parent
        base = cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "timonel"
        self._cache = base / f"pulumi-{package}-{self.version}-{FORMAT}"
        self._known: dict[str, Any] = {}

    def resource(self, token: str) -> ResourceSchema:
        """Give a resource's inputs and outputs. Raises UnknownTokenError."""
        return self._cached(token, functools.partial(self._read_resource, token))  # type: ignore[no-any-return]

    def function(self, token: str) -> FunctionSchema:
        """Give a function's arguments and results. Raises UnknownTokenError."""
        return self._cached(token, functools.partial(self._read_function, token))  # type: ignore[no-any-return]

    def _cached(self, token: str, read: functools.partial[Any]) -> Any:
        if token in self._known:
            return self._known[token]
        path = self._cache / (re.sub(r"[^A-Za-z0-9]+", "-", token) + ".json")
        with contextlib.suppress(OSError, ValueError):
            self._known[token] = json.loads(path.read_text())
            return self._known[token]
        self._known[token] = value = read()
        # A cache that cannot be written only costs time.
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
                json.dump(value, file)
            Path(file.name).replace(path)
        return value

    def _locate(self, token: str) -> tuple[_Reader, str, str]:
        match = re.fullmatch(rf"{self.package}:([A-Za-z0-9-]+)/([A-Za-z0-9]+):([A-Za-z0-9]+)", token)
        if not match:
            raise UnknownTokenError(f"{token} is not a token of pulumi_{self.package}")
        module, member, name = match.groups()
        folder = self.root if module == "index" else self.root / snake_case(module)
        file = snake_case(member) + ".py"
        reader = _Reader(folder)
        if f"'{token}'" not in reader.text(file):
            file = next((path.name for path in sorted(folder.glob("*.py")) if f"'{token}'" in path.read_text()), "")
            if not file:
                raise UnknownTokenError(f"pulumi_{self.package} {self.version} has no {token}")
        return reader, file, name

    def _read_resource(self, token: str) -> ResourceSchema:
        reader, file, name = self._locate(token)
        args = reader.block(file, f"class {name}Args:") or reader.block(file, f"class {name}InitArgs:")
        state = reader.block(file, f"class _{name}State:")
        main = reader.block(file, f"class {name}(pulumi.CustomResource)")
        if args is None or state is None or main is None:
            raise UnknownTokenError(
                f"pulumi_{self.package} {self.version}: the source of {token} does not look as expected"
            )
        outputs = reader.getters(state, "_inputs.py")
        for key, item in reader.getters(main, "_inputs.py").items():
            outputs[key] = {
                "type": outputs[key]["type"] if key in outputs else item["type"],
                "required": item["required"],
            }
        return {"inputs": reader.getters(args, "_inputs.py"), "outputs": outputs}

    def _read_function(self, token: str) -> FunctionSchema:
        reader, file, name = self._locate(token)
        function = reader.block(file, f"def {snake_case(name)}")
        result = reader.block(file, f"class {name[0].upper()}{name[1:]}Result")
        if function is None or result is None or not isinstance(function.body[0], ast.FunctionDef):
            raise UnknownTokenError(
                f"pulumi_{self.package} {self.version}: the source of {token} does not look as expected"
            )
        definition = function.body[0]
        wire: dict[str, str] = {}
        for statement in definition.body:
            match statement:
                case ast.Assign(
                    targets=[ast.Subscript(value=ast.Name(id="__args__"), slice=ast.Constant(value=str() as key))],
                    value=ast.Name(id=argument),
                ):
                    wire[argument] = key
        inputs: dict[str, Property] = {}
        defaults = len(definition.args.args) - len(definition.args.defaults)
        for index, argument_node in enumerate(definition.args.args):
            if argument_node.arg in wire and argument_node.annotation is not None:
                type_, optional = reader.type(argument_node.annotation, "_inputs.py")
                inputs[wire[argument_node.arg]] = {"type": type_, "required": not optional and index < defaults}
        return {"inputs": inputs, "outputs": reader.getters(result, "outputs.py")}
