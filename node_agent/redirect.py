"""OLD:2377 leads to NEW:2377, for what this node itself dials: a chain of our own in the nat table's OUTPUT."""

from __future__ import annotations

from node_agent.ports import AwayError
from node_agent.run import run

CHAIN = "TIMONEL-REDIRECT"
IPTABLES = ["iptables", "-w", "10", "-t", "nat"]


class Redirect:
    """The rules as this process last set them; the first time they are always set."""

    def __init__(self) -> None:
        self._set: dict[str, str] | None = None

    def apply(self, rules: dict[str, str]) -> None:
        """Exactly these rules hold afterwards.

        Raises:
            AwayError: iptables refuses.
        """
        if rules == self._set:
            return
        if rules or self._exists():
            run(["iptables-restore", "-w", "10", "--noflush"], stdin=script(rules).encode())
        hooked = self._hooked()
        if rules and not hooked:
            run([*IPTABLES, "-I", "OUTPUT", "-j", CHAIN])
        elif not rules and hooked:
            run([*IPTABLES, "-D", "OUTPUT", "-j", CHAIN])
        self._set = dict(rules)

    def _hooked(self) -> bool:
        return _succeeds([*IPTABLES, "-C", "OUTPUT", "-j", CHAIN])

    def _exists(self) -> bool:
        return _succeeds([*IPTABLES, "-S", CHAIN])


def script(rules: dict[str, str]) -> str:
    """For iptables-restore: naming the chain empties it first."""
    lines = [f"-A {CHAIN} -d {old}/32 -p tcp --dport 2377 -j DNAT --to-destination {new}:2377"
             for old, new in sorted(rules.items())]  # fmt: skip
    return "\n".join(["*nat", f":{CHAIN} - [0:0]", *lines, "COMMIT", ""])


def _succeeds(args: list[str]) -> bool:
    try:
        run(args)
    except AwayError:
        return False
    return True
