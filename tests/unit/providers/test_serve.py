"""The process of a stand-in, as the engine starts and ends it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from sandbox.state import CHECKOUT

PLUGIN = CHECKOUT / "sandbox" / "providers" / "bin" / "pulumi-resource-aws"


def test_a_plugin_says_its_port_and_ends_quietly_when_the_engine_interrupts_it() -> None:
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with subprocess.Popen(
        [str(PLUGIN), "127.0.0.1:1"],
        env={**os.environ, "PATH": search},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip().isdigit(), "the engine reads the port from the first line"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (0, "", ""), "the engine shows what a plugin says"
