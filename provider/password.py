"""Password: made once, or the user's own, with the hash that a server keeps of it."""

import secrets
from collections.abc import Mapping
from typing import ClassVar

from provider.errors import ProviderError
from provider.handler import Context, Handler, Input
from provider.properties import Plain

_BYTES = 24
"""192 bits: 32 letters."""

_LONGEST = 72
"""bcrypt reads no more."""


class PasswordHandler(Handler):
    """Exists in the state only, encrypted. The hash is kept with it, since a new one would have another salt."""

    inputs: ClassVar[Mapping[str, Input]] = {"given": Input(str, required=False)}
    outputs = ("password", "bcrypt")
    secrets = ("given", "password", "bcrypt")

    def create(self, inputs: Plain, context: Context) -> tuple[str, Plain]:
        """Make it, or take the given one."""
        del context
        return "password", self._hashed(inputs.get("given") or secrets.token_urlsafe(_BYTES))

    def update(self, state: Plain, inputs: Plain, context: Context) -> Plain:
        """Another given one; one that is given no more is replaced by a made one."""
        return self.create(inputs, context)[1]

    @staticmethod
    def _hashed(password: str) -> Plain:
        if len(password.encode()) > _LONGEST:
            raise ProviderError(f"given: got a secret of {len(password.encode())} bytes, but bcrypt reads {_LONGEST}.")
        import bcrypt  # noqa: PLC0415 (as cryptography: loads only when one is made)

        return {"password": password, "bcrypt": bcrypt.hashpw(password.encode(), bcrypt.gensalt(10)).decode()}
