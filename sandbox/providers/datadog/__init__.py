"""The stand-in for Pulumi's Datadog provider: monitors and dashboards given as JSON, in the sandbox's Datadog."""
