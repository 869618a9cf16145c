"""The Python language host, spoken to as the engine does."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import grpc
import pytest
from pulumi.runtime.proto import language_pb2

from tests.unit.toolchain import host_process

VENV = Path(sys.prefix)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))


def run(folder: Path, recorder: host_process.RecordingEngine, **request):
    with recorder.serving() as address, host_process.running(address) as (client, process):
        answer = client.Run(
            language_pb2.RunRequest(
                project="tiny",
                stack="dev",
                pwd=str(folder),
                parallel=4,
                monitor_address=address,
                organization="organization",
                info=host_process.info(folder, virtualenv=str(VENV)),
                **request,
            )
        )
        process.kill()
        return answer, process.stdout.read()


def run_plugin(folder: Path, options: dict[str, str] | None = None, **request) -> tuple[str, str, int]:
    out, err, code = b"", b"", 0
    with host_process.running() as (client, _):
        request.setdefault("pwd", str(folder))
        for message in client.RunPlugin(
            language_pb2.RunPluginRequest(
                info=host_process.info(folder, **(options or {"virtualenv": str(VENV)})), **request
            )
        ):
            out += message.stdout
            err += message.stderr
            code = message.exitcode or code
    return out.decode(), err.decode(), code


def test_a_program_runs_with_its_configuration_and_its_exports_reach_the_engine(tmp_path):
    write(
        tmp_path / "__main__.py",
        """
        import sys
        import pulumi
        print("printed by the program")
        pulumi.export("size", pulumi.Config().require_int("size"))
        pulumi.export("secret", pulumi.Config().require_secret("token").apply(len))
        pulumi.export("prefix", sys.prefix)
        """,
    )
    recorder = host_process.RecordingEngine()
    answer, output = run(
        tmp_path, recorder, config={"tiny:size": "3", "tiny:token": "12345"}, configSecretKeys=["tiny:token"]
    )
    assert (answer.error, answer.bail) == ("", False), f"a sound program ends well; its output: {output}"
    assert "printed by the program" in output, "what a program prints reaches the engine, which shows it"
    assert recorder.outputs["size"] == 3, "the program read its configuration"
    assert recorder.outputs["prefix"] == str(VENV), "it ran in the environment that runtime.options name"


def test_an_exception_of_the_program_is_shown_with_its_traceback_and_bails(tmp_path):
    write(tmp_path / "__main__.py", "def broken():\n    raise ValueError('seven is not even')\nbroken()\n")
    recorder = host_process.RecordingEngine()
    answer, output = run(tmp_path, recorder)
    assert answer.bail, f"the error was shown already, so the engine must add nothing; output: {output}"
    shown = "\n".join(recorder.logs)
    assert "seven is not even" in shown, "the user must see the exception"
    assert f'{tmp_path}/__main__.py", line 2, in broken' in shown, "and where it was raised"


def test_a_program_that_ends_by_itself_with_a_code_names_the_code(tmp_path):
    write(tmp_path / "__main__.py", "import os\nos._exit(7)\n")
    answer, _ = run(tmp_path, host_process.RecordingEngine())
    assert not answer.bail, "nobody has shown this error yet"
    assert "7" in answer.error, "the exit code is all that is known, so it must be said"


def test_an_environment_that_is_not_there_is_named_before_the_program_starts(tmp_path):
    write(tmp_path / "__main__.py", "")
    with host_process.running() as (client, _), pytest.raises(grpc.RpcError) as caught:
        client.Run(language_pb2.RunRequest(info=host_process.info(tmp_path, virtualenv="missing-venv")))
    assert "missing-venv" in caught.value.details(), "the option's value must be in the error"


@pytest.mark.parametrize(
    ("option", "value"), [("toolchain", "conda"), ("typechecker", "pyre")], ids=["toolchain", "type checker"]
)
def test_an_option_that_the_host_does_not_know_is_refused_with_what_it_knows(tmp_path, option, value):
    with host_process.running() as (client, _), pytest.raises(grpc.RpcError) as caught:
        client.Run(language_pb2.RunRequest(info=host_process.info(tmp_path, **{option: value})))
    assert value in caught.value.details(), "the value that was refused must be in the error"


def test_a_type_checker_finds_an_error_before_the_program_runs(tmp_path):
    write(tmp_path / "__main__.py", "print('ran')\nsize: int = 'three'\n")
    with host_process.running() as (client, process):
        answer = client.Run(
            language_pb2.RunRequest(info=host_process.info(tmp_path, virtualenv=str(VENV), typechecker="mypy"))
        )
        process.kill()
        output = process.stdout.read()
    assert "Incompatible types in assignment" in answer.error, "the checker's finding is the error"
    assert "ran" not in output, "a program that fails its type check must not run"


def test_a_plugin_runs_in_its_environment_with_its_arguments_and_streams_both_outputs(tmp_path):
    write(
        tmp_path / "__main__.py",
        """
        import os, sys
        print("out", sys.argv[1:], sys.prefix, os.getcwd(), os.environ.get("GIVEN"))
        print("err", file=sys.stderr)
        sys.exit(5)
        """,
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    out, err, code = run_plugin(tmp_path, kind="resource", args=["127.0.0.1:99"], env=["GIVEN=yes"], pwd=str(elsewhere))
    assert out.split() == ["out", "['127.0.0.1:99']", str(VENV), str(elsewhere), "yes"], (
        "arguments, folder, environment"
    )
    assert err.strip() == "err", "the two outputs are kept apart"
    assert code == 5, "the engine learns how the plugin ended"


def test_a_plugin_that_is_a_package_runs_as_a_module(tmp_path):
    write(
        tmp_path / "pyproject.toml",
        """
        [project]
        name = "json-tool-like"
        version = "1"
        [build-system]
        requires = []
        build-backend = "backend"
        """,
    )
    write(tmp_path / "json_tool_like" / "__main__.py", "print('as a module:', __package__)\n")
    out, err, _ = run_plugin(tmp_path, kind="resource", env=[f"PYTHONPATH={tmp_path}"])
    assert out.strip() == "as a module: json_tool_like", f"the module's name follows the project's; stderr: {err}"


def test_a_policy_pack_runs_under_the_policy_runner(tmp_path):
    write(tmp_path / "__main__.py", "print('a policy pack that asks for nothing')\n")
    out, err, _ = run_plugin(tmp_path, kind="analyzer", args=["127.0.0.1:99"])
    assert "policy" in out + err, f"`python -m pulumi.policy` ran the pack; got {out!r} and {err!r}"


def test_letting_go_of_a_plugin_ends_it(tmp_path):
    write(tmp_path / "__main__.py", "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n")
    with host_process.running() as (client, _):
        stream = client.RunPlugin(
            language_pb2.RunPluginRequest(
                pwd=str(tmp_path), info=host_process.info(tmp_path, virtualenv=str(VENV)), kind="resource"
            )
        )
        pid = int(next(stream).stdout)
        stream.cancel()
        assert ended(pid), "the engine closes a plugin by letting go of its stream"


def ended(pid: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_host_and_program_end_when_the_engine_that_started_them_is_killed(tmp_path):
    write(tmp_path / "__main__.py", "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n")
    # A shell stands between as the engine that is killed; the host is its child.
    parent = subprocess.Popen(
        ["sh", "-c", f"'{host_process.program()}' 127.0.0.1:1 & echo $! ; wait"], stdout=subprocess.PIPE, text=True
    )
    host, port = sorted(
        (parent.stdout.readline().strip(), parent.stdout.readline().strip()), key=is_port_of(parent.pid)
    )
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stream = host_process.language_pb2_grpc.LanguageRuntimeStub(channel).RunPlugin(
            language_pb2.RunPluginRequest(
                pwd=str(tmp_path), info=host_process.info(tmp_path, virtualenv=str(VENV)), kind="resource"
            )
        )
        child = int(next(stream).stdout)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert ended(int(host)), "a host without its engine serves nobody"
        assert ended(child), "what it started must not go on changing the world unseen"
    parent.stdout.close()


def is_port_of(parent: int):
    """Sorts the host's process id before its port: the id is the one whose parent is ``parent``."""

    def key(text: str) -> bool:
        stat = Path(f"/proc/{text}/stat")
        return not (stat.exists() and int(stat.read_text().rsplit(")", 1)[1].split()[1]) == parent)

    return key


