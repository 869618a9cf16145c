"""Arguments of MonitoringStack. Structural inputs are plain, since they decide which resources exist."""

from enum import StrEnum
from typing import NotRequired, TypedDict

import pulumi

from components.timonel_provider import AuthorityArgs


class ReceiverKind(StrEnum):
    """Where messages go."""

    SLACK = "slack"
    EMAIL = "email"
    PAGERDUTY = "pagerduty"
    WEBHOOK = "webhook"


class ReceiverArgs(TypedDict):
    """Somebody who is told."""

    kind: ReceiverKind
    """Required."""
    secret: pulumi.Input[str]
    """Required. Secret. The URL (``slack``, ``webhook``), the integration key (``pagerduty``) or the password of
    ``username`` (``email``)."""
    critical_only: NotRequired[bool]
    """Only what must wake somebody. Default false: warnings too."""
    channel: NotRequired[str]
    """``slack``: required there, with its ``#``."""
    to: NotRequired[str]
    """``email``: required there; addresses, separated by commas."""
    sender: NotRequired[str]
    """``email``: required there; the address it comes from."""
    server: NotRequired[str]
    """``email``: required there; ``HOST:PORT`` of the mail server. TLS is required of it."""
    username: NotRequired[str]
    """``email``: who logs in there. Default: ``sender``."""
    url: NotRequired[str]
    """``pagerduty``: its Events API. Default ``https://events.pagerduty.com/v2/enqueue``; an account of the EU region
    has ``https://events.eu.pagerduty.com/v2/enqueue`` (PagerDuty, "Service Regions")."""


class RemoteWriteArgs(TypedDict):
    """Another place that the samples go to."""

    url: str
    """Required. Its remote write endpoint, ``https://...``."""
    username: NotRequired[str]
    """Who logs in (basic auth). Default: nobody."""
    secret: NotRequired[pulumi.Input[str]]
    """Secret. The password of ``username``. Needed with it."""


class PrometheusArgs(TypedDict):
    """Prometheus, Alertmanager and Grafana on the managers, exporters on every node."""

    cluster: str
    """Required. The label ``cluster`` of every series and alert."""
    address: pulumi.Input[str]
    """Required. Name under which operators reach the managers' ports; it stands in the certificate."""
    authority: AuthorityArgs
    """Required."""
    managers: int
    """Required. How many managers there are: each runs one replica at most."""
    client_certificate_expires: NotRequired[pulumi.Input[str]]
    """End of the operator's client certificate, RFC 3339. Default: there is no alert about it."""
    replicas: NotRequired[int]
    """Prometheus servers, each with all data of its own; 1 or 2, at most one on a manager. Default 1."""
    alertmanagers: NotRequired[int]
    """Alertmanagers, 1 to 3, at most one on a manager. Default 1. From 2 on they are a cluster: they tell each other
    what was told and what is silenced, so that each message is sent once while any of them lives."""
    retention_days: NotRequired[int]
    """Days that samples are kept. Default 15."""
    retention_gib: NotRequired[int]
    """GiB that samples may take; the oldest go first. Default 5: the managers' disks have 20."""
    enable_volume_removal: NotRequired[bool]
    """Let a manager's agent remove the history and what Alertmanager knows ten minutes after their service is gone
    (another backend, or none). Default false: they are there again when the service comes back. It is a label that
    Docker gives a volume when it makes it, so it does not change volumes that exist."""
    scrape_interval_seconds: NotRequired[int]
    """Seconds between two looks at a target, and between two evaluations of the rules. Default 15."""
    group_wait_seconds: NotRequired[int]
    """Seconds that a new group of alerts waits for more of its kind before it is told. Default 10."""
    group_interval_seconds: NotRequired[int]
    """Seconds between two messages about a group that changed: what a "resolved" waits at most. Default 60."""
    repeat_hours: NotRequired[int]
    """Hours until what still lasts is told again. Default 12."""
    receivers: NotRequired[list[ReceiverArgs]]
    """Who is told. Default: nobody, and the alerts are to be looked at only."""
    dead_mans_switch: NotRequired[pulumi.Input[str]]
    """Secret. URL of an outside service that is called every minute and raises an alarm when the calls end, since this
    Prometheus dies with the swarm that it watches. Default: none."""
    remote_write: NotRequired[RemoteWriteArgs]
    """Send samples elsewhere too. Default: none."""
    password: NotRequired[pulumi.Input[str]]
    """Secret. Password of the user ``timonel`` of the pages. Default: a made one."""
    enable_grafana: NotRequired[bool]
    """Grafana with the dashboards on a manager, port 3000. Default true."""


class DatadogArgs(TypedDict):
    """The Datadog Agent on every node, monitors and a dashboard in the account."""

    cluster: str
    """Required. The tag ``cluster`` of everything that is sent."""
    api_key: pulumi.Input[str]
    """Required. Secret. The key that the Agents send with."""
    site: NotRequired[str]
    """The account's site. Default ``datadoghq.com``."""
    further_tags: NotRequired[dict[str, str]]
    """More tags of everything that is sent. Default: none."""
    enable_logs: NotRequired[bool]
    """Send the containers' logs. Default false (it costs by volume)."""
    enable_processes: NotRequired[bool]
    """Send the list of processes. Default false."""
    notify: NotRequired[list[str]]
    """Datadog's handles of who is told: ``@slack-ops``, ``@pagerduty-ops``, ``@me@example.com``. Default: nobody."""
    client_certificate_expires: NotRequired[pulumi.Input[str]]
    """End of the operator's client certificate, RFC 3339. Default: not told."""
