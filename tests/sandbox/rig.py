"""What the sandbox's tests drive: a sandbox of their own and Pulumi programs in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import requests
import yaml

from sandbox.state import CHECKOUT, State, read_json
from tests import records

SECONDS = 600
"""Default time limit of one engine command."""

EXECUTE = (
    f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); from sandbox.engine.execute import main; main(sys.argv[1:])"
)
"""`python -m sandbox exec` for `python -I -c`, which needs no PYTHONPATH that the engine's programs would inherit."""


@dataclass
class Finished:
    """A command that ended.

    Attributes:
        code: exit code.
        out: standard output.
        err: standard error.
    """

    command: list[str]
    code: int
    out: str
    err: str

    def ok(self) -> Finished:
        """Itself; fails the test with everything it said when the exit code is not 0."""
        assert self.code == 0, f"{self}\nexit code {self.code}, wanted 0"
        return self

    def failed(self) -> Finished:
        """Itself; fails the test when the command succeeded."""
        assert self.code != 0, f"{self}\nit succeeded and should not"
        return self

    @property
    def text(self) -> str:
        """Both outputs."""
        return self.out + self.err

    def __str__(self) -> str:
        words = self.command[self.command.index(EXECUTE) + 1 :] if EXECUTE in self.command else self.command
        return f"$ {' '.join(words)}\n--- stdout\n{_readable(self.out)[-6000:]}\n--- stderr\n{self.err[-6000:]}"


def _readable(text: str) -> str:
    """The engine's JSON events as its diagnostics (warnings and errors); other text as it is."""
    lines = []
    for line in text.splitlines():
        if not line.startswith('{"sequence"'):
            lines.append(line)
            continue
        said = json.loads(line).get("diagnosticEvent") or {}
        if said.get("severity") in {"error", "warning", "info#err"}:
            lines.append(f"{said.get('urn', '').rsplit('::', 1)[-1]} {said['prefix']}{said['message'].rstrip()}")
    return "\n".join(lines)


class Sandbox:
    """One sandbox in a folder of its own. `up` must have been called."""

    def __init__(self, folder: Path) -> None:
        self.state = State(folder)
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PULUMI_"))}
        self.environment |= {"TIMONEL_SANDBOX": str(folder), "PYTHONPATH": str(CHECKOUT)}

    def cli(self, *arguments: str, cwd: Path = CHECKOUT, seconds: float = SECONDS) -> Finished:
        """`python -m sandbox ARGUMENTS`."""
        return run([sys.executable, "-m", "sandbox", *arguments], cwd, self.environment, seconds)

    def up(self, *arguments: str) -> Finished:
        """Start it; stand-ins unless TIMONEL_PLUGINS says otherwise, no machines or control planes unless asked."""
        plugins = os.environ.get("TIMONEL_PLUGINS", "stand-in")
        machines = [] if "--machines" in arguments else ["--no-machines"]
        kubernetes = [] if "--kubernetes" in arguments else ["--no-kubernetes"]
        records.started_here(self.state.folder)
        return self.cli("up", "--plugins", plugins, *machines, *kubernetes, *arguments).ok()

    def exec(self, *command: str, cwd: Path = CHECKOUT, seconds: float = SECONDS) -> Finished:
        """`python -m sandbox exec -- COMMAND` in a folder. The engine's PYTHONPATH is not the test's."""
        environment = {k: v for k, v in self.environment.items() if k != "PYTHONPATH"}
        return run([sys.executable, "-I", "-c", EXECUTE, *command], cwd, environment, seconds)

    @property
    def endpoint(self) -> str:
        """The API's address."""
        return str(self.state.read()["endpoint"])

    def client(self, service: str, region: str | None = None, **credentials: str) -> Any:
        """A boto3 client as the sandbox's own user, or with other credentials (aws_access_key_id=...)."""
        own = read_json(self.state.credentials)
        keys = {"aws_access_key_id": own["access_key"], "aws_secret_access_key": own["secret_key"]} | credentials
        return boto3.client(
            service, region_name=region or self.state.read()["region"], endpoint_url=self.endpoint, **keys
        )

    def control(self, method: str, path: str, content: Any = None) -> Any:
        """The control API; fails the test on an error."""
        answer = requests.request(method, f"{self.endpoint}/_timonel/{path}", json=content, timeout=60)
        assert answer.ok, f"{method} /_timonel/{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def reset(self) -> None:
        """An empty account, no faults, no journal. Stacks of the engine stay: each `Stack` has a name of its own."""
        self.control("POST", "reset")

    def calls(self, since: int = 0) -> list[dict[str, Any]]:
        """The journal."""
        calls: list[dict[str, Any]] = self.control("GET", f"calls?since={since}")["calls"]
        return calls

    def down(self) -> None:
        """End it."""
        self.cli("down").ok()


