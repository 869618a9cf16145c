"""The engine and its language host for real: every kind of Python program that Pulumi runs, against a file backend."""

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from toolchain import cli, engine

pytestmark = pytest.mark.sandbox

VENV = Path(sys.prefix)


@dataclass
class Project:
    """A Pulumi project in a folder of its own, with a backend of its own."""

    root: Path

    @property
    def folder(self) -> Path:
        return self.root / "project"

    def write(self, **files: str) -> None:
        """Write files; `__` in a name stands for a slash, `_py` and `_yaml` at its end for the suffix."""
        for name, text in files.items():
            stem, _, suffix = name.rpartition("_")
            path = self.folder / f"{stem.replace('__', '/')}.{suffix}".replace("main.py", "__main__.py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))

    def pulumi(self, *arguments: str, fails: bool = False) -> str:
        ready = engine.find()
        assert ready is not None, "no Pulumi engine is ready: run `make setup`"
        answer = subprocess.run(  # noqa: PLW1510 - the code is looked at below
            [ready.folder / "pulumi", *arguments, "--non-interactive", "--color", "never"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            env={
                "PATH": cli.search_path(ready.folder, os.environ["PATH"]),
                "HOME": str(self.root),
                "PULUMI_HOME": str(self.root / "home"),
                "PULUMI_BACKEND_URL": f"file://{self.root}",
                "PULUMI_CONFIG_PASSPHRASE": "of this test only",
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            },
        )
        said = answer.stdout + answer.stderr
        assert (answer.returncode != 0) == fails, (
            f"pulumi {' '.join(arguments)} ended with {answer.returncode}:\n{said}"
        )
        return said


@pytest.fixture
def project(tmp_path) -> Project:
    made = Project(tmp_path)
    made.write(
        Pulumi_yaml=f"""
        name: tiny
        runtime:
          name: python
          options:
            toolchain: pip
            virtualenv: {VENV}
        plugins:
          providers:
            - {{name: shelf, path: ./shelf}}
            - {{name: parts, path: ./parts}}
        """,
        shelf__PulumiPlugin_yaml=f"runtime: {{name: python, options: {{virtualenv: {VENV}}}}}\n",
        parts__PulumiPlugin_yaml=f"runtime: {{name: python, options: {{virtualenv: {VENV}}}}}\n",
        shelf__main_py="",
        parts__main_py="",
    )
    made.pulumi("stack", "init", "dev")
    return made


def test_a_program_goes_up_shows_an_empty_preview_and_is_destroyed(project):
    project.write(main_py="import pulumi\npulumi.export('answer', 42)\n")
    assert "answer: 42" in project.pulumi("up", "--yes", "--skip-preview")
    project.pulumi("preview", "--expect-no-changes")
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert json.loads(project.pulumi("stack", "export"))["deployment"].get("resources") is None, "nothing is left"


def test_an_error_of_the_program_shows_its_traceback_and_nothing_of_the_host(project):
    project.write(main_py="def broken():\n    raise ValueError('seven is not even')\nbroken()\n")
    said = project.pulumi("preview", fails=True)
    assert "ValueError: seven is not even" in said
    assert '__main__.py", line 2, in broken' in said, "the place in the user's program"
    assert "exit status" not in said, "the host adds nothing to an error that is shown already"


def test_a_run_error_is_shown_as_its_sentence_alone(project):
    project.write(main_py="import pulumi\nraise pulumi.RunError('managers.count: 4 is even')\n")
    said = project.pulumi("preview", fails=True)
    assert "error: managers.count: 4 is even" in said
    assert "Traceback" not in said, "a RunError is a message to the user, not a fault of the program"


def test_a_dynamic_provider_creates_and_deletes(project):
    project.write(
        main_py="""
        import pulumi
        from pulumi.dynamic import CreateResult, Resource, ResourceProvider

        class Files(ResourceProvider):
            def create(self, props):
                from pathlib import Path
                Path(props["path"]).write_text("made")
                return CreateResult(id_=props["path"], outs=props)

            def delete(self, id, props):
                from pathlib import Path
                Path(id).unlink()

        class File(Resource):
            path: pulumi.Output[str]

            def __init__(self, name, path):
                super().__init__(Files(), name, {"path": path})

        import os
        pulumi.export("path", File("file", os.path.abspath("made-by-the-provider")).path)
        """
    )
    made = project.folder / "made-by-the-provider"
    project.pulumi("up", "--yes", "--skip-preview")
    assert made.read_text() == "made", "create ran"
    project.pulumi("preview", "--expect-no-changes")
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert not made.exists(), "delete ran"


def test_a_mandatory_policy_stops_a_preview(project):
    project.write(
        main_py="import pulumi\npulumi.ComponentResource('tiny:index:Forbidden', 'one')\n",
        pack__PulumiPolicy_yaml=f"runtime: {{name: python, options: {{virtualenv: {VENV}}}}}\n",
        pack__main_py="""
        from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

        def check(args, report_violation):
            if args.resource_type == "tiny:index:Forbidden":
                report_violation("this kind is forbidden here")

        PolicyPack("tiny-pack", [
            ResourceValidationPolicy("no-forbidden", "Forbids a kind.", check, EnforcementLevel.MANDATORY),
        ])
        """,
    )
    said = project.pulumi("preview", "--policy-pack", "pack", fails=True)
    assert "this kind is forbidden here" in said, "the policy's own words"
    assert "this kind is forbidden here" not in project.pulumi("preview"), "without the pack nobody forbids it"


def test_a_provider_of_the_project_creates_and_deletes(project):
    project.write(
        shelf__main_py="""
        import sys
        from pathlib import Path
        from pulumi.provider.experimental import provider, server

        class Shelf(provider.Provider):
            async def get_schema(self, request):
                return provider.GetSchemaResponse(schema='{"name": "shelf", "version": "0.0.1"}')

            async def configure(self, request):
                return provider.ConfigureResponse(accept_secrets=True, supports_preview=True)

            async def check_config(self, request):
                return provider.CheckResponse(inputs=request.new_inputs)

            async def diff_config(self, request):
                return provider.DiffResponse(changes=False)

            async def check(self, request):
                return provider.CheckResponse(inputs=request.new_inputs)

            async def diff(self, request):
                return provider.DiffResponse(changes=request.old_state != request.new_inputs)

            async def create(self, request):
                if not request.preview:
                    Path(request.properties["path"].value).write_text("made")
                return provider.CreateResponse(resource_id="book", properties=request.properties)

            async def delete(self, request):
                Path(request.properties["path"].value).unlink()

        server.main(sys.argv[1:], "0.0.1", Shelf())
        """,
        main_py="""
        import os
        import pulumi

        class Book(pulumi.CustomResource):
            def __init__(self, name):
                super().__init__("shelf:index:Book", name, {"path": os.path.abspath("book")})

        Book("book")
        """,
    )
    project.pulumi("up", "--yes", "--skip-preview")
    assert (project.folder / "book").read_text() == "made", "create ran"
    project.pulumi("preview", "--expect-no-changes")
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert not (project.folder / "book").exists(), "delete ran"


def test_a_component_of_a_plugin_is_made_with_its_children(project):
    project.write(
        parts__main_py="""
        from typing import TypedDict
        import pulumi
        from pulumi.provider.experimental import component_provider_host

        class WheelArgs(TypedDict):
            spokes: pulumi.Input[str]

        class Wheel(pulumi.ComponentResource):
            label: pulumi.Output[str]

            def __init__(self, name: str, args: WheelArgs, opts: pulumi.ResourceOptions | None = None):
                super().__init__("parts:index:Wheel", name, {}, opts)
                pulumi.ComponentResource("parts:index:Rim", f"{name}-rim", {}, pulumi.ResourceOptions(parent=self))
                self.label = pulumi.Output.concat(args["spokes"], " spokes")
                self.register_outputs({"label": self.label})

        component_provider_host([Wheel], "parts")
        """,
        main_py="""
        import pulumi

        class Wheel(pulumi.ComponentResource):
            label: pulumi.Output[str]

            def __init__(self, name):
                super().__init__("parts:index:Wheel", name, {"spokes": "32", "label": None}, remote=True)

        pulumi.export("label", Wheel("front").label)
        """,
    )
    said = project.pulumi("up", "--yes", "--skip-preview")
    assert 'label: "32 spokes"' in said, f"the component's output reaches the program:\n{said}"
    urns = [r["urn"] for r in json.loads(project.pulumi("stack", "export"))["deployment"]["resources"]]
    assert any("parts:index:Wheel$parts:index:Rim::front-rim" in urn for urn in urns), f"its child is there: {urns}"
    project.pulumi("preview", "--expect-no-changes")
    project.pulumi("destroy", "--yes", "--skip-preview")
