"""The one error of the provider."""


class ProviderError(Exception):
    """Something that the user can act on; the engine shows the message alone, without a stack trace."""
