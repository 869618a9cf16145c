"""The Docker API's server certificate, signed on the node by the cluster's CA.

openssl is on every Ubuntu and Debian image, python3-cryptography is not promised on Debian. The CA's key reaches
openssl through a pipe: never on disk, never among the arguments; the agent forgets it after signing.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from node_agent.files import write_atomically
from node_agent.run import run

FOLDER = Path("/etc/docker/timonel")
DAYS = 1825
"""Five years: longer than an instance lives. The CA's own end is the limit that openssl verify holds it to."""
RENEW_SECONDS = 90 * 86400


@dataclass(frozen=True)
class Certificates:
    """Where dockerd finds them."""

    ca: Path
    certificate: Path
    key: Path


def paths(folder: Path = FOLDER) -> Certificates:
    """The files."""
    return Certificates(folder / "ca.pem", folder / "server.pem", folder / "server-key.pem")


def ensure(ca: dict[str, str], names: list[str], folder: Path = FOLDER) -> bool:
    """Makes key and certificate unless what is there is for these names, by this CA, and good for 90 days.

    Returns:
        Whether something was made.
    """
    files, note = paths(folder), folder / "made-for.json"
    made_for = {"ca": hashlib.sha256(ca["certificate"].encode()).hexdigest(), "names": sorted(names)}
    if note.exists() and json.loads(note.read_text()) == made_for and _good(files):
        return False
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
    request = run(["openssl", "req", "-new", "-key", "{0}", "-subj", "/CN=timonel-docker-api"], fds=[key])
    extensions = f"subjectAltName={_alternatives(names)}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n"
    certificate = run(
        ["openssl", "x509", "-req", "-in", "{0}", "-CA", "{1}", "-CAkey", "{2}", "-extfile", "{3}", "-days", str(DAYS),
         "-sha256", "-set_serial", f"0x{secrets.token_hex(16)}"],
        fds=[request, ca["certificate"].encode(), ca["private_key"].encode(), extensions.encode()],
    )  # fmt: skip
    write_atomically(files.ca, ca["certificate"].encode(), 0o644)
    write_atomically(files.key, key, 0o600)
    write_atomically(files.certificate, certificate, 0o644)
    write_atomically(note, json.dumps(made_for).encode(), 0o644)
    return True


def end_of(certificate: Path) -> float:
    """When the (first) certificate of a file ends, seconds since the epoch.

    Raises:
        AwayError: openssl cannot read it.
    """
    import ssl  # noqa: PLC0415  (only where there is a certificate)

    told = run(["openssl", "x509", "-enddate", "-noout", "-in", str(certificate)]).decode().strip()
    return float(ssl.cert_time_to_seconds(told.removeprefix("notAfter=")))


def _good(files: Certificates) -> bool:
    from node_agent.ports import AwayError  # noqa: PLC0415

    try:
        run(["openssl", "verify", "-CAfile", str(files.ca), str(files.certificate)])
        run(["openssl", "x509", "-checkend", str(RENEW_SECONDS), "-noout", "-in", str(files.certificate)])
    except AwayError:
        return False
    return files.key.exists()


def _alternatives(names: list[str]) -> str:
    return ",".join(f"IP:{n}" if _is_address(n) else f"DNS:{n}" for n in dict.fromkeys(names))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
