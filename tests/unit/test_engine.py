"""The recording engine itself: a test double that records wrongly makes every other test worthless."""

import pulumi
import pulumi_aws as aws
import pytest
from pulumi.output import Unknown

from tests.engine import Engine, Json, RefusedError

VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"


class Box(pulumi.ComponentResource):
    vpc_id: pulumi.Output[str]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("timonel:index:Box", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        vpc = aws.ec2.Vpc(f"{name}-vpc", cidr_block="10.0.0.0/16", opts=child)
        aws.ec2.Subnet(
            f"{name}-subnet",
            vpc_id=vpc.id,
            cidr_block="10.0.0.0/24",
            opts=pulumi.ResourceOptions(parent=vpc, protect=True, ignore_changes=["tags"]),
        )
        self.vpc_id = vpc.id
        self.register_outputs({"vpc_id": vpc.id})


def test_a_run_records_inputs_parents_options_and_outputs(engine: Engine) -> None:
    box = engine.run(lambda: Box("box"))
    vpc, subnet = engine.one(VPC), engine.one(SUBNET)
    assert vpc.inputs == {"cidrBlock": "10.0.0.0/16"}
    assert vpc.urn == "urn:pulumi:test::timonel::timonel:index:Box$aws:ec2/vpc:Vpc::box-vpc"
    assert subnet.urn.split("::")[2] == "timonel:index:Box$aws:ec2/vpc:Vpc$aws:ec2/subnet:Subnet", "the whole chain"
    assert subnet.inputs["vpcId"] == vpc.id, "an input that is another resource's output is resolved"
    assert (subnet.protect, subnet.ignore_changes, subnet.depends_on) == (True, ("tags",), (vpc.urn,))
    component = engine.one("timonel:index:Box")
    assert engine.children(component.urn) == [vpc]
    assert engine.descendants(component.urn) == [subnet, vpc]
    assert engine.value(box.vpc_id) == vpc.id
    assert engine.registered_outputs[component.urn] == {"vpc_id": vpc.id}


def test_an_explicit_provider_is_seen_on_children_and_on_lookups(engine: Engine) -> None:
    def program() -> None:
        west = aws.Provider("west", region="us-west-2")
        box = Box("box", pulumi.ResourceOptions(provider=west))
        aws.get_region(opts=pulumi.InvokeOptions(parent=box))

    engine.run(program)
    assert "::west::" in engine.one(SUBNET).provider, "children inherit the component's provider"
    assert "::west::" in engine.invoked("aws:index/getRegion:getRegion")[0].provider


def test_without_a_provider_the_record_says_so(engine: Engine) -> None:
    engine.run(lambda: Box("box"))
    assert engine.one(VPC).provider == ""


def test_in_preview_outputs_of_resources_are_unknown(engine: Engine) -> None:
    box = engine.run(lambda: Box("box"), preview=True)
    assert engine.value(box.vpc_id) is None
    unknown = engine.one(SUBNET).inputs["vpcId"]
    assert isinstance(unknown, Unknown), "an input that hangs on it is unknown too"


def test_what_the_program_raises_is_raised(engine: Engine) -> None:
    def program() -> None:
        raise pulumi.RunError("no")

    with pytest.raises(pulumi.RunError, match="no"):
        engine.run(program)


def test_a_lookup_that_nobody_answers_is_an_error(engine: Engine) -> None:
    with pytest.raises(Exception, match=r"no answer for the lookup aws:ec2/getVpc:getVpc"):
        engine.run(lambda: aws.ec2.get_vpc(id="vpc-1"))


def test_answers_may_depend_on_the_arguments(engine: Engine) -> None:
    engine.answers["aws:ec2/getVpc:getVpc"] = lambda args: {"id": args["id"], "cidrBlock": "10.1.0.0/16"}
    assert engine.run(lambda: aws.ec2.get_vpc(id="vpc-1")).cidr_block == "10.1.0.0/16"


def test_a_lookup_may_be_refused_as_a_provider_refuses_it(engine: Engine) -> None:
    def refuse(args: Json) -> Json:
        raise RefusedError(f"no VPC {args['id']}")

    def program() -> str:
        with pytest.raises(Exception, match="getVpc failed: no VPC vpc-1"):
            aws.ec2.get_vpc(id="vpc-1")
        return "went on"

    engine.answers["aws:ec2/getVpc:getVpc"] = refuse
    assert engine.run(program) == "went on", "the program may catch it"


def test_config_exports_and_warnings_are_seen(engine: Engine) -> None:
    def program() -> None:
        config = pulumi.Config("timonel")
        pulumi.log.warn("careful")
        pulumi.export("size", config.require_int("size"))
        pulumi.export("key", config.require_secret("key"))

    engine.run(program, config={"timonel:size": 3, "timonel:key": "k"}, secret_config=["timonel:key"])
    assert engine.stack_outputs["size"] == 3
    assert engine.warnings == ["careful"]


def test_two_engines_in_one_process_do_not_meet(engine: Engine) -> None:
    engine.run(lambda: Box("first"))
    other = Engine()
    other.run(lambda: Box("second"))
    other.close()
    assert [found.name for found in engine.of(VPC)] == ["first-vpc"]
    assert [found.name for found in other.of(VPC)] == ["second-vpc"]


@pytest.mark.parametrize(
    ("instance_type", "architecture"),
    [("t3.small", "x86_64"), ("t4g.small", "arm64"), ("m7gd.large", "arm64"), ("g5.xlarge", "x86_64")],
)
def test_instance_types_have_their_real_architecture(engine: Engine, instance_type: str, architecture: str) -> None:
    answer = engine.run(lambda: aws.ec2.get_instance_type(instance_type=instance_type))
    assert answer.supported_architectures == [architecture]
