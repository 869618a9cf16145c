"""The one error of the toolchain."""


class ToolchainError(Exception):
    """Something could not be made ready. The text says what was tried, why it failed and what to install."""
