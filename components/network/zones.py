"""Which availability zones a new VPC uses."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from components.errors import InputError


def choose(region_zones: Sequence[str], region: str, names: Sequence[str], count: int) -> list[str]:
    """The zones by name: the given ones, else the first of the region's in alphabetical order.

    Raises:
        InputError: a zone that the region does not have, or a region with too few.
    """
    available = sorted(region_zones)
    for index, name in enumerate(names):
        if name not in available:
            rule = f"be a zone that this account has in {region}: {', '.join(available)}"
            raise InputError(f"zone_names[{index}]", name, rule, "A subnet lies in one zone of the provider's region.")
    if len(available) < count:
        rule = f"be at most {len(available)} in {region}"
        raise InputError("zone_count", count, rule, f"This account has the zones {', '.join(available)}.")
    return list(names[:count]) or available[:count]


def look_up(region: str, names: Sequence[str], count: int, opts: pulumi.InvokeOptions) -> list[str]:
    """``choose`` from what AWS answers.

    A zone's state is not asked for: a zone that fails for an hour would leave the list, and each zone after it would
    move up by one, subnets with it. Zones that need opting in are used only by name. Local and Wavelength Zones are
    left out: they lack NAT gateways and much else.
    """
    wanted = {"zone-type": ["availability-zone"]}
    if not names:
        wanted["opt-in-status"] = ["opt-in-not-required"]
    filters = [aws.GetAvailabilityZonesFilterArgs(name=name, values=values) for name, values in wanted.items()]
    answer = aws.get_availability_zones(filters=filters, opts=opts)
    return choose(answer.names, region, names, count)
