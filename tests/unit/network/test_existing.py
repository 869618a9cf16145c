"""An existing VPC: checked for what a cluster needs, named by its ids when it lacks something, never changed."""

from copy import deepcopy
from typing import Any

import pytest

from components.errors import InputError
from components.network.args import ExistingVpcArgs
from components.network.component import Network
from tests.engine import Engine, Json, RefusedError

VPC_ID = "vpc-0aaaaaaaaaaaaaaaa"
A, B = "subnet-0000000000000000a", "subnet-0000000000000000b"
PUBLIC = "subnet-0000000000000000f"
NOTHING = dict.fromkeys(
    (
        "carrierGatewayId",
        "coreNetworkArn",
        "destinationPrefixListId",
        "egressOnlyGatewayId",
        "gatewayId",
        "instanceId",
        "ipv6CidrBlock",
        "localGatewayId",
        "natGatewayId",
        "networkInterfaceId",
        "odbNetworkArn",
        "transitGatewayId",
        "vpcEndpointId",
        "vpcPeeringConnectionId",
    ),
    "",
)
LOCAL = {**NOTHING, "cidrBlock": "10.5.0.0/16", "gatewayId": "local"}


def default_route(**target: str) -> Json:
    return {**NOTHING, "cidrBlock": "0.0.0.0/0", **target}


class World:
    """What AWS has; a test changes one thing in it."""

    def __init__(self, engine: Engine) -> None:
        self.vpc: Json = {
            "id": VPC_ID,
            "cidrBlock": "10.5.0.0/16",
            "cidrBlockAssociations": [self.range("10.5.0.0/16")],
            "enableDnsSupport": True,
            "enableDnsHostnames": True,
        }
        self.subnets: dict[str, Json] = {
            A: {"vpcId": VPC_ID, "availabilityZone": "us-east-1a", "cidrBlock": "10.5.0.0/24"},
            B: {"vpcId": VPC_ID, "availabilityZone": "us-east-1b", "cidrBlock": "10.5.1.0/24"},
            PUBLIC: {"vpcId": VPC_ID, "availabilityZone": "us-east-1a", "cidrBlock": "10.5.9.0/24"},
        }
        self.tables: dict[str, Json] = {
            "rtb-main": {"routes": [LOCAL], "associations": [{"main": True, "subnetId": ""}]},
            "rtb-a": {
                "routes": [LOCAL, default_route(natGatewayId="nat-1")],
                "associations": [{"main": False, "subnetId": A}],
            },
            "rtb-b": {
                "routes": [LOCAL, default_route(natGatewayId="nat-1")],
                "associations": [{"main": False, "subnetId": B}],
            },
            "rtb-public": {
                "routes": [LOCAL, default_route(gatewayId="igw-1")],
                "associations": [{"main": False, "subnetId": PUBLIC}],
            },
        }
        self.endpoints: dict[str, Json] = {}
        engine.answers |= {
            "aws:ec2/getVpc:getVpc": lambda args: self._found({VPC_ID: self.vpc}, args["id"]),
            "aws:ec2/getSubnet:getSubnet": lambda args: self._found(self.subnets, args["id"]),
            "aws:ec2/getRouteTables:getRouteTables": lambda args: {"id": "-", "ids": list(self.tables), **args},
            "aws:ec2/getRouteTable:getRouteTable": lambda args: self._found(self.tables, args["routeTableId"]),
            "aws:ec2/getVpcEndpoint:getVpcEndpoint": self._endpoint,
        }

    @staticmethod
    def range(cidr: str) -> Json:
        return {"associationId": "vpc-cidr-assoc-1", "cidrBlock": cidr, "state": "associated"}

    def _found(self, things: dict[str, Json], key: str) -> Json:
        if key not in things:
            raise RefusedError(f"no matching thing {key}")
        return deepcopy({"id": key, **things[key]})

    def _endpoint(self, args: Json) -> Json:
        found = self._found(self.endpoints, args["serviceName"])
        if found.get("vpcEndpointType", "Interface") != args["vpcEndpointType"]:
            raise RefusedError(f"no matching {args['vpcEndpointType']} endpoint")
        return found

    def without_egress(self) -> None:
        for table in ("rtb-a", "rtb-b"):
            self.tables[table]["routes"] = [LOCAL]
        self.endpoints["com.amazonaws.us-east-1.s3"] = {
            "vpcEndpointType": "Gateway",
            "routeTableIds": ["rtb-a", "rtb-b"],
        }


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


