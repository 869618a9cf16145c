"""``pulumi-resource-aws``: serve the stand-in to the engine."""

from sandbox.providers import serve
from sandbox.providers.aws.provider import AwsProvider
from sandbox.providers.schema import Package


def main() -> None:
    """Serve until the engine ends the process."""
    package = Package("aws")
    serve.serve(package.version, lambda log: AwsProvider(package, log))


if __name__ == "__main__":
    main()
