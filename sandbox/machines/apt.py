"""What the machine's own apt knows: the Debian mirror and how to reach it. No address stands in this repository."""

import os
import re
import subprocess
from pathlib import Path

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SUITES = re.compile(r"^(stable|testing|unstable|sid|bullseye|bookworm|trixie|forky)$")
MIRROR_VARIABLE = "TIMONEL_DEBIAN_MIRROR"


class NoMirrorError(Exception):
    """This machine's apt has no Debian source to make hosts from."""


def debian_mirror(sources: Path = Path("/etc/apt")) -> str:
    """Address of the Debian archive, from `TIMONEL_DEBIAN_MIRROR` or else from the machine's apt sources.

    Raises:
        NoMirrorError: neither names one.
    """
    if os.environ.get(MIRROR_VARIABLE):
        return os.environ[MIRROR_VARIABLE]
    files = [sources / "sources.list", *sorted((sources / "sources.list.d").glob("*"))]
    for text in (path.read_text() for path in files if path.is_file()):
        found = mirror_in(text)
        if found:
            return found
    raise NoMirrorError(
        f"no Debian archive in {sources}/sources.list*: set {MIRROR_VARIABLE} to the address of one "
        "(the hosts' image is made from it with debootstrap)"
    )


def mirror_in(text: str) -> str | None:
    """First address in an apt source (one line per source, or deb822) that carries `main` of a Debian suite."""
    for match in re.finditer(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)$", text, re.M):
        address, suite, components = match.groups()
        if SUITES.match(suite) and "main" in components.split():
            return str(address)
    for stanza in re.split(r"\n\s*\n", text):
        fields = {k.lower(): v for k, v in re.findall(r"^([A-Za-z-]+):\s*(.*)$", stanza, re.M)}
        wanted = "deb" in fields.get("types", "").split() and "main" in fields.get("components", "").split()
        if wanted and any(SUITES.match(s) for s in fields.get("suites", "").split()):
            return str(fields["uris"].split()[0])
    return None


def acquire_options() -> str:
    """The machine's own `Acquire` settings (proxies and the like) as an apt.conf, for an apt in another root."""
    dump = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=True).stdout
    keep = ("Acquire::http", "Acquire::https", "Acquire::Retries", "Acquire::ForceIPv4")
    return "".join(f"{line}\n" for line in dump.splitlines() if line.startswith(keep))
