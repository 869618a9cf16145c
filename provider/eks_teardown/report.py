"""What a teardown did, for the user."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Report:
    """Removed, kept and left, each with what it was; in the order in which it happened."""

    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    """What could not be removed, with the reason."""
    notes: list[str] = field(default_factory=list)
    """What the user should know besides: a part that was skipped, and why."""

    def remove(self, thing: str) -> None:
        """It is gone; what was left in an earlier attempt is no more."""
        self.left.pop(thing, None)
        if thing not in self.removed:
            self.removed.append(thing)

    def keep(self, thing: str, reason: str) -> None:
        """It stays on purpose."""
        sentence = f"{thing}: {reason}"
        if sentence not in self.kept:
            self.kept.append(sentence)

    def leave(self, thing: str, reason: str) -> None:
        """It stays though it should go; the latest reason counts."""
        self.left[thing] = reason

    def note(self, sentence: str) -> None:
        """Say it once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def render(self, title: str, left: str = "could not be removed") -> str:
        """``title``, then a list for each of the four that has something; ``left`` heads what should have gone."""
        lists = {
            "removed": self.removed,
            "kept": self.kept,
            left: [f"{thing}: {reason}" for thing, reason in self.left.items()],
            "note": self.notes,
        }
        lines = [title if any(lists.values()) else f"{title}: nothing was left to clean up"]
        for name, items in lists.items():
            if items:
                lines += [f"  {name}: {len(items)}" if name != "note" else "  notes:"]
                lines += [f"    {item}" for item in items]
        return "\n".join(lines)
