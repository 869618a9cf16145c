"""``pulumi-resource-datadog``: serve the stand-in to the engine."""

from sandbox.providers import serve
from sandbox.providers.datadog.provider import DatadogProvider
from sandbox.providers.schema import Package


def main() -> None:
    """Serve until the engine ends the process."""
    package = Package("datadog")
    serve.serve(package.version, lambda log: DatadogProvider(package, log))


if __name__ == "__main__":
    main()