def use(engine: Engine, **changes: Any) -> Network:
    args: ExistingVpcArgs = {"vpc_id": VPC_ID, "private_subnet_ids": [A, B], **changes}  # type: ignore[typeddict-item]
    return engine.run(lambda: Network("net", {"existing": args}))


def refused(engine: Engine, **changes: Any) -> InputError:
    with pytest.raises(InputError) as error:
        use(engine, **changes)
    return error.value


def test_what_it_is_told_and_what_it_finds_come_out(engine: Engine, world: World) -> None:
    network = use(engine, public_subnet_ids=[PUBLIC])
    assert (network.cidr, network.zones) == ("10.5.0.0/16", ["us-east-1a", "us-east-1b"])
    assert (network.has_internet_egress, network.has_public_subnets) == (True, True)
    assert network.interface_endpoints == []
    assert engine.value(network.vpc_id) == VPC_ID
    assert engine.value(network.private_subnet_ids) == [A, B]
    assert engine.value(network.public_subnet_ids) == [PUBLIC]
    assert engine.value(network.private_route_table_ids) == ["rtb-a", "rtb-b"]


def test_nothing_is_made_in_it(engine: Engine, world: World) -> None:
    use(engine)
    assert [found.typ for found in engine.resources] == ["timonel:index:Network"]


def test_its_outputs_are_known_in_the_first_preview(engine: Engine, world: World) -> None:
    args: ExistingVpcArgs = {"vpc_id": VPC_ID, "private_subnet_ids": [A, B]}
    network = engine.run(lambda: Network("net", {"existing": args}), preview=True)
    assert engine.value(network.private_subnet_ids) == [A, B]


def test_a_vpc_that_does_not_exist_is_named_with_what_aws_said(engine: Engine, world: World) -> None:
    error = refused(engine, vpc_id="vpc-0bbbbbbbbbbbbbbbb")
    assert (error.path, error.got) == ("existing.vpc_id", "vpc-0bbbbbbbbbbbbbbbb")
    assert "no matching thing vpc-0bbbbbbbbbbbbbbbb" in error.reason


@pytest.mark.parametrize("name", ["enableDnsSupport", "enableDnsHostnames"])
def test_a_vpc_without_dns_is_refused(engine: Engine, world: World, name: str) -> None:
    world.vpc[name] = False
    error = refused(engine)
    assert (error.path, error.got, error.rule) == ("existing.vpc_id", VPC_ID, f"have {name} on")


@pytest.mark.parametrize("key", ["private_subnet_ids", "public_subnet_ids"])
def test_a_subnet_that_does_not_exist_is_named(engine: Engine, world: World, key: str) -> None:
    error = refused(engine, **{key: ["subnet-0123456789abcdef0"]})
    assert (error.path, error.got) == (f"existing.{key}[0]", "subnet-0123456789abcdef0")


def test_a_subnet_of_another_vpc_is_refused(engine: Engine, world: World) -> None:
    world.subnets[B]["vpcId"] = "vpc-0cccccccccccccccc"
    error = refused(engine)
    assert (error.path, error.got, error.rule) == ("existing.private_subnet_ids[1]", B, f"belong to {VPC_ID}")
    assert "vpc-0cccccccccccccccc" in error.reason


def test_two_subnets_in_one_zone_are_refused(engine: Engine, world: World) -> None:
    world.subnets[B]["availabilityZone"] = "us-east-1a"
    error = refused(engine)
    assert (error.got, error.rule) == (B, "be in a zone of its own")
    assert A in error.reason, "the other subnet is named"


def test_a_subnet_in_a_further_range_of_the_vpc_is_refused(engine: Engine, world: World) -> None:
    world.subnets[A]["cidrBlock"] = "100.64.0.0/24"
    assert refused(engine).rule == "lie in the VPC's first range, 10.5.0.0/16"


