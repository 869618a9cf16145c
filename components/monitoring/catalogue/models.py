"""The alert catalogue, typed: what an alert is, whatever raises it."""

import re
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, model_validator

PLACEHOLDER = re.compile(r"(?<!\$)\{(\w+)\}")
"""``{label}`` in a summary or description; ``{value}`` is the value that the condition found."""


class Severity(StrEnum):
    """How much an alert matters."""

    CRITICAL = "critical"
    """Something is lost, or the next fault loses it: wake somebody."""
    WARNING = "warning"
    """It heals by itself, or can wait for the morning."""
    NONE = "none"
    """Not a fault: the dead man's switch."""


class Unit(StrEnum):
    """How ``{value}`` is written."""

    NUMBER = "number"
    PERCENTAGE = "percentage"
    """The condition finds a share of 1 (Datadog's: of 100)."""
    DURATION = "duration"
    """The condition finds seconds."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PrometheusCondition(_Model):
    """A condition in PromQL."""

    expr: str
    """``${name}`` stands for a field of Parameters."""


class DatadogCondition(_Model):
    """A condition of a Datadog monitor."""

    query: str
    """The monitor's whole query; ``${name}`` as in PromQL, ``${scope}`` is the cluster's tag."""
    type: str = "metric alert"
    """Datadog's monitor type."""
    threshold: float | None = None
    """Service checks: how many failures in a row; of other types the query's last number."""
    no_data_minutes: int | None = None
    """Alert when nothing came for so long; by default silence is no alert."""
    groups: dict[str, str] = Field(default_factory=dict)
    """Label of the alert to the Datadog tag that the query groups by, where it is not the usual one."""


class Missing(_Model):
    """Why a backend has no counterpart of the alert."""

    reason: str


class Alert(_Model):
    """One fault that somebody must hear of."""

    name: str = Field(pattern=r"^[A-Z][A-Za-z]+$")
    severity: Severity
    hold: str = Field(alias="for", pattern=r"^\d+[smhd]$")
    """How long the condition must hold; the Datadog query has the same time as its window."""
    labels: tuple[str, ...]
    """What tells two alerts of this name apart: never anything that changes while the fault lasts."""
    unit: Unit = Unit.NUMBER
    summary: str
    """One line, the subject of the message; ``{label}`` stands for a label's value."""
    description: str
    """What it means; ``{value}`` stands for what the condition found."""
    prometheus: PrometheusCondition | Missing
    datadog: DatadogCondition | Missing
    runbook: str
    """What to look at and what to do, in Markdown."""

    @model_validator(mode="after")
    def _check(self) -> "Alert":
        for text, known in ((self.summary, set(self.labels)), (self.description, {*self.labels, "value"})):
            if unknown := set(PLACEHOLDER.findall(text)) - known:
                raise ValueError(f"{self.name}: {{{min(unknown)}}} is not one of the alert's labels {sorted(known)}")
        if all(isinstance(condition, Missing) for condition in (self.prometheus, self.datadog)):
            raise ValueError(f"{self.name}: no backend raises it")
        return self

    @property
    def anchor(self) -> str:
        """Of its section in the runbooks."""
        return self.name.lower()


class Area(_Model):
    """The alerts about one part of a cluster: one file."""

    area: str
    alerts: tuple[Alert, ...]


class Catalogue(_Model):
    """Every alert."""

    areas: tuple[Area, ...]

    @model_validator(mode="after")
    def _check(self) -> "Catalogue":
        names = [alert.name for alert in self.alerts]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"alert {min(twice)} is there twice")
        return self

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Every alert, area by area."""
        return tuple(alert for area in self.areas for alert in area.alerts)
