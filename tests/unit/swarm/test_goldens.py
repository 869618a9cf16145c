"""What is rendered for nodes and for IAM stands in the repository, so that a change of it is read as a diff."""

import base64
import json

import pytest

from components.hosts import policies as shared
from components.hosts.policies import Place
from components.swarm import endpoints, policies
from node_agent import config as agent_schema
from tests.engine import Engine
from tests.golden_files import assert_golden
from tests.unit.hosts.test_user_data import shellcheck
from tests.unit.swarm.conftest import MakeSwarm

PLACE = Place("aws", "us-east-1", "123456789012")
STATE = policies.State(
    bucket="swarm-state-bucket-0123456",
    key_arn="arn:aws:kms:us-east-1:123456789012:key/managers",
    ca_secret_arn="arn:aws:secretsmanager:us-east-1:123456789012:secret:ca-AbCdEf",
    managers_secret_arn="arn:aws:secretsmanager:us-east-1:123456789012:secret:managers-AbCdEf",
    workers_secret_arn="arn:aws:secretsmanager:us-east-1:123456789012:secret:workers-AbCdEf",
    log_group_arn="arn:aws:logs:us-east-1:123456789012:log-group:swarm",
)
TARGETS = ["arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/swarm-p80/0123456789abcdef"]


def user_data(engine: Engine, group: str) -> str:
    template = engine.one("aws:ec2/launchTemplate:LaunchTemplate", f"{group}-template")
    return base64.b64decode(template.inputs["userData"]).decode()


def agent_json(script: str) -> str:
    return script.split("<<'JSON'\n")[1].split("\nJSON\n", maxsplit=1)[0]


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
@pytest.mark.parametrize("preinstalled", [False, True])
def test_user_data_of_managers_and_workers(
    engine: Engine, make_swarm: MakeSwarm, architecture: str, preinstalled: bool
) -> None:
    names = {"amd64": "x86_64", "arm64": "arm64"}
    engine.answers["aws:ec2/getAmi:getAmi"] = {"architecture": names[architecture], "rootDeviceName": "/dev/sda1"}
    image = {"architecture": architecture, "id": "ami-0123456789abcdef0", "preinstalled": preinstalled}
    pool = {"name": "web", "labels": {"disk": "ssd"}}
    make_swarm(image=image, worker_pools=[pool], published_ports=[{"port": 80, "cidrs": ["0.0.0.0/0"]}])
    for role, group in (("manager", "swarm-managers"), ("worker", "swarm-workers-web")):
        script = user_data(engine, group)
        parsed = agent_schema.parse(agent_json(script))
        assert (parsed.role, parsed.cluster) == (role, "swarm-state-bucket-id")
        shellcheck(script)
        assert_golden(f"user_data/{role}-{architecture}{'-preinstalled' if preinstalled else ''}.sh", script)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("manager", policies.manager(PLACE, STATE)),
        ("manager-with-services", policies.manager(PLACE, STATE, TARGETS)),
        ("worker", policies.worker(PLACE, STATE)),
        ("worker-with-services", policies.worker(PLACE, STATE, TARGETS)),
        ("state-bucket", policies.state_bucket(PLACE, STATE.bucket, STATE.key_arn)),
        ("managers-key", policies.managers_key(PLACE, "arn:aws:iam::123456789012:role/swarm-manager")),
        ("assume-role", shared.assume_role_by_ec2()),
    ],
)
def test_policies(name: str, text: str) -> None:
    json.loads(text)
    assert_golden(f"policies/{name}.json", text + "\n")


def test_the_interface_endpoints_that_a_closed_network_needs() -> None:
    needed = endpoints.required(has_published_ports=False)
    assert_golden("policies/interface_endpoints.txt", "".join(f"{service}\n" for service in needed))
