"""The program: settings -> platform -> outputs."""

import pulumi

from stacks import lean_imports, settings
from stacks.outputs import export
from stacks.platform import build

lean_imports.install()
export(build(settings.load(), settings.load_access(), pulumi.get_project()))
