"""All corrections of moto, put in place before the first call, and what they do on every tick."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.aws import authorize, balancers, objects
from sandbox.aws.autoscaling import api as autoscaling_api
from sandbox.aws.autoscaling import engine as autoscaling_engine
from sandbox.aws.ec2 import console, endpoints, images, launch, network, rules, states, view
from sandbox.aws.eks import api as eks
from sandbox.aws.world import WORLD


def install() -> None:
    """Patch moto. Idempotent."""
    states.install()
    launch.install()
    images.install()
    network.install()
    endpoints.install()
    console.install()
    rules.install()
    autoscaling_api.install()
    balancers.install()
    eks.install()
    objects.install()
    authorize.install()


def tasks() -> list[Callable[[], None]]:
    """What happens by itself, in this order on every tick."""
    return [WORLD.tick, view.tick, states.tick, network.tick, autoscaling_engine.tick, eks.tick]
