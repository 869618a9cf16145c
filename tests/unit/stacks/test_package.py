"""The components' contract for programs in any language: the schema that Pulumi derives from their classes."""

import json

from pulumi.provider.experimental.component import ComponentProvider

from components import EksCluster, MonitoringStack, Network, SwarmCluster
from tests.golden_files import assert_golden

SCHEMA = json.loads(
    ComponentProvider([EksCluster, MonitoringStack, Network, SwarmCluster], "timonel", version="0.1.0").schema
)


def test_the_package_s_schema_is_its_golden() -> None:
    assert_golden("schema.json", json.dumps(SCHEMA, indent=2, sort_keys=True) + "\n")


def test_every_input_of_the_package_says_what_it_is() -> None:
    assert {*SCHEMA["resources"]} == {
        "timonel:index:EksCluster",
        "timonel:index:MonitoringStack",
        "timonel:index:Network",
        "timonel:index:SwarmCluster",
    }
    for name, resource in SCHEMA["resources"].items():
        for key, value in resource["inputProperties"].items():
            assert value.get("description"), f"{name}.{key}"


def test_what_decides_which_resources_exist_is_plain() -> None:
    inputs = SCHEMA["resources"]["timonel:index:SwarmCluster"]["inputProperties"]
    for key in ("managers", "workerPools", "publishedPorts", "image"):
        assert inputs[key].get("plain") is True, f"{key} must be known at preview"
