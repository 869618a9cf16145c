"""Tags: what everything carries, and what a user may not add."""

import pytest

from components import tags
from components.errors import InputError


def test_every_resource_can_be_found_by_its_stack() -> None:
    assert tags.stack_tags("timonel", "dev", {"team": "infra"}) == {"team": "infra", "timonel:stack": "timonel/dev"}


def test_a_name_among_the_users_tags_gives_way_to_the_resources_own() -> None:
    assert tags.named({"Name": "all-the-same", "a": "b"}, "swarm-api") == {"Name": "swarm-api", "a": "b"}


@pytest.mark.parametrize(
    ("user", "rule"),
    [
        ({"aws:x": "1"}, "not start with"),
        ({"AWS:x": "1"}, "not start with"),
        ({"timonel:cluster": "other"}, "not start with"),
        ({"cost center": "1"}, "letters, digits"),
        ({"team/infra": "1"}, "letters, digits"),
        ({"": "1"}, "letters, digits"),
        ({"a": "x" * 257}, "256"),
        ({str(i): "" for i in range(41)}, "at most 40"),
    ],
)
def test_a_tag_that_aws_or_the_agent_could_not_live_with_is_refused(user: dict[str, str], rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        tags.check("tags", user)


def test_usual_tags_pass() -> None:
    tags.check("tags", {"team": "infra", "cost:center": "a/b c", "Name": ""})
