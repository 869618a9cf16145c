"""What only AWS can say about a plan, asked without making a resource: a program may ask before its first component."""

import pulumi

from components.hosts import images
from components.swarm.plan import SwarmPlan


def find_image(plan: SwarmPlan, region: str, opts: pulumi.InvokeOptions) -> images.MachineImage:
    """The image of the nodes, after a look at whether every instance type can run it.

    Raises:
        InputError: AWS does not know an instance type or the image, or they are of different architectures.
    """
    types = {"managers.instance_type": plan.manager_type}
    for index, pool in enumerate(plan.pools):
        for place, instance_type in enumerate(pool.instance_types):
            types[f"worker_pools[{index}].instance_types[{place}]"] = instance_type
    images.check_instance_types(types, plan.architecture, region, opts)
    return images.look_up(region=region, architecture=plan.architecture, image_id=plan.image_id, opts=opts)
