"""A Datadog for the sandbox: the API for monitors and dashboards, and the intake for what agents report."""
