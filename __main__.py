"""The program: settings -> platform -> outputs."""

import pulumi

from stacks import settings
from stacks.outputs import export
from stacks.platform import build

export(build(settings.load(), settings.load_access(), pulumi.get_project()))
