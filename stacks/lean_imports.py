"""Of a service of ``pulumi_aws``, and of ``pulumi_datadog``, import the modules that are used, not all of them.

A service's package imports a module for each of its resources, so the first ``aws.ec2.Vpc`` executes some 150
modules for one. ``docs/bench.md`` says what that costs a preview and ADR 0007 why it is done here and nowhere else.
"""

import importlib
import importlib.util
import re
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

SERVICES_OF = "pulumi_aws"
"""An SDK with a package for each service."""
WHOLE = frozenset({"pulumi_datadog"})
"""SDKs whose resources all stand in one package."""


def install() -> None:
    """Make every package of these that is imported from now on a lean one. Called by the program only."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def modules_of(name: str) -> list[str]:
    """Where a public name of a service may be defined, the most likely module first.

    ``VpcEndpointArgs`` may stand in ``vpc_endpoint_args``, ``vpc_endpoint`` or ``vpc``; functions and their results
    likewise. Types of nested arguments and enumerations have modules of their own.
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.removeprefix("Awaitable")).lower().split("_")
    types = "_inputs" if name.endswith(("Args", "ArgsDict")) else "_enums"
    return [*("_".join(words[:count]) for count in range(len(words), 0, -1)), types]


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, service = fullname.rpartition(".")
        if fullname not in WHOLE and (package != SERVICES_OF or service.startswith("_")):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or not spec.submodule_search_locations or not isinstance(spec.loader, SourceFileLoader):
            return spec
        spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    def __init__(self, genuine: SourceFileLoader) -> None:
        self.genuine = genuine

    def exec_module(self, module: ModuleType) -> None:
        [folder] = module.__path__

        def find(name: str) -> Any:
            if not name.startswith("__"):
                for candidate in modules_of(name):
                    if Path(folder, f"{candidate}.py").is_file():
                        found = importlib.import_module(f"{module.__name__}.{candidate}")
                        public = {each: getattr(found, each) for each in getattr(found, "__all__", ())}
                        if name == candidate and name not in public:
                            return found  # `outputs`, a package's only module that is not spread over it
                        # All of them: the import has just bound the module `get_vpc` where its function belongs.
                        vars(module).update(public)
                        if name in public:
                            return public[name]
                # A name that does not follow its module's, or none at all: the whole service tells.
                vars(module).pop("__getattr__")
                self.genuine.exec_module(module)
                if name in vars(module):
                    return vars(module)[name]
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        vars(module)["__getattr__"] = find
