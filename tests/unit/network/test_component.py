"""A new VPC: which resources there are, how they hang together, and what stays when the arguments change."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from pulumi.provider.experimental.analyzer import Analyzer

from components.errors import InputError
from components.network.args import NatStrategy, NetworkArgs
from components.network.component import Network
from tests.engine import Engine, Json, Recorded, RefusedError

VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
TABLE = "aws:ec2/routeTable:RouteTable"
ASSOCIATION = "aws:ec2/routeTableAssociation:RouteTableAssociation"
ROUTE = "aws:ec2/route:Route"
NAT = "aws:ec2/natGateway:NatGateway"
ADDRESS = "aws:ec2/eip:Eip"
GATEWAY = "aws:ec2/internetGateway:InternetGateway"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
DEFAULT_GROUP = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
FLOW_LOG = "aws:ec2/flowLog:FlowLog"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
NETWORK = "timonel:index:Network"
WITHOUT_TAGS = {ROUTE, ASSOCIATION, ROLE_POLICY}

EVERYTHING: NetworkArgs = {
    "zone_count": 3,
    "nat": NatStrategy.PER_ZONE,
    "interface_endpoints": ["ssm", "ec2"],
    "enable_flow_logs": True,
    "tags": {"team": "platform"},
}


def service(args: Json) -> Json:
    return {
        "id": "vpce-svc-1",
        "serviceName": f"com.amazonaws.us-east-1.{args['service']}",
        "availabilityZones": [f"us-east-1{letter}" for letter in "abcdef"],
    }


@pytest.fixture(autouse=True)
def region(engine: Engine) -> None:
    engine.zones = [f"us-east-1{letter}" for letter in "fedcba"]
    engine.answers["aws:ec2/getVpcEndpointService:getVpcEndpointService"] = service


def inputs(engine: Engine, *args: NetworkArgs) -> list[dict[str, Recorded]]:
    """What each of several runs registered, by URN."""
    runs = []
    for each in args:
        run = Engine()
        run.zones, run.answers = engine.zones, engine.answers
        run.run(lambda each=each: Network("net", each))  # type: ignore[misc]
        run.close()
        runs.append({found.urn: found for found in run.resources})
    return runs


def test_every_child_hangs_on_the_component_and_is_called_after_it(engine: Engine) -> None:
    engine.run(lambda: Network("net", EVERYTHING))
    component = engine.one(NETWORK)
    children = engine.children(component.urn)
    assert len(children) == len(engine.resources) - 1, "a resource without the component as its parent"
    assert all(child.urn.split("::")[2].startswith(f"{NETWORK}$aws:") for child in children)
    assert all(child.name.startswith("net-") for child in children)


def test_no_child_and_no_lookup_falls_to_the_default_provider_when_one_is_given(engine: Engine) -> None:
    def program() -> None:
        west = aws.Provider("west", region="us-west-2")
        Network("net", EVERYTHING, pulumi.ResourceOptions(provider=west))

    engine.run(program)
    assert [found.urn for found in engine.children(engine.one(NETWORK).urn) if "::west::" not in found.provider] == []
    assert [call.token for call in engine.invokes if "::west::" not in call.provider] == []


def test_everything_that_can_have_tags_has_its_name_the_stacks_tag_and_the_users(engine: Engine) -> None:
    engine.run(lambda: Network("net", EVERYTHING))
    for child in engine.children(engine.one(NETWORK).urn):
        if child.typ in WITHOUT_TAGS:
            continue
        expected = {"Name": child.name, "timonel:stack": "timonel/test", "team": "platform"}
        assert child.inputs.get("tags") == expected, f"tags of {child.urn}"


def test_the_vpc_answers_dns_and_its_default_group_is_closed(engine: Engine) -> None:
    engine.run(lambda: Network("net", {"cidr": "10.9.0.0/20"}))
    vpc = engine.one(VPC).inputs
    assert (vpc["cidrBlock"], vpc["enableDnsSupport"], vpc["enableDnsHostnames"]) == ("10.9.0.0/20", True, True)
    closed = engine.one(DEFAULT_GROUP).inputs
    assert (closed["ingress"], closed["egress"]) == ([], []), "absent lists would leave a rule made by hand in place"


def test_zones_are_the_regions_in_alphabetical_order(engine: Engine) -> None:
    network = engine.run(lambda: Network("net", {"zone_count": 3}))
    assert network.zones == ["us-east-1a", "us-east-1b", "us-east-1c"]
    filters = {item["name"]: item["values"] for item in engine.invokes[-1].args["filters"]}
    assert filters == {"zone-type": ["availability-zone"], "opt-in-status": ["opt-in-not-required"]}
    assert "state" not in engine.invokes[-1].args, "a zone in trouble must not move the others"


def test_named_zones_are_used_in_their_order(engine: Engine) -> None:
    network = engine.run(lambda: Network("net", {"zone_names": ["us-east-1f", "us-east-1b"]}))
    assert network.zones == ["us-east-1f", "us-east-1b"]
    assert engine.one(SUBNET, "net-private-0").inputs["availabilityZone"] == "us-east-1f"


def test_a_zone_that_the_region_lacks_is_named(engine: Engine) -> None:
    with pytest.raises(InputError, match=r"zone_names\[1\]: got 'us-east-1z'.*us-east-1a, us-east-1b") as refused:
        engine.run(lambda: Network("net", {"zone_names": ["us-east-1a", "us-east-1z"]}))
    assert refused.value.got == "us-east-1z"
    assert [found.typ for found in engine.resources] == [NETWORK], "nothing is made before the check"


def test_a_region_with_too_few_zones_is_an_error(engine: Engine) -> None:
    engine.zones = ["us-west-1a", "us-west-1c"]
    with pytest.raises(InputError, match="zone_count: got 3, but it must be at most 2"):
        engine.run(lambda: Network("net", {"zone_count": 3}))


def test_no_subnet_gives_out_public_addresses(engine: Engine) -> None:
    engine.run(lambda: Network("net", EVERYTHING))
    assert len(engine.of(SUBNET)) == 6
    assert [found.name for found in engine.of(SUBNET) if found.inputs["mapPublicIpOnLaunch"] is not False] == []


def test_a_private_subnet_has_a_route_table_of_its_own_whatever_the_strategy(engine: Engine) -> None:
    for nat in NatStrategy:
        run = inputs(engine, {"zone_count": 3, "nat": nat})[0].values()
        assert sorted(r.name for r in run if r.typ == TABLE) == [
            "net-private-0",
            "net-private-1",
            "net-private-2",
            "net-public",
        ]
        tables = {r.name: r.inputs["routeTableId"] for r in run if r.typ == ASSOCIATION and "private" in r.name}
        assert tables == {f"net-private-{zone}": f"net-private-{zone}-id" for zone in range(3)}


@pytest.mark.parametrize(
    ("nat", "gateways", "routes"),
    [
        (NatStrategy.NONE, [], {}),
        (NatStrategy.SINGLE, ["net-nat-0"], {0: "net-nat-0-id", 1: "net-nat-0-id", 2: "net-nat-0-id"}),
        (
            NatStrategy.PER_ZONE,
            ["net-nat-0", "net-nat-1", "net-nat-2"],
            {0: "net-nat-0-id", 1: "net-nat-1-id", 2: "net-nat-2-id"},
        ),
    ],
)
def test_the_strategy_decides_gateways_and_routes(
    engine: Engine, nat: NatStrategy, gateways: list[str], routes: dict[int, str]
) -> None:
    network = engine.run(lambda: Network("net", {"zone_count": 3, "nat": nat}))
    assert network.has_internet_egress is bool(gateways)
    assert [found.name for found in engine.of(NAT)] == [found.name for found in engine.of(ADDRESS)] == gateways
    private = [found for found in engine.of(ROUTE) if "private" in found.name]
    assert {found.name: found.inputs["natGatewayId"] for found in private} == {
        f"net-private-{zone}-internet": gateway for zone, gateway in routes.items()
    }
    for gateway in engine.of(NAT):
        zone = gateway.name.removeprefix("net-nat-")
        assert gateway.inputs["subnetId"] == f"net-public-{zone}-id", "a NAT gateway works from a public subnet"
        assert engine.one(GATEWAY).urn in gateway.depends_on, "without it AWS refuses to detach the internet gateway"


def test_a_change_of_strategy_changes_routes_and_gateways_only(engine: Engine) -> None:
    none, single, per_zone = inputs(engine, *({"zone_count": 3, "nat": nat} for nat in NatStrategy))
    kept = {urn: found.inputs for urn, found in none.items()}
    for other in (single, per_zone):
        assert {urn: found.inputs for urn, found in other.items() if urn in none} == kept
        assert {found.typ for urn, found in other.items() if urn not in none} == {NAT, ADDRESS, ROUTE}
    assert set(single) < set(per_zone), "single to per-zone adds gateways and takes none away"


def test_a_zone_more_changes_nothing_that_is_there_but_lists(engine: Engine) -> None:
    two, three = inputs(engine, {**EVERYTHING, "zone_count": 2}, EVERYTHING)
    assert set(two) < set(three), "no resource goes, and none changes its name"
    changed = {found.name for urn, found in two.items() if found.inputs != three[urn].inputs}
    assert changed == {"net-s3", "net-endpoint-ec2", "net-endpoint-ssm"}, "endpoints learn of the new zone in place"


def test_what_holds_a_range_or_an_address_alone_goes_before_its_successor_comes(engine: Engine) -> None:
    engine.run(lambda: Network("net", EVERYTHING))
    assert {found.typ for found in engine.resources if found.delete_before_replace} == {SUBNET, NAT}


def test_the_names_of_deployed_stacks_stay(engine: Engine) -> None:
    engine.run(lambda: Network("net", {**EVERYTHING, "zone_count": 1, "interface_endpoints": ["ecr.api"]}))
    prefix = f"urn:pulumi:test::timonel::{NETWORK}$"
    assert sorted(urn.removeprefix(prefix) for urn in engine.urns() if prefix in urn) == [
        f"{typ}::{name}"
        for typ, name in [
            (LOG_GROUP, "net-flow-logs"),
            (DEFAULT_GROUP, "net-default"),
            (ADDRESS, "net-nat-0"),
            (FLOW_LOG, "net-flow-logs"),
            (GATEWAY, "net-internet"),
            (NAT, "net-nat-0"),
            (ROUTE, "net-private-0-internet"),
            (ROUTE, "net-public-internet"),
            (TABLE, "net-private-0"),
            (TABLE, "net-public"),
            (ASSOCIATION, "net-private-0"),
            (ASSOCIATION, "net-public-0"),
            (GROUP, "net-endpoints"),
            (SUBNET, "net-private-0"),
            (SUBNET, "net-public-0"),
            (VPC, "net-vpc"),
            (ENDPOINT, "net-endpoint-ecr.api"),
            (ENDPOINT, "net-s3"),
            (ROLE, "net-flow-logs"),
            (ROLE_POLICY, "net-flow-logs"),
            (RULE, "net-endpoints-https"),
        ]
    ]


def test_without_public_subnets_there_is_no_internet_gateway(engine: Engine) -> None:
    network = engine.run(lambda: Network("net", {"nat": NatStrategy.NONE, "enable_public_subnets": False}))
    assert engine.of(GATEWAY) == []
    assert engine.of(ROUTE) == []
    assert [found.name for found in engine.of(SUBNET)] == ["net-private-0", "net-private-1"]
    assert engine.value(network.public_subnet_ids) == []
    assert network.has_public_subnets is False


def test_s3_is_reached_from_every_private_subnet_without_nat(engine: Engine) -> None:
    engine.run(lambda: Network("net", {"nat": NatStrategy.NONE}))
    endpoint = engine.one(ENDPOINT).inputs
    assert (endpoint["serviceName"], endpoint["vpcEndpointType"]) == ("com.amazonaws.us-east-1.s3", "Gateway")
    assert endpoint["routeTableIds"] == ["net-private-0-id", "net-private-1-id"]


def test_interface_endpoints_answer_the_vpc_alone_by_the_services_own_names(engine: Engine) -> None:
    network = engine.run(lambda: Network("net", {"interface_endpoints": ["ssm", "ec2"], "cidr": "10.9.0.0/20"}))
    endpoint = engine.one(ENDPOINT, "net-endpoint-ssm").inputs
    assert (endpoint["serviceName"], endpoint["privateDnsEnabled"]) == ("com.amazonaws.us-east-1.ssm", True)
    assert endpoint["subnetIds"] == ["net-private-0-id", "net-private-1-id"]
    assert endpoint["securityGroupIds"] == ["net-endpoints-id"]
    rule = engine.one(RULE).inputs
    assert (rule["cidrIpv4"], rule["ipProtocol"], rule["fromPort"], rule["toPort"]) == ("10.9.0.0/20", "tcp", 443, 443)
    assert "egress" not in engine.one(GROUP).inputs, "endpoints open no connection"
    assert network.interface_endpoints == ["ec2", "ssm"]


def test_without_interface_endpoints_there_is_no_group_for_them(engine: Engine) -> None:
    engine.run(lambda: Network("net", {}))
    assert engine.of(GROUP) == []


def test_a_service_without_endpoints_in_the_region_is_named_at_preview(engine: Engine) -> None:
    def unknown(args: Json) -> Json:
        raise RefusedError(f"no matching VPC Endpoint Service {args['service']}")

    engine.answers["aws:ec2/getVpcEndpointService:getVpcEndpointService"] = unknown
    with pytest.raises(InputError, match=r"interface_endpoints: got 'sssm'.*no matching VPC Endpoint Service"):
        engine.run(lambda: Network("net", {"interface_endpoints": ["sssm"]}))


def test_a_service_that_lacks_a_zone_is_named_at_preview(engine: Engine) -> None:
    engine.answers["aws:ec2/getVpcEndpointService:getVpcEndpointService"] = lambda args: {
        **service(args),
        "availabilityZones": ["us-east-1a"],
    }
    with pytest.raises(InputError, match="got 'ssm', but it must be a service that has endpoints in us-east-1b"):
        engine.run(lambda: Network("net", {"interface_endpoints": ["ssm"]}))


def test_flow_logs_write_to_their_group_and_nothing_else(engine: Engine) -> None:
    engine.run(lambda: Network("net", {"enable_flow_logs": True, "flow_log_retention_days": 30}))
    group, log = engine.one(LOG_GROUP), engine.one(FLOW_LOG)
    assert group.inputs["retentionInDays"] == 30
    assert (log.inputs["trafficType"], log.inputs["logDestination"]) == ("ALL", group.outputs["arn"])
    assert engine.one(ROLE_POLICY).urn in log.depends_on, "a flow log that starts without its permission fails for good"
    [statement] = json.loads(engine.one(ROLE_POLICY).inputs["policy"])["Statement"]
    assert statement["Resource"] == [group.outputs["arn"], f"{group.outputs['arn']}:*"]
    assert "logs:CreateLogGroup" not in statement["Action"], "a late write would bring the group back"
    [trust] = json.loads(engine.one(ROLE).inputs["assumeRolePolicy"])["Statement"]
    assert trust["Principal"] == {"Service": "vpc-flow-logs.amazonaws.com"}
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": "arn:aws:ec2:us-east-1:123456789012:vpc-flow-log/*"},
    }


def test_flow_logs_are_off_unless_asked_for(engine: Engine) -> None:
    engine.run(lambda: Network("net", {}))
    assert [found.typ for found in engine.resources if found.typ in {FLOW_LOG, LOG_GROUP, ROLE}] == []


def test_outputs_are_ids_in_the_order_of_the_zones(engine: Engine) -> None:
    network = engine.run(lambda: Network("net", {}))
    expected = {
        "vpc_id": "net-vpc-id",
        "private_subnet_ids": ["net-private-0-id", "net-private-1-id"],
        "public_subnet_ids": ["net-public-0-id", "net-public-1-id"],
        "private_route_table_ids": ["net-private-0-id", "net-private-1-id"],
    }
    assert engine.registered_outputs[engine.one(NETWORK).urn] == expected
    assert engine.value(network.private_subnet_ids) == expected["private_subnet_ids"]
    assert (network.cidr, network.zones) == ("10.20.0.0/16", ["us-east-1a", "us-east-1b"])


def test_who_uses_the_subnets_waits_for_their_routes_and_endpoints(engine: Engine) -> None:
    def program() -> None:
        network = Network("net", {"interface_endpoints": ["ssm"]})
        aws.ssm.Parameter("private", type="StringList", value=network.private_subnet_ids.apply(",".join))
        aws.ssm.Parameter("public", type="StringList", value=network.public_subnet_ids.apply(",".join))

    engine.run(program)
    private, public = (
        set(engine.one("aws:ssm/parameter:Parameter", name).depends_on) for name in ("private", "public")
    )
    needs = [
        found.urn for found in [*engine.of(ENDPOINT), *engine.of(RULE), *engine.of(ROUTE)] if "public" not in found.name
    ]
    assert set(needs) <= private, "a node that boots earlier cannot install anything"
    assert {engine.one(GATEWAY).urn, engine.one(ROUTE, "net-public-internet").urn} <= public
    assert not any("nat" in urn for urn in public), "load balancers need not wait for NAT gateways"


def test_plain_values_are_known_in_the_first_preview(engine: Engine) -> None:
    network = engine.run(lambda: Network("net", EVERYTHING), preview=True)
    assert network.zones == ["us-east-1a", "us-east-1b", "us-east-1c"]
    assert engine.value(network.vpc_id) is None


def test_bad_arguments_register_no_child(engine: Engine) -> None:
    args: Any = {"zone_count": 9}
    with pytest.raises(InputError):
        engine.run(lambda: Network("net", args))
    assert [found.typ for found in engine.resources] == [NETWORK]
    assert engine.invokes == [], "what the arguments alone show is said before AWS is asked"


def test_the_component_host_can_read_arguments_and_outputs() -> None:
    definition = Analyzer("timonel").analyze_component(Network)
    assert set(definition.outputs) == {"vpcId", "privateSubnetIds", "publicSubnetIds", "privateRouteTableIds"}
    assert "zoneCount" in definition.inputs
