"""``pulumi-resource-docker``: serve the stand-in to the engine."""

from sandbox.providers import serve
from sandbox.providers.docker.provider import DockerProvider
from sandbox.providers.schema import Package


def main() -> None:
    """Serve until the engine ends the process."""
    package = Package("docker")
    serve.serve(package.version, lambda log: DockerProvider(package, log))


if __name__ == "__main__":
    main()
