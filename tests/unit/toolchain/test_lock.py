"""requirements.lock: when it is stale, when the environment is, and what must not be in it."""

import re

from toolchain import environment, lock, paths


def checkout(folder, product: str = "one>=1,<2\n", tests: str = "-r ../requirements.txt\ntwo>=2\n"):
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "requirements.txt").write_text(product)
    (folder / "tests" / "requirements.txt").write_text(tests)
    return folder


INPUTS = ("tests/requirements.txt",)


def test_a_lock_is_stale_when_an_included_requirement_has_changed(tmp_path):
    before = lock.fingerprint(checkout(tmp_path), INPUTS)
    written = tmp_path / "requirements.lock"
    written.write_text(f"# requirements: {before}\none==1.5\n")
    assert not lock.is_stale(tmp_path, written, INPUTS)
    checkout(tmp_path, product="one>=1.6,<2\n")
    assert lock.is_stale(tmp_path, written, INPUTS), "the change lies in a file that is included by -r"


def test_comments_and_order_do_not_make_a_lock_stale(tmp_path):
    before = lock.fingerprint(checkout(tmp_path), INPUTS)
    after = lock.fingerprint(
        checkout(tmp_path, product="# why\none>=1,<2  # because\n", tests="two>=2\n\n-r ../requirements.txt\n"), INPUTS
    )
    assert after == before, "a re-worded comment needs no new resolution"


def test_the_locks_answer_the_requirements_of_this_checkout():
    assert not lock.is_stale(paths.CHECKOUT, paths.LOCK, lock.INPUTS), "run `make lock`"
    assert not lock.is_stale(paths.CHECKOUT, paths.BOOTSTRAP_LOCK, (lock.BOOTSTRAP_INPUT,)), "run `make lock`"


def test_the_locks_pin_every_package_by_hash_and_name_no_index():
    for path in (paths.LOCK, paths.BOOTSTRAP_LOCK):
        text = path.read_text()
        packages = re.findall(r"^[a-zA-Z0-9].*?(?=^[a-zA-Z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
        assert packages, f"{path.name} holds packages"
        for package in packages:
            assert re.match(r"\S+==\S+ ", package), f"{path.name}: not pinned: {package.splitlines()[0]}"
            assert "--hash=sha256:" in package, f"{path.name}: without a hash: {package.splitlines()[0]}"
        assert "://" not in text, f"{path.name}: an address would bind every user to one index"


def test_an_environment_is_fresh_only_when_whole_and_made_from_this_lock(tmp_path):
    wanted = environment.fingerprint(b"one==1.5")
    assert not environment.is_fresh(tmp_path, wanted), "there is nothing"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text("")
    assert not environment.is_fresh(tmp_path, wanted), "an installation that was interrupted has no stamp"
    (tmp_path / environment.STAMP).write_text(wanted)
    assert environment.is_fresh(tmp_path, wanted)
    assert not environment.is_fresh(tmp_path, environment.fingerprint(b"one==1.6")), "the lock has changed"
    (tmp_path / "bin" / "python").unlink()
    assert not environment.is_fresh(tmp_path, wanted), "its python is gone, as after a system upgrade"
