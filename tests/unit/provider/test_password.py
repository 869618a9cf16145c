import bcrypt
import pytest

from provider.errors import ProviderError
from tests.unit.provider.conftest import Harness


def test_a_made_password_is_long_and_its_hash_fits(engine: Harness) -> None:
    _, state = engine.create("Password", {})
    assert len(state["password"]) == 32, "192 random bits"
    assert bcrypt.checkpw(state["password"].encode(), state["bcrypt"].encode()), "the servers know the hash only"
    assert engine.create("Password", {})[1]["password"] != state["password"]


def test_a_given_password_is_taken_and_its_change_changes_the_hash(engine: Harness) -> None:
    _, state = engine.create("Password", {"given": "first"})
    assert state["password"] == "first"
    state = {"given": "first", **state}
    assert not engine.diff("Password", state, {"given": "first"}).changes, "a salt of its own is no difference"
    changed = engine.diff("Password", state, {"given": "second"})
    assert changed.changes
    assert not changed.replaces
    assert bcrypt.checkpw(b"second", engine.update("Password", state, {"given": "second"})["bcrypt"].encode())


def test_both_are_secret_on_the_wire(engine: Harness) -> None:
    engine.create("Password", {"given": "first"})
    assert all(engine.raw[name].contains_secret() for name in ("password", "bcrypt")), "the state must encrypt them"


def test_a_password_that_bcrypt_would_cut_is_refused(engine: Harness) -> None:
    with pytest.raises(ProviderError, match="72"):
        engine.create("Password", {"given": "x" * 73})
