"""User data: a short script that installs what is missing, fetches the agent by hash and starts it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

LIMIT_BYTES = 16 * 1024
"""Longest user data before base64. Source: EC2 User Guide, "Run commands when you launch an EC2 instance"."""

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
    undefined=jinja2.StrictUndefined,
    comment_start_string="{##",  # bash has ${#array[@]}
    comment_end_string="##}",
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 - a shell script, not HTML; what is put in is quoted by the template or is JSON
)


@dataclass(frozen=True)
class NodeScript:
    """What a node's script says. It holds no secret: user data can be read by everyone who may describe instances."""

    region: str
    """AWS region of the state bucket."""
    bucket: str
    """State bucket."""
    artefact_key: str
    """Key of the agent's zipapp in it."""
    artefact_sha256: str
    """Hash that the downloaded file must have."""
    agent_config: Mapping[str, Any]
    """Content of ``/etc/timonel/agent.json``."""
    preinstalled: bool
    """The image holds Docker and boto3 already: check for them and install nothing."""


def render(script: NodeScript) -> str:
    """The script.

    Raises:
        ValueError: longer than EC2 takes.
    """
    text = _ENVIRONMENT.get_template("user_data.sh.j2").render(
        region=script.region,
        bucket=script.bucket,
        artefact_key=script.artefact_key,
        artefact_sha256=script.artefact_sha256,
        agent_json=json.dumps(script.agent_config, indent=2, sort_keys=True),
        preinstalled=script.preinstalled,
    )
    size = len(text.encode())
    if size > LIMIT_BYTES:
        raise ValueError(
            f"user data: got {size} bytes, must be at most {LIMIT_BYTES}: EC2 takes no more (fewer labels?)"
        )
    return text
