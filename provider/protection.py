"""Protection: refuses to be deleted, and with that the deletion of everything that it depends on."""

from collections.abc import Mapping
from typing import ClassVar

from provider.errors import ProviderError
from provider.handler import Context, Handler, Input
from provider.properties import Plain


class ProtectionHandler(Handler):
    """Exists in the state only. ``destroy`` comes to it first: it depends on everything else."""

    inputs: ClassVar[Mapping[str, Input]] = {"enabled": Input(bool), "setting": Input(str)}

    def create(self, inputs: Plain, context: Context) -> tuple[str, Plain]:
        """Nothing to make."""
        del context
        return str(inputs["setting"]), {}

    def delete(self, state: Plain, context: Context) -> None:
        """Refuse while enabled; the engine then deletes nothing of what this depends on."""
        del context
        if state["enabled"]:
            setting = state["setting"]
            raise ProviderError(
                f"{setting} is true, so this stack refuses to be destroyed and nothing was deleted. "
                f"If it is to go, set {setting} to false, run `pulumi up`, then destroy it."
            )