def test_further_ranges_of_the_vpc_are_a_warning(engine: Engine, world: World) -> None:
    use(engine)
    assert engine.warnings == []
    world.vpc["cidrBlockAssociations"].append(World.range("100.64.0.0/16"))
    use(engine)
    [warning] = engine.warnings
    assert VPC_ID in warning
    assert "100.64.0.0/16" in warning


def test_a_private_subnet_behind_an_internet_gateway_is_refused(engine: Engine, world: World) -> None:
    world.tables["rtb-b"]["routes"] = [default_route(gatewayId="igw-1")]
    error = refused(engine)
    assert (error.got, error.rule) == (B, "have no default route to an internet gateway")


def test_a_public_subnet_without_an_internet_gateway_is_refused(engine: Engine, world: World) -> None:
    world.tables["rtb-public"]["routes"] = [LOCAL]
    error = refused(engine, public_subnet_ids=[PUBLIC])
    assert (error.path, error.got) == ("existing.public_subnet_ids[0]", PUBLIC)
    assert error.rule == "have a default route to an internet gateway"


@pytest.mark.parametrize(
    "target", [{"natGatewayId": "nat-1"}, {"transitGatewayId": "tgw-1"}, {"networkInterfaceId": "eni-1"}]
)
def test_any_default_route_but_one_to_an_internet_gateway_is_a_way_out(
    engine: Engine, world: World, target: dict[str, str]
) -> None:
    for table in ("rtb-a", "rtb-b"):
        world.tables[table]["routes"] = [LOCAL, default_route(**target)]
    assert use(engine).has_internet_egress is True


def test_a_subnet_without_a_table_of_its_own_follows_the_main_one(engine: Engine, world: World) -> None:
    del world.tables["rtb-b"]
    world.tables["rtb-main"]["routes"] = [LOCAL, default_route(natGatewayId="nat-1")]
    network = use(engine)
    assert network.has_internet_egress is True
    assert engine.value(network.private_route_table_ids) == ["rtb-a", "rtb-main"]


def test_some_subnets_with_a_way_out_and_some_without_are_refused(engine: Engine, world: World) -> None:
    world.tables["rtb-b"]["routes"] = [LOCAL]
    error = refused(engine)
    assert (error.got, error.path) == (B, "existing.private_subnet_ids[1]")
    assert error.rule.startswith("have a default route")


def test_without_a_way_out_s3_must_be_reached_by_its_gateway_endpoint(engine: Engine, world: World) -> None:
    world.without_egress()
    assert use(engine).has_internet_egress is False


def test_without_a_way_out_and_without_s3_it_is_refused(engine: Engine, world: World) -> None:
    world.without_egress()
    world.endpoints.clear()
    error = refused(engine)
    assert (error.path, error.got) == ("existing.vpc_id", VPC_ID)
    assert "gateway endpoint for S3" in error.rule


def test_a_route_table_that_the_s3_endpoint_forgot_is_named(engine: Engine, world: World) -> None:
    world.without_egress()
    world.endpoints["com.amazonaws.us-east-1.s3"]["routeTableIds"] = ["rtb-a"]
    error = refused(engine)
    assert error.got == B
    assert "rtb-b" in error.reason


def test_interface_endpoints_are_looked_up(engine: Engine, world: World) -> None:
    world.endpoints["com.amazonaws.us-east-1.ssm"] = {"privateDnsEnabled": True}
    assert use(engine, interface_endpoints=["ssm"]).interface_endpoints == ["ssm"]


def test_an_interface_endpoint_that_is_missing_is_named(engine: Engine, world: World) -> None:
    error = refused(engine, interface_endpoints=["ssm"])
    assert (error.path, error.got) == ("existing.interface_endpoints[0]", "ssm")


def test_an_interface_endpoint_without_private_dns_is_refused(engine: Engine, world: World) -> None:
    world.endpoints["com.amazonaws.us-east-1.ssm"] = {"privateDnsEnabled": False}
    assert refused(engine, interface_endpoints=["ssm"]).rule == "have private DNS on"
