"""Which VPC endpoint services the region has."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from components.errors import InputError


def look_up(names: Sequence[str], zones: Sequence[str], opts: pulumi.InvokeOptions) -> dict[str, str]:
    """Full service name of each short name.

    Raises:
        InputError: the region has no such service, or it lacks one of the zones. Without the check AWS says so only
            when the endpoint is made.
    """
    return {name: _look_up(name, zones, opts) for name in names}


def _look_up(name: str, zones: Sequence[str], opts: pulumi.InvokeOptions) -> str:
    try:
        service = aws.ec2.get_vpc_endpoint_service(service=name, service_type="Interface", opts=opts)
    except Exception as error:  # the SDK raises a bare Exception for whatever the provider says
        rule = "be a service that has interface endpoints in this region"
        raise InputError("interface_endpoints", name, rule, f"AWS said: {error}") from error
    missing = [zone for zone in zones if zone not in service.availability_zones]
    if missing:
        rule = f"be a service that has endpoints in {', '.join(missing)}"
        reason = f"It has them in {', '.join(sorted(service.availability_zones))}. Choose other zones by zone_names."
        raise InputError("interface_endpoints", name, rule, reason)
    return service.service_name