def end(folders: Iterable[str]) -> None:
    """Take sandboxes down that are still there: an interrupt ends workers before their fixtures can."""
    for folder in folders:
        if Path(folder).exists():
            print(f"taking down {folder}", flush=True)
            Sandbox(Path(folder)).down()


def run(command: list[str], cwd: Path, environment: dict[str, str], seconds: float) -> Finished:
    """Run a command in a process group of its own; the group is ended when the time limit passes."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        out, err = process.communicate()
        raise AssertionError(f"{Finished(command, -9, out, err)}\nnot done after {seconds} s") from None
    return Finished(command, process.returncode, out, err)


@dataclass
class Update:
    """What an up, preview, refresh or destroy did.

    Attributes:
        finished: the command.
        changes: {"create": 3, "same": 1, ...}, the engine's summary ("same" is there for up only).
        steps: [{op, urn, type, diffs}] in order; "same" steps and reads left out.
    """

    finished: Finished
    changes: dict[str, int]
    steps: list[dict[str, Any]] = field(default_factory=list)

    def ok(self) -> Update:
        """Itself; fails the test with the engine's words when it did not succeed."""
        self.finished.ok()
        return self

    @property
    def changed(self) -> dict[str, int]:
        """The changes without "same" and reads: empty for an empty diff."""
        return {k: v for k, v in self.changes.items() if k not in {"same", "read", "refresh"} and v}

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Steps on resources of a type, as "aws:ec2/vpc:Vpc"."""
        return [s for s in self.steps if s["type"] == kind]


class Stack:
    """A stack of a Pulumi project in a sandbox.

    Args:
        sandbox: where it runs.
        folder: the project's folder, which may be the checkout: it is never written to.
        name: of the stack; its Pulumi.<name>.yaml must be in the folder if it has settings.
    """

    def __init__(self, sandbox: Sandbox, folder: Path, name: str) -> None:
        self.sandbox, self.folder, self.name = sandbox, folder, name
        self.pulumi("stack", "select", "--create", name).ok()

    def pulumi(self, *arguments: str, seconds: float = SECONDS) -> Finished:
        """`pulumi ARGUMENTS` in the project's folder, without colours or questions."""
        return self.sandbox.exec(
            "pulumi", "--non-interactive", "--color=never", *arguments, cwd=self.folder, seconds=seconds
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`pulumi ARGUMENTS` in the background, in a session of its own; its outputs are pipes."""
        command = ["pulumi", "--non-interactive", "--color=never", *arguments]
        return subprocess.Popen(
            [sys.executable, "-I", "-c", EXECUTE, *command],
            cwd=self.folder,
            env=self.sandbox.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def up(self, *arguments: str, seconds: float = SECONDS) -> Update:
        """`pulumi up`, not checked: say `.ok()`."""
        return self._run("up", "--yes", "--skip-preview", *arguments, seconds=seconds)

    def destroy(self, *arguments: str, seconds: float = SECONDS) -> Update:
        """`pulumi destroy`, not checked."""
        return self._run("destroy", "--yes", "--skip-preview", *arguments, seconds=seconds)

    def refresh(self, *arguments: str, seconds: float = SECONDS) -> Update:
        """`pulumi refresh`, not checked. Its `changes` name what drifted."""
        return self._run("refresh", "--yes", "--skip-preview", *arguments, seconds=seconds)

    def preview(self, *arguments: str, seconds: float = SECONDS) -> Update:
        """`pulumi preview`, not checked."""
        finished = self.pulumi("preview", "-s", self.name, "--json", *arguments, seconds=seconds)
        digest = _first_json(finished.out)
        steps = [
            {"op": s["op"], "urn": s["urn"], "type": _type(s["urn"]), "diffs": sorted(s.get("detailedDiff") or {})}
            for s in digest.get("steps", [])
            if s["op"] not in {"same", "read"}
        ]
        return Update(finished, digest.get("changeSummary", {}), steps)

    def export(self) -> dict[str, Any]:
        """`pulumi stack export`: the state, secrets encrypted."""
        state: dict[str, Any] = json.loads(self.pulumi("stack", "export", "-s", self.name).ok().out)
        return state

    def resources(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Resources of the state, of one type if given."""
        found = self.export()["deployment"].get("resources", [])
        return [r for r in found if kind is None or r["type"] == kind]

    def outputs(self, *, secrets: bool = False) -> dict[str, Any]:
        """The stack's outputs."""
        flags = ["--show-secrets"] if secrets else []
        found: dict[str, Any] = json.loads(self.pulumi("stack", "output", "-s", self.name, "--json", *flags).ok().out)
        return found

    def remove(self) -> None:
        """Destroy what is left and remove the stack."""
        self.destroy().ok()
        self.pulumi("stack", "rm", "-s", self.name, "--yes", "--force").ok()

    def _run(self, verb: str, *arguments: str, seconds: float) -> Update:
        finished = self.pulumi(verb, "-s", self.name, "--json", *arguments, seconds=seconds)
        changes: dict[str, int] = {}
        steps = []
        for line in finished.out.splitlines():
            event = json.loads(line) if line.startswith("{") else {}
            if "summaryEvent" in event:
                changes = event["summaryEvent"].get("resourceChanges") or {}
            metadata = event.get("resourcePreEvent", {}).get("metadata")
            if metadata and metadata["op"] not in {"same", "read", "refresh"}:
                diffs = sorted(metadata.get("detailedDiff") or {})
                steps.append({"op": metadata["op"], "urn": metadata["urn"], "type": metadata["type"], "diffs": diffs})
        return Update(finished, changes, steps)


class Project:
    """A folder with a Pulumi project for a test.

    Args:
        sandbox: where its stacks run.
        folder: an empty folder.
        program: the text of __main__.py.
        name: of the project; a fresh one by default.
    """

    def __init__(self, sandbox: Sandbox, folder: Path, program: str, name: str | None = None) -> None:
        self.sandbox, self.folder = sandbox, folder
        self.name = name or f"t{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True, exist_ok=True)
        folder.joinpath("Pulumi.yaml").write_text(f"name: {self.name}\nruntime: python\n")
        self.program(program)

    def program(self, text: str) -> None:
        """Replace the program."""
        self.folder.joinpath("__main__.py").write_text(text)

    def stack(self, name: str = "test", config: dict[str, Any] | None = None) -> Stack:
        """A stack with this config ({"aws:region": "us-east-1"}; structured values are allowed)."""
        self.configure(name, config or {})
        return Stack(self.sandbox, self.folder, name)

    def configure(self, name: str, config: dict[str, Any]) -> None:
        """Write the stack's file."""
        self.folder.joinpath(f"Pulumi.{name}.yaml").write_text(yaml.safe_dump({"config": config}))


def clone(target: Path) -> Path:
    """A second clone of the checkout as it stands (tracked and new files, no .git, no sandbox), with its .venv."""
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in names:
        if (CHECKOUT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, target / name)
    # Pulumi.yaml names it, so the language host wants it there.
    (target / ".venv").symlink_to(CHECKOUT / ".venv")
    return target


def _type(urn: str) -> str:
    return urn.split("::")[2].rsplit("$", maxsplit=1)[-1]


def _first_json(text: str) -> dict[str, Any]:
    start = text.find("{")
    if start < 0:
        return {}
    try:
        content: dict[str, Any] = json.JSONDecoder().raw_decode(text[start:])[0]
    except ValueError:
        return {}
    return content
