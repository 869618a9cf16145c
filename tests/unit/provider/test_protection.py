import pytest

from provider.errors import ProviderError
from tests.unit.provider.conftest import Harness

ON = {"enabled": True, "setting": "timonel:protection"}
OFF = {**ON, "enabled": False}


def test_a_protected_stack_names_the_setting_when_it_refuses_to_go() -> None:
    engine = Harness()
    _, state = engine.create("Protection", ON)
    with pytest.raises(ProviderError, match=r"Protection it: timonel:protection is true.*nothing was deleted"):
        engine.delete("Protection", state)


def test_protection_is_switched_off_by_an_update_and_then_goes_like_anything_else() -> None:
    engine = Harness()
    _, state = engine.create("Protection", ON)
    diff = engine.diff("Protection", state, OFF)
    assert diff.changes is True
    assert diff.replaces == [], "a replacement would delete the old one, which refuses"
    engine.delete("Protection", engine.update("Protection", state, OFF))
