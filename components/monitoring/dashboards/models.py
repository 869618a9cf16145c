"""What a dashboard is, whatever draws it."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How a panel draws its queries."""

    LINES = "timeseries"
    NUMBER = "stat"
    TABLE = "table"


class Scale(StrEnum):
    """Unit of a panel, by Grafana's name."""

    COUNT = "short"
    SHARE = "percentunit"
    BYTES = "bytes"
    BYTES_PER_SECOND = "Bps"
    PER_SECOND = "ops"
    SECONDS = "s"
    CORES = "none"


@dataclass(frozen=True)
class Query:
    """One PromQL query: no variables of Grafana, so that it runs anywhere as it stands."""

    expr: str
    legend: str = ""
    """``{{label}}`` stands for a label's value."""


@dataclass(frozen=True)
class Panel:
    """One picture."""

    title: str
    queries: tuple[Query, ...]
    scale: Scale = Scale.COUNT
    kind: Kind = Kind.LINES
    description: str = ""
    """What a reader must know to judge it."""
    width: int = 12
    """Of 24 columns."""


@dataclass(frozen=True)
class Dashboard:
    """Panels under one title."""

    name: str
    """Of its file, and its uid in Grafana."""
    title: str
    panels: tuple[Panel, ...]