def test_required_packages_are_those_of_the_plugins_in_the_environment(tmp_path):
    site = tmp_path / "venv" / "lib" / "python3.11" / "site-packages"
    write(tmp_path / "venv" / "bin" / "python", "")
    write(tmp_path / "venv" / "pyvenv.cfg", "")
    write(site / "pulumi_one" / "pulumi-plugin.json", json.dumps({"resource": True, "name": "one", "version": "1.2.3"}))
    write(
        site / "pulumi_two_more" / "pulumi-plugin.json", json.dumps({"resource": True, "server": "https://x.invalid"})
    )
    write(site / "pulumi_none" / "pulumi-plugin.json", json.dumps({"resource": False, "name": "none"}))
    with host_process.running() as (client, _):
        answer = client.GetRequiredPackages(
            language_pb2.GetRequiredPackagesRequest(info=host_process.info(tmp_path, virtualenv="venv"))
        )
    found = [(p.name, p.kind, p.version, p.server) for p in answer.packages]
    assert found == [("one", "resource", "1.2.3", ""), ("two-more", "resource", "", "https://x.invalid")]


def test_about_names_the_python_of_the_environment(tmp_path):
    with host_process.running() as (client, _):
        answer = client.About(language_pb2.AboutRequest(info=host_process.info(tmp_path, virtualenv=str(VENV))))
    assert answer.executable.startswith(str(VENV)), "the executable of the environment, not of the system"
    assert answer.version == ".".join(map(str, sys.version_info[:3]))


def test_program_dependencies_hold_the_sdk(tmp_path):
    with host_process.running() as (client, _):
        answer = client.GetProgramDependencies(
            language_pb2.GetProgramDependenciesRequest(
                info=host_process.info(tmp_path, virtualenv=str(VENV)), transitiveDependencies=True
            )
        )
    assert "pulumi" in {d.name for d in answer.dependencies}, "needs pip in the environment, which the lock brings"


def test_an_interrupt_ends_the_host_without_a_word():
    with host_process.running() as (client, process):
        client.Handshake(language_pb2.LanguageHandshakeRequest(engine_address="127.0.0.1:1"))
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0, "an interrupt is an ordinary end"
        assert process.stdout.read() == "", "what it printed would show in every interrupted update"
